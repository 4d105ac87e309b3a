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
	// Login is how to reach the database of a connection now. It is asked for
	// each connection that is opened.
	Login func(ctx context.Context, connection string) (*pgconn.Config, error)
	// Explain turns what the driver says into an error for people.
	Explain func(ctx context.Context, connection string, err error) error
}

var _ sparkwright.Ways = (*Ways)(nil)

// Begin implements sparkwright.Ways.
func (w *Ways) Begin(ctx context.Context, runID, connection string, tables []sparkwright.Relation) (sparkwright.Way, error) {
	s, err := w.begin(ctx, runID, connection, tables)
	if err != nil {
		return sparkwright.Way{}, err
	}
	return sparkwright.Way{JDBCURL: s.JDBCURL(), Login: s.Login(), Snapshot: s.Snapshot(), Connections: s.lim.Connections - 1, Pages: s.Snapshot().ID != "" && s.version >= 14, Notes: s.Notes()}, nil
}

func (w *Ways) begin(ctx context.Context, runID, connection string, tables []sparkwright.Relation) (*Session, error) {
	// An error of the login itself is told as it is.
	if _, err := w.Login(ctx, connection); err != nil {
		return nil, err
	}
	login := func(ctx context.Context) (*pgconn.Config, error) { return w.Login(ctx, connection) }
	lim := w.Limits
	lim.Tables = append([]sparkwright.Relation{}, tables...) // none is not any
	s, err := w.Broker.BeginLogin(ctx, runID, connection, login, lim)
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
