package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketDir leaves room for a name in the 108 bytes of a socket's address.
const maxSocketDir = 80

// SocketDir makes the directory of sockets that belongs to a data directory,
// for its user alone, and removes what crashed processes have left in it.
func SocketDir(ctx context.Context, home string) (string, error) {
	dir := filepath.Join(home, "sockets")
	if len(dir) > maxSocketDir {
		sum := sha256.Sum256([]byte(dir))
		dir = filepath.Join(os.TempDir(), "sparkwright-"+hex.EncodeToString(sum[:8]))
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", fmt.Errorf("make the directory of sockets: %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("make the directory of sockets: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("look at the directory of sockets: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || info.Mode().Perm()&0o077 != 0 || int(stat.Uid) != os.Geteuid() {
		return "", fmt.Errorf("others could use %s: remove it", dir)
	}
	removeDead(ctx, dir)
	return dir, nil
}

// removeDead removes sockets that nobody serves.
func removeDead(ctx context.Context, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if err == nil {
			_ = conn.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.Remove(path)
		}
	}
}
