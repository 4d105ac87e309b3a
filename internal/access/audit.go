package access

import (
	"context"
	"strings"
	"sync"
	"time"
)

// Entry is one line of the audit log. It names what was done, never what was
// in it: no question, no code, no value, no secret.
type Entry struct {
	Number  int64     `json:"number"`
	At      time.Time `json:"at"`
	User    string    `json:"user"` // "" = the local user
	Name    string    `json:"name,omitempty"`
	Role    Role      `json:"role,omitempty"`
	Way     Way       `json:"way,omitempty"`
	Address string    `json:"address,omitempty"` // that the request came from
	Action  string    `json:"action"`            // the route: POST /api/v1/runs
	Object  string    `json:"object,omitempty"`  // what the path names: a run, a connection
	Status  int       `json:"status"`
	Note    string    `json:"note,omitempty"` // which settings, which connection
	Request string    `json:"request_id,omitempty"`
}

// Note is what a handler adds to the audit entry of its request.
type Note struct {
	mu   sync.Mutex
	text []string
}

// String is everything that was added.
func (n *Note) String() string {
	if n == nil {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.text, "; ")
}

type noteKey struct{}

// WithNote returns a context in which handlers add to n.
func WithNote(ctx context.Context, n *Note) context.Context {
	return context.WithValue(ctx, noteKey{}, n)
}

// Add adds to the audit entry of the request that ctx belongs to: names and
// keys, never values.
func Add(ctx context.Context, text string) {
	n, ok := ctx.Value(noteKey{}).(*Note)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.text) < 20 {
		n.text = append(n.text, text)
	}
}
