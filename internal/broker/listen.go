package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sparkwright/sparkwright/internal/sandbox"
)

// listen makes a run's way: a loopback port, or a socket of the directory that
// sandboxes know.
func listen(ctx context.Context, sockets string) (l net.Listener, host string, port int, err error) {
	var lc net.ListenConfig
	if sockets == "" {
		if l, err = lc.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return nil, "", 0, err
		}
		return l, "127.0.0.1", l.Addr().(*net.TCPAddr).Port, nil //nolint:forcetypeassert // a TCP listener has no other
	}
	for range 100 {
		var b [3]byte
		_, _ = rand.Read(b[:])
		if b[0] == 0 || b[2] == 0 || b[2] == 255 { // 127.0.0.1 and what looks like a network
			continue
		}
		host = net.IPv4(127, b[0], b[1], b[2]).String()
		path := filepath.Join(sockets, host)
		l, err = lc.Listen(ctx, "unix", path)
		if errors.Is(err, syscall.EADDRINUSE) { // another run's, or left by a crash
			continue
		}
		if err != nil {
			return nil, "", 0, err
		}
		if err = os.Chmod(path, 0o600); err != nil {
			_ = l.Close()
			return nil, "", 0, err
		}
		return l, host, sandbox.Port, nil
	}
	return nil, "", 0, fmt.Errorf("no free name in %s: %w", sockets, err)
}
