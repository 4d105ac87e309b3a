package secret_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/zalando/go-keyring"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/secret"
)

// TestSealed: no file of the data directory but the key's helps to read a
// kept secret, and a sealed file is good under its own name only.
func TestSealed(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	path, other := filepath.Join(home, "secrets", "shop"), filepath.Join(home, "secrets", "other")
	for _, p := range []string{path, other, path} {
		if err := secret.Write(p, []byte(hidden+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	got, err := secret.Lookup(t.Context(), "file:"+path)
	check(t, got, err, secret.Value{Credentials: sparkwright.Credentials{Password: hidden}}, "", "")
	content, err := os.ReadFile(path)
	if err != nil || bytes.Contains(content, []byte(hidden)) {
		t.Errorf("the file is not sealed: %v", err)
	}
	for _, p := range []string{path, filepath.Join(home, "secrets.key")} {
		if info, bad := os.Stat(p); bad != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", p, info, bad)
		}
	}
	wrong := func(name, code, because string, change func()) {
		t.Helper()
		change()
		if _, got := secret.Lookup(t.Context(), "file:"+path); string(sparkwright.ErrorCode(got)) != code || !strings.Contains(got.Error(), because) {
			t.Errorf("%s: %v", name, got)
		}
	}
	write := func(p string, content []byte) {
		t.Helper()
		if bad := os.WriteFile(p, content, 0o600); bad != nil {
			t.Fatal(bad)
		}
	}
	elsewhere, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	wrong("another file's content", "invalid", "under another name", func() { write(path, elsewhere) })
	wrong("a changed byte", "invalid", "has been changed", func() {
		changed := bytes.Clone(content)
		changed[30] ^= 1 // behind the words by which a sealed file is known
		write(path, changed)
	})
	wrong("a cut file", "invalid", "has been changed", func() { write(path, content[:30]) })
	key := filepath.Join(home, "secrets.key")
	wrong("another key", "invalid", "another key", func() { write(path, content); write(key, []byte(strings.Repeat("A", 43)+"=\n")) })
	wrong("no key", "missing", "holds no key", func() { write(key, []byte("x\n")) })
	wrong("a key that others may read", "missing", "others may read", func() {
		if err := os.Chmod(key, 0o644); err != nil {
			t.Fatal(err)
		}
	})
	wrong("the key is gone", "missing", "cannot be read", func() {
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
	})
}

// TestOneKey: many that seal at once make one key.
func TestOneKey(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	var all sync.WaitGroup
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		all.Go(func() {
			path := filepath.Join(home, "secrets", name)
			if err := secret.Write(path, []byte(hidden)); err != nil {
				t.Error(err)
			}
			if v, err := secret.Lookup(t.Context(), "file:"+path); err != nil || v.Credentials.Password != hidden {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if left, err := filepath.Glob(filepath.Join(home, "*.*.*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestSealAll(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	path := filepath.Join(home, "secrets", "old")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(hidden+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := secret.SealAll(home); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := secret.SealAll(home); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
	if content, err := os.ReadFile(path); err != nil || bytes.Contains(content, []byte(hidden)) {
		t.Errorf("it is not sealed: %v", err)
	}
	got, err := secret.Lookup(t.Context(), "file:"+path)
	check(t, got, err, secret.Value{Credentials: sparkwright.Credentials{Password: hidden}}, "", "")
	if n, err := secret.SealAll(t.TempDir()); n != 0 || err != nil {
		t.Errorf("nothing there: %d, %v", n, err)
	}
}

// TestKeyring: the key moves into the keyring of the operating system, and
// without it nothing is read.
func TestKeyring(t *testing.T) { //nolint:paralleltest // the keyring's mock is one for all
	home := t.TempDir()
	path := filepath.Join(home, "secrets", "shop")
	if err := secret.Write(path, []byte(hidden)); err != nil {
		t.Fatal(err)
	}
	keyring.MockInitWithError(keyring.ErrUnsupportedPlatform)
	if err := secret.ToKeyring(home); sparkwright.ErrorCode(err) != sparkwright.CodeUnavailable {
		t.Errorf("without a keyring: %v", err)
	}
	keyring.MockInit()
	if err := secret.ToKeyring(home); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(home, "secrets.key")); err != nil || string(content) != "keyring\n" {
		t.Errorf("%q, %v", content, err)
	}
	if v, err := secret.Lookup(t.Context(), "file:"+path); err != nil || v.Credentials.Password != hidden {
		t.Errorf("%v", err)
	}
	keyring.MockInit() // another session's
	if _, err := secret.Lookup(t.Context(), "file:"+path); sparkwright.ErrorCode(err) != sparkwright.CodeMissing {
		t.Errorf("without the entry: %v", err)
	}
}
