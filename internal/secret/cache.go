package secret

import (
	"context"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Cache believes what it has found for a while, so that AWS is not asked for
// every query. It is safe for concurrent use.
type Cache struct {
	life time.Duration
	now  func() time.Time

	mu    sync.Mutex
	known map[sparkwright.Connection]*entry
}

type entry struct {
	mu   sync.Mutex // held while AWS is asked: many callers, one request
	conn sparkwright.Connection
	cred sparkwright.Credentials
	read time.Time // zero = nothing is known
}

// NewCache returns a cache whose values are believed that long. now is the
// clock; nil = the real one.
func NewCache(life time.Duration, now func() time.Time) *Cache {
	if now == nil {
		now = time.Now
	}
	return &Cache{life: life, now: now, known: map[sparkwright.Connection]*entry{}}
}

// Complete is the package's Complete, from memory where it is young enough.
func (c *Cache) Complete(ctx context.Context, conn sparkwright.Connection) (sparkwright.Connection, sparkwright.Credentials, error) {
	e := c.entry(conn)
	e.mu.Lock()
	defer e.mu.Unlock()
	life := c.life
	if conn.AuthMethod == sparkwright.AuthIAM {
		life = min(life, tokenLife)
	}
	if !e.read.IsZero() && c.now().Sub(e.read) < life {
		return e.conn, e.cred, nil
	}
	at := c.now()
	full, cred, err := Complete(ctx, conn)
	if err != nil {
		e.read = time.Time{}
		return full, cred, err
	}
	e.conn, e.cred, e.read = full, cred, at
	return full, cred, nil
}

// Refused says that the database has refused cred. It returns what the secret
// holds now; changed is false when that is the same, and trying again makes no
// sense.
func (c *Cache) Refused(ctx context.Context, conn sparkwright.Connection, cred sparkwright.Credentials) (_ sparkwright.Credentials, changed bool, err error) {
	e := c.entry(conn)
	e.mu.Lock()
	if e.cred == cred { // another caller may have been faster
		e.read = time.Time{}
	}
	e.mu.Unlock()
	_, fresh, err := c.Complete(ctx, conn)
	return fresh, err == nil && fresh != cred, err
}

func (c *Cache) entry(conn sparkwright.Connection) *entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.known[conn]
	if e == nil {
		e = &entry{}
		c.known[conn] = e
	}
	return e
}
