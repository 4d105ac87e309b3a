package sandbox

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"
)

// Forward serves a listener: each connection is copied to and from the one that
// dial makes for the address it came to. It returns when the listener is closed.
func Forward(l net.Listener, dial func(to net.Addr) (net.Conn, error)) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // of one connection, or out of files for now
			<-time.After(10 * time.Millisecond)
			continue
		}
		go func() {
			defer conn.Close() //nolint:errcheck // nothing is left to be written
			far, err := dial(conn.LocalAddr())
			if err != nil {
				return
			}
			defer far.Close() //nolint:errcheck // as above
			join(conn, far)
		}()
	}
}

// join copies both ways until both have ended.
func join(a, b net.Conn) {
	var wg sync.WaitGroup
	one := func(to, from net.Conn) {
		if _, err := io.Copy(to, from); err != nil {
			_ = to.Close()
			_ = from.Close()
			return
		}
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}
	wg.Go(func() { one(a, b) })
	wg.Go(func() { one(b, a) })
	wg.Wait()
}

// Port is where programs inside find what is served by sockets of a directory:
// at 127.x.y.z, the name of the socket.
const Port = 5432

// Sockets dials the socket of a directory that is named like the address.
func Sockets(dir string) func(to net.Addr) (net.Conn, error) {
	return func(to net.Addr) (net.Conn, error) {
		host, _, err := net.SplitHostPort(to.String())
		if err != nil {
			return nil, err
		}
		ip := net.ParseIP(host)
		if ip == nil || !ip.IsLoopback() {
			return nil, errors.New("not a loopback address")
		}
		d := net.Dialer{Timeout: 10 * time.Second}
		return d.DialContext(context.Background(), "unix", filepath.Join(dir, ip.String()))
	}
}
