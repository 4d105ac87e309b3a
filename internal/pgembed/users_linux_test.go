package pgembed_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/sparkwright/sparkwright/internal/pgembed"
)

// TestOtherUsers runs the server in each way that this user can choose.
func TestOtherUsers(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		// An ordinary user has one way only, which all other tests take.
		return
	}
	t.Run("root without namespaces", func(t *testing.T) {
		t.Parallel()
		o := options(publicDir(t))
		o.NoNamespace = true
		removeElsewhere(t, o.Dir)
		checkOwner(t, o, filepath.Join(o.Dir, "server", "data"), 65534)
	})
	t.Run("root without namespaces in a private directory", func(t *testing.T) {
		t.Parallel()
		o := options(t.TempDir())
		o.NoNamespace = true
		removeElsewhere(t, o.Dir)
		srv := start(t, o)
		if got := ask(t, srv, "SELECT 'works'"); got != "works" {
			t.Error(got)
		}
		info, err := os.Stat(o.Dir)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Errorf("%s was changed: %v, %v", o.Dir, info, err)
		}
	})
	t.Run("root with namespaces", func(t *testing.T) {
		t.Parallel()
		o := options(t.TempDir())
		checkOwner(t, o, filepath.Join(o.Dir, "server", "data"), 0)
	})
	t.Run("root changes the way", func(t *testing.T) {
		t.Parallel()
		o := options(publicDir(t))
		removeElsewhere(t, o.Dir)
		srv := start(t, o)
		_ = ask(t, srv, "CREATE TABLE kept AS SELECT 42 AS answer; SELECT 'made'")
		stop(t, srv)
		o.NoNamespace = true
		srv = start(t, o)
		if got := ask(t, srv, "SELECT answer::text FROM kept"); got != "42" {
			t.Error(got)
		}
		stop(t, srv)
		o.NoNamespace = false
		if got := ask(t, start(t, o), "SELECT answer::text FROM kept"); got != "42" {
			t.Error(got)
		}
	})
	t.Run("ordinary user", func(t *testing.T) { t.Parallel(); checkUser(t, 1) })
	t.Run("ordinary user without a name", func(t *testing.T) { t.Parallel(); checkUser(t, 54321) })
}

// checkUser runs a program that starts a server as that user.
func checkUser(t *testing.T, uid uint32) {
	t.Helper()
	dir := publicDir(t)
	program := filepath.Join(dir, "program")
	copyFile(t, self(t), program)
	theirs := filepath.Join(dir, "home")
	cache := filepath.Join(theirs, "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	jars, _ := filepath.Glob(filepath.Join(cacheDir(), "*.jar"))
	if len(jars) == 0 { // nothing was downloaded yet
		stop(t, start(t, options(t.TempDir())))
		jars, _ = filepath.Glob(filepath.Join(cacheDir(), "*.jar"))
	}
	for _, jar := range jars {
		copyFile(t, jar, filepath.Join(cache, filepath.Base(jar)))
	}
	if err := exec.Command("chown", "-R", fmt.Sprintf("%d:%d", uid, uid), theirs).Run(); err != nil {
		t.Fatal(err)
	}
	cmd := startHelper(t, program, filepath.Join(theirs, "pg"), cache, &syscall.Credential{Uid: uid, Gid: uid})
	data := filepath.Join(theirs, "pg", "server", "data")
	pid := serverPID(t, data)
	if owner := fileOwner(t, "/proc/"+strconv.Itoa(pid)); owner != uid {
		t.Errorf("the server runs as %d", owner)
	}
	_ = cmd.Process.Kill()
	eventually(t, "PostgreSQL ends after its parent", func() bool { return !running(pid) })
	// Root does not take over what a user has made. PostgreSQL may be gone before
	// the killed process is quite: then the directory is in use.
	var err error
	eventually(t, "the directory is free", func() bool {
		_, err = pgembed.Start(t.Context(), options(filepath.Join(theirs, "pg")))
		return err == nil || !strings.Contains(err.Error(), "is in use")
	})
	if err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("start by root: %v", err)
	}
}

// removeElsewhere removes, at the end, the directory that is used when uid
// 65534 may not enter dir or the cache.
func removeElsewhere(t *testing.T, dir string) {
	t.Helper()
	sum := sha256.Sum256([]byte(dir))
	path := "/var/tmp/sparkwright-postgres-" + hex.EncodeToString(sum[:8])
	t.Cleanup(func() { _ = os.RemoveAll(path) })
}

// publicDir is a directory that every user may enter.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "pgembed-test-") //nolint:usetesting // t.TempDir is private to its user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkOwner(t *testing.T, o pgembed.Options, data string, uid uint32) {
	t.Helper()
	srv := start(t, o)
	if got := ask(t, srv, "SELECT 'works'"); got != "works" {
		t.Error(got)
	}
	if owner := fileOwner(t, data); owner != uid {
		t.Errorf("%s belongs to %d, want %d", data, owner, uid)
	}
	if status, err := os.ReadFile("/proc/" + strconv.Itoa(serverPID(t, data)) + "/status"); err != nil || !bytes.Contains(status, []byte("CapEff:\t0000000000000000")) {
		t.Errorf("the server has privileges: %s, %v", status, err)
	}
}

func fileOwner(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o755); err != nil {
		t.Fatal(err)
	}
}
