package secret

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// Files keeps the secrets of connections in files that only their owner may
// read, one each.
type Files struct{ Dir string }

// keptName is a file that Keep has made.
var keptName = regexp.MustCompile(`^[A-Za-z0-9_-]+-[0-9a-f]{8}\.json$`)

// Keep stores a secret of a connection and returns its reference. Every call
// makes a new file: what reads the old one is not disturbed.
func (f Files) Keep(_ context.Context, connection string, content []byte) (string, error) {
	name := connection + "-" + suffix() + ".json"
	if !keptName.MatchString(name) {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the name of a connection must be 1 to 63 letters, digits, _ or -")
	}
	path := filepath.Join(f.Dir, name)
	if err := Write(path, content); err != nil {
		return "", err
	}
	return "file:" + path, nil
}

func writeSynced(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the name has been checked
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

// Forget removes a file that Keep has made; anything else is left alone.
func (f Files) Forget(_ context.Context, reference string) error {
	path, ok := strings.CutPrefix(reference, "file:")
	if !ok || filepath.Dir(path) != filepath.Clean(f.Dir) || !keptName.MatchString(filepath.Base(path)) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// suffix makes the name of a secret its own.
func suffix() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
