package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/zalando/go-keyring"

	"github.com/sparkwright/sparkwright"
)

// Files of secrets that Sparkwright itself writes are sealed: AES-256-GCM, with
// the file's name as additional data, so that one cannot be put in the place of
// another. A file at HOME/secrets/NAME is sealed with the key of HOME: 32 bytes
// in HOME/secrets.key (mode 0600), in the file that SPARKWRIGHT_SECRETS_KEY_FILE
// names, or in the keyring of the operating system. Neither the run database nor
// a backup holds the key.
const (
	sealed         = "sparkwright-sealed-1\n"
	keyFile        = "secrets.key"
	keyFileEnv     = "SPARKWRIGHT_SECRETS_KEY_FILE"
	inKeyring      = "keyring"
	keyringService = "sparkwright"
	keyBytes       = 32
)

// Write seals a secret into a file that only its owner can read.
func Write(path string, content []byte) error {
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	var text []byte
	if err == nil {
		text, err = seal(path, content)
	}
	if err == nil {
		err = replace(path, text)
	}
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		return e
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeResource, Message: "the secret could not be stored", Because: "its file cannot be written",
		Remedy: "check space and permissions of the data directory", Err: err,
	}
}

// replace writes a file as a whole, beside the old one first.
func replace(path string, content []byte) error {
	temporary := path + "." + suffix() + ".new"
	err := writeSynced(temporary, content)
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		_ = os.Remove(temporary) // the reason comes first
	}
	return err
}

func seal(path string, content []byte) ([]byte, error) {
	box, err := cipherOf(path, true)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	whole := box.Seal(nonce, nonce, content, extra(path))
	return append([]byte(sealed), append([]byte(base64.StdEncoding.EncodeToString(whole)), '\n')...), nil
}

// unseal returns what a file holds. One that was never sealed is what it is:
// people write such files too.
func unseal(path string, content []byte) ([]byte, error) {
	body, ok := bytes.CutPrefix(content, []byte(sealed))
	if !ok {
		return content, nil
	}
	box, err := cipherOf(path, false)
	if err != nil {
		return nil, err
	}
	whole, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(body)))
	if err == nil && len(whole) < box.NonceSize() {
		err = errors.New("it is cut")
	}
	if err == nil {
		var open []byte
		if open, err = box.Open(nil, whole[:box.NonceSize()], whole[box.NonceSize():], extra(path)); err == nil {
			return open, nil
		}
	}
	return nil, &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "the secret in " + path + " cannot be opened", Because: "it was sealed with another key, or under another name, or has been changed",
		Remedy: "bring back the key it was sealed with (" + keyFile + " in the data directory), or store the secret again", Err: err,
	}
}

// extra is what a sealed file is bound to.
func extra(path string) []byte { return []byte("sparkwright secret " + filepath.Base(path)) }

func cipherOf(path string, create bool) (cipher.AEAD, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, noKey("the place of the data directory is not known", err)
	}
	key, err := keyOf(filepath.Dir(filepath.Dir(absolute)), create)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, noKey("it has a wrong length", err)
	}
	return cipher.NewGCM(block)
}

func noKey(because string, err error) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeMissing, Message: "the key of the kept secrets cannot be used", Because: because,
		Remedy: "bring back " + keyFile + " of the data directory, or the keyring that it names", Err: err,
	}
}

// keyOf is the key of a data directory; one is made when there is none yet.
func keyOf(home string, create bool) ([]byte, error) {
	path := os.Getenv(keyFileEnv)
	if path == "" {
		path = filepath.Join(home, keyFile)
	}
	text, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if errors.Is(err, fs.ErrNotExist) && create {
		key := make([]byte, keyBytes)
		_, _ = rand.Read(key) // never fails
		made := []byte(base64.StdEncoding.EncodeToString(key) + "\n")
		switch err = link(path, made); {
		case err == nil, errors.Is(err, fs.ErrExist): // another process was faster
			text, err = os.ReadFile(path) //nolint:gosec // the user names the file
		}
	}
	if err != nil {
		return nil, noKey(path+" cannot be read", err)
	}
	info, err := os.Stat(path) //nolint:gosec // the user names the file
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		return nil, noKey("others may read "+path, err)
	}
	said := strings.TrimSpace(string(text))
	if said == inKeyring {
		if said, err = keyring.Get(keyringService, home); err != nil {
			return nil, noKey("it is in the keyring of the operating system, which does not give it", err)
		}
	}
	key, err := base64.StdEncoding.DecodeString(said)
	if err != nil || len(key) != keyBytes {
		return nil, noKey(path+" holds no key", err)
	}
	return key, nil
}

// link makes a file whole or not at all; fs.ErrExist when it is there.
func link(path string, content []byte) error {
	temporary := path + "." + suffix()
	err := writeSynced(temporary, content)
	if err == nil {
		err = os.Link(temporary, path)
	}
	return errors.Join(err, os.Remove(temporary)) //nolint:gosec // beside the file that the user names
}

// ToKeyring moves the key of a data directory into the keyring of the operating
// system. CodeUnavailable when there is none.
func ToKeyring(home string) error {
	home, err := filepath.Abs(home)
	if err != nil {
		return noKey("the place of the data directory is not known", err)
	}
	key, err := keyOf(home, true)
	if err != nil {
		return err
	}
	if err = keyring.Set(keyringService, home, base64.StdEncoding.EncodeToString(key)); err != nil {
		return &sparkwright.Error{
			Code: sparkwright.CodeUnavailable, Message: "the key cannot be moved into the keyring", Because: "the operating system offers none to this session",
			Remedy: "log in to a desktop session, or leave the key in " + keyFile, Err: err,
		}
	}
	if kept, err := keyring.Get(keyringService, home); err != nil || kept != base64.StdEncoding.EncodeToString(key) {
		return noKey("the keyring does not give back what it was given", err)
	}
	return replace(filepath.Join(home, keyFile), []byte(inKeyring+"\n"))
}

// SealAll seals the files below HOME/secrets that are not yet, and returns how
// many there were.
func SealAll(home string) (int, error) {
	dir := filepath.Join(home, "secrets")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, noKey(dir+" cannot be read", err)
	}
	n := 0
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > maxSize {
			continue
		}
		content, err := os.ReadFile(path) //nolint:gosec // in the user's own data directory
		if err != nil {
			return n, noKey(path+" cannot be read", err)
		}
		if bytes.HasPrefix(content, []byte(sealed)) {
			continue
		}
		if err = Write(path, content); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
