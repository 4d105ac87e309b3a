package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/sqlguard"
)

// Limits bound what one run may do to one database. The zero value is the
// default of each.
type Limits struct {
	Connections      int           // at once, the exporting one included; default 8, least 3
	Rows             int64         // read in all; 0 = any number
	Bytes            int64         // read in all; 0 = any number
	StatementTimeout time.Duration // of one statement; 0 = none
	LockTimeout      time.Duration // default 30 s
	SnapshotAge      time.Duration // after which the run is stopped: old snapshots keep dead rows; default 1 h
	Guard            Guard
	Wait             time.Duration // for a free connection; default 1 min
	// Tables are the relations that statements may read; nil = any that is not
	// the system's.
	Tables []sparkwright.Relation
}

func (l Limits) withDefaults() Limits {
	if l.Connections <= 0 {
		l.Connections = 8
	}
	l.Connections = max(l.Connections, 3)
	if l.LockTimeout <= 0 {
		l.LockTimeout = 30 * time.Second
	}
	if l.SnapshotAge <= 0 {
		l.SnapshotAge = time.Hour
	}
	if l.Wait <= 0 {
		l.Wait = time.Minute
	}
	return l
}

// Broker keeps the sessions of all runs. It is safe for concurrent use.
type Broker struct {
	log *slog.Logger
	// sockets is the directory in which sandboxes find their ways; "" = ways
	// are loopback ports.
	sockets string

	mu   sync.Mutex
	runs map[string][]*Session
}

// New returns a Broker without sessions. Its ways are loopback ports.
func New(log *slog.Logger) *Broker { return &Broker{log: log, runs: map[string][]*Session{}} }

// Warm makes ready what judges statements. It takes about a second.
func Warm() { sqlguard.Warm() }

// NewInside returns a Broker whose ways are reached from sandboxes only: each is
// a socket of the directory, which is named by the loopback address that it has
// there.
func NewInside(log *slog.Logger, sockets string) *Broker {
	b := New(log)
	b.sockets = sockets
	return b
}

// Begin opens the run's way to a database, or returns the one that is open. cfg
// holds the real login and TLS; its run-time parameters are not used. name is
// the connection's.
func (b *Broker) Begin(ctx context.Context, runID, name string, cfg *pgconn.Config, lim Limits) (*Session, error) {
	return b.BeginLogin(ctx, runID, name, func(context.Context) (*pgconn.Config, error) { return cfg, nil }, lim)
}

// Login is how to reach a database now. Each connection asks: a token of IAM is
// good for a quarter of an hour, a password may be another one tomorrow.
type Login func(ctx context.Context) (*pgconn.Config, error)

// BeginLogin is Begin with a login that changes.
func (b *Broker) BeginLogin(ctx context.Context, runID, name string, login Login, lim Limits) (*Session, error) {
	b.mu.Lock()
	for _, s := range b.runs[runID] {
		if s.name == name {
			b.mu.Unlock()
			s.allow(lim.Tables)
			return s, nil
		}
	}
	b.mu.Unlock()
	s, err := open(ctx, runID, name, login, lim.withDefaults(), b.sockets, b.log)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs[runID] = append(b.runs[runID], s)
	return s, nil
}

// Sessions are the run's open ways.
func (b *Broker) Sessions(runID string) []*Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*Session(nil), b.runs[runID]...)
}

// Cancel ends what the run does in its databases. Safe to call for any run.
func (b *Broker) Cancel(runID string) {
	for _, s := range b.Sessions(runID) {
		s.Cancel()
	}
}

// End closes the run's ways and returns what PostgreSQL ran for it. Safe to
// call for a run without any.
func (b *Broker) End(ctx context.Context, runID string) ([]sparkwright.Statement, error) {
	b.mu.Lock()
	sessions := b.runs[runID]
	delete(b.runs, runID)
	b.mu.Unlock()
	var all []sparkwright.Statement
	var errs []error
	for _, s := range sessions {
		errs = append(errs, s.Close(ctx))
		all = append(all, s.Statements()...)
	}
	return all, errors.Join(errs...)
}

// Close ends every run's ways.
func (b *Broker) Close(ctx context.Context) {
	b.mu.Lock()
	ids := make([]string, 0, len(b.runs))
	for id := range b.runs {
		ids = append(ids, id)
	}
	b.mu.Unlock()
	for _, id := range ids {
		_, _ = b.End(ctx, id) // what cannot be reached has ended
	}
}
