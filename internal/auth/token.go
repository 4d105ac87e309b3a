// Package auth finds out who sends a request to the server: by the token of
// this installation, by the cookie of a page that was opened with a one-time
// link, or by an OpenID Connect provider.
//
// Whoever holds the token is the local user and an administrator: it is a file
// that only the user who runs the server can read. People of a provider are
// users of their own. Cookies name sessions that the store keeps under a hash.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

// TokenFile is where the token is, below the data directory.
const TokenFile = "token"

// tokenBytes are 256 bits.
const tokenBytes = 32

var tokenForm = regexp.MustCompile(`^sw_[A-Za-z0-9_-]{43}$`)

// Tokens is the token of an installation. It is safe for concurrent use, also
// by several processes: a rotated token counts at once.
type Tokens struct {
	path string

	mu   sync.Mutex
	read time.Time // modification time of what is known
	size int64
	sum  [sha256.Size]byte
}

// NewTokens returns the token of a data directory.
func NewTokens(home string) *Tokens { return &Tokens{path: filepath.Join(home, TokenFile)} }

// Show returns the token, and makes one when there is none.
func (t *Tokens) Show() (string, error) {
	token, _, err := t.load()
	if errors.Is(err, fs.ErrNotExist) {
		return t.Rotate()
	}
	return token, t.explain(err)
}

// Rotate replaces the token. The one before is worth nothing from now on.
func (t *Tokens) Rotate() (string, error) {
	token := "sw_" + Random()
	temporary := t.path + "." + Random()[:8]
	err := os.MkdirAll(filepath.Dir(t.path), 0o700)
	if err == nil {
		err = os.WriteFile(temporary, []byte(token+"\n"), 0o600)
	}
	if err == nil {
		err = os.Rename(temporary, t.path)
	}
	if err != nil {
		return "", t.explain(errors.Join(err, ignoreAbsent(os.Remove(temporary))))
	}
	return token, nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Right reports whether it is the token.
func (t *Tokens) Right(token string) bool {
	info, err := os.Stat(t.path)
	if err != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !info.ModTime().Equal(t.read) || info.Size() != t.size {
		known, at, err := t.load()
		if err != nil {
			return false
		}
		t.sum, t.read, t.size = sha256.Sum256([]byte(known)), at, info.Size()
	}
	given := sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(given[:], t.sum[:]) == 1
}

var errForm = errors.New("it holds no token")

// load reads the file. One that others may read is not believed.
func (t *Tokens) load() (string, time.Time, error) {
	info, err := os.Stat(t.path)
	if err != nil {
		return "", time.Time{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", time.Time{}, fs.ErrPermission
	}
	content, err := os.ReadFile(t.path)
	if err != nil {
		return "", time.Time{}, err
	}
	token := strings.TrimSpace(string(content))
	if !tokenForm.MatchString(token) {
		return "", time.Time{}, errForm
	}
	return token, info.ModTime(), nil
}

func (t *Tokens) explain(err error) error {
	if err == nil {
		return nil
	}
	e := &sparkwright.Error{Code: sparkwright.CodeResource, Message: "the token in " + t.path + " cannot be used", Because: "the file cannot be read or written", Remedy: "check the data directory", Err: err}
	switch {
	case errors.Is(err, errForm):
		e.Because, e.Remedy = "it holds no token", "sparkwright token rotate"
	case errors.Is(err, fs.ErrPermission):
		e.Code, e.Because, e.Remedy = sparkwright.CodeUnauthorized, "others may read it", "sparkwright token rotate makes another one that only you can read"
	}
	return e
}

// Random is 256 random bits, as text for URLs and headers.
func Random() string {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
