package emrserverless

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// hole is a loopback address to which connecting takes for ever: its queue of
// connections has room for one, and that one is ours. It is what a service is
// to a subnet without a route to it.
type hole struct {
	addr   string
	socket int
	filled []net.Conn
}

// fillTime is how long a connection must hang to say that the queue is full.
const fillTime = 300 * time.Millisecond

func digHole(ctx context.Context) (*hole, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	h := &hole{socket: fd}
	if err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err == nil {
		err = unix.Listen(fd, 0)
	}
	var name unix.Sockaddr
	if err == nil {
		name, err = unix.Getsockname(fd)
	}
	at, ok := name.(*unix.SockaddrInet4)
	if err != nil || !ok {
		h.close()
		return nil, fmt.Errorf("make an address that does not answer: %w", err)
	}
	h.addr = fmt.Sprintf("127.0.0.1:%d", at.Port)
	for range 16 {
		d := net.Dialer{Timeout: fillTime}
		c, err := d.DialContext(ctx, "tcp", h.addr)
		if err != nil {
			return h, nil //nolint:nilerr // it does not answer any more: that is what we want
		}
		h.filled = append(h.filled, c)
	}
	h.close()
	return nil, fmt.Errorf("make an address that does not answer: the system accepts every connection")
}

func (h *hole) close() {
	for _, c := range h.filled {
		_ = c.Close()
	}
	_ = unix.Close(h.socket)
}
