package emrserverless

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// clients are the connections that the server has accepted and not closed.
type clients struct {
	mu   sync.Mutex
	open map[net.Conn]struct{}
}

func (c *clients) note(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		if c.open == nil {
			c.open = map[net.Conn]struct{}{}
		}
		c.open[conn] = struct{}{}
	case http.StateClosed, http.StateHijacked:
		delete(c.open, conn)
	case http.StateActive, http.StateIdle:
	}
}

func (c *clients) has(address string) (has bool, others int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if conn.RemoteAddr().String() == address {
			has = true
		} else {
			others++
		}
	}
	return has, others
}

// Settle returns when everything that clients have sent is carried out and
// their connections are closed. It is for the moment after a client has died:
// its last request may still be on its way, and a service that forgets a
// clientToken in that very moment does not exist.
func (s *Server) Settle(ctx context.Context) error {
	// Connections are accepted in the order in which they were made: once this
	// one is, none of a client's is waiting.
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return fmt.Errorf("settle the EMR Serverless emulator: %w", err)
	}
	defer func() { _ = conn.Close() }()
	for {
		has, others := s.clients.has(conn.LocalAddr().String())
		if has && others == 0 {
			return nil
		}
		if !sleep(ctx, 5*time.Millisecond) {
			return fmt.Errorf("settle the EMR Serverless emulator: %d connections are still open: %w", others, ctx.Err())
		}
	}
}
