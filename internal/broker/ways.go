package broker

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
)

// Ways implements sparkwright.Ways on a Broker.
type Ways struct {
	Broker *Broker
	Limits Limits
	// Login is how to reach the database of a connection. It is asked once for
	// each run and connection.
	Login func(ctx context.Context, connection string) (*pgconn.Config, error)
	// Explain turns what the driver says into an error for people.
	Explain func(ctx context.Context, connection string, err error) error
}

var _ sparkwright.Ways = (*Ways)(nil)

// Begin implements sparkwright.Ways.
func (w *Ways) Begin(ctx context.Context, runID, connection string) (sparkwright.Way, error) {
	s, err := w.begin(ctx, runID, connection)
	if err != nil {
		return sparkwright.Way{}, err
	}
	return sparkwright.Way{JDBCURL: s.JDBCURL(), Login: s.Login(), Snapshot: s.Snapshot(), Connections: s.lim.Connections - 1, Pages: s.Snapshot().ID != "" && s.version >= 14, Notes: s.Notes()}, nil
}

func (w *Ways) begin(ctx context.Context, runID, connection string) (*Session, error) {
	cfg, err := w.Login(ctx, connection)
	if err != nil {
		return nil, err
	}
	s, err := w.Broker.Begin(ctx, runID, connection, cfg, w.Limits)
	if err != nil {
		return nil, w.Explain(ctx, connection, err)
	}
	return s, nil
}

// Query implements sparkwright.Ways.
func (w *Ways) Query(ctx context.Context, runID, connection, sql string, limit time.Duration) ([][]*string, error) {
	for _, s := range w.Broker.Sessions(runID) {
		if s.Name() == connection {
			return s.Query(ctx, sql, limit)
		}
	}
	return nil, fmt.Errorf("run %s has no way to %s", runID, connection)
}

// Cancel implements sparkwright.Ways.
func (w *Ways) Cancel(runID string) { w.Broker.Cancel(runID) }

// End implements sparkwright.Ways.
func (w *Ways) End(ctx context.Context, runID string) ([]sparkwright.Statement, error) {
	return w.Broker.End(ctx, runID)
}
