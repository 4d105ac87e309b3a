package doctor

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// database is one connection that is looked at. Its session is shared by the
// checks, which take turns.
type database struct {
	conn  sparkwright.Connection // as it is in the settings
	login func(context.Context) (*login, error)

	mu      sync.Mutex
	session *pgx.Conn
	failed  error
}

// login is a connection with everything that its secret adds.
type login struct {
	conn sparkwright.Connection
	cred sparkwright.Credentials
}

func newDatabase(c Config, conn sparkwright.Connection) *database {
	d := &database{conn: conn}
	d.login = once(func(ctx context.Context) (*login, error) {
		full, cred, err := c.Login(ctx, conn)
		return &login{full, cred}, err
	})
	return d
}

// close closes the shared session, when all checks have been made.
func (d *database) close(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = d.session.Close(ctx) // there is nothing to lose
	d.session = nil
}

// query runs f in a read-only transaction of the shared session.
func (d *database) query(ctx context.Context, f func(tx pgx.Tx) error) (err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session == nil && d.failed == nil {
		d.session, d.failed = d.open(ctx)
	}
	if d.failed != nil {
		return d.failed
	}
	tx, err := d.session.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	err = f(tx)
	return errors.Join(err, tx.Rollback(context.WithoutCancel(ctx)))
}

func (d *database) open(ctx context.Context) (*pgx.Conn, error) {
	l, err := d.login(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := postgres.Config(l.conn, l.cred)
	if err != nil {
		return nil, err
	}
	// Also through a pooler in transaction mode.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.RuntimeParams["application_name"] = "sparkwright/doctor"
	return pgx.ConnectConfig(ctx, cfg)
}
