package main

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/session"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/files"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// catalogTTL is how long a catalog is believed. A table that is dropped
// meanwhile fails the run with a clear fault.
const catalogTTL = 30 * time.Second

// login is a connection with its credentials.
type login struct {
	conn sparkwright.Connection
	cred sparkwright.Credentials
	// asked is the connection before its secret completed it, where there is one
	// that may change.
	asked *sparkwright.Connection
}

// databases finds databases among the configured connections, those given on
// the command line, and the demo's.
type databases struct {
	home     string
	settings *settings.Settings // as they were at the start
	say      func(string)
	secrets  *secret.Cache

	configuration configuration
	// sessions tells whose uploads a handle names; nil = everybody's.
	sessions session.Store

	mu    sync.Mutex
	open  map[string]*database
	extra map[string]login // by --url
	demo  *demoServer
}

var _ supervisor.Databases = (*databases)(nil)

// conf is the settings as they are now: a connection may have been saved since
// this process has started.
func (d *databases) conf() *settings.Settings {
	if now, err := d.configuration.Load(); err == nil {
		return now
	}
	return d.settings
}

// Names implements supervisor.Databases.
func (d *databases) Names(ctx context.Context) ([]string, error) {
	var names []string
	for name := range d.extra { // what is typed comes before what is configured
		names = append(names, name)
	}
	typed := len(names) > 0
	conf := d.conf() //nolint:contextcheck // it has a time limit of its own
	for _, c := range conf.Connections() {
		if !typed && access.MayUse(ctx, conf.OwnerOf(c.Name)) {
			names = append(names, c.Name)
		}
	}
	if _, err := conf.Connection(demoName); err != nil && demoInstalled(d.home) && !typed {
		names = append(names, demoName)
	}
	if _, err := os.Stat(uploadsDir(d.home)); err == nil || len(d.fileTables(ctx)) > 0 {
		names = append(names, files.Connection)
	}
	return names, nil
}

// saved are the connections of everybody. The demo's server is not started for
// them.
func (d *databases) saved(context.Context) []string {
	var names []string
	for _, c := range d.conf().Connections() { //nolint:contextcheck // it has a time limit of its own
		names = append(names, c.Name)
	}
	return names
}

// Open implements supervisor.Databases.
func (d *databases) Open(ctx context.Context, name string) (supervisor.Database, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	base, _, _ := strings.Cut(name, "/")
	conf := d.conf()                  //nolint:contextcheck // it has a time limit of its own
	saved, _ := conf.Connection(base) // the zero value for one that is not in the settings
	if !access.MayUse(ctx, conf.OwnerOf(base)) {
		return nil, d.absent(ctx, name)
	}
	if db := d.open[name]; db != nil && db.saved == saved {
		return db, nil
	}
	if name == files.Connection {
		return fileDatabase{registry: d.registry()}, nil
	}
	if handle, ok := uploadsOf(name); ok {
		if who, known := access.From(ctx); known && who.User != "" && d.sessions != nil {
			if _, err := d.sessions.Session(ctx, who.User, "", handle); err != nil { // somebody else's
				return nil, d.absent(ctx, name)
			}
		}
		return d.uploads(handle), nil
	}
	l, err := d.login(ctx, name)
	if err != nil {
		return nil, err
	}
	db := &database{login: l, saved: saved, secrets: d.secrets}
	d.open[name] = db
	return db, nil
}

// login finds a connection. NAME/DATABASE is another database on the same
// server, as clients of the reference contract may select.
func (d *databases) login(ctx context.Context, name string) (login, error) {
	if l, ok := d.extra[name]; ok {
		return l, nil
	}
	if base, database, ok := strings.Cut(name, "/"); ok {
		l, err := d.login(ctx, base)
		l.conn.Name, l.conn.Database = name, database
		return l, err
	}
	conn, err := d.conf().Connection(name) //nolint:contextcheck // it has a time limit of its own
	if err != nil && name == demoName && demoInstalled(d.home) {
		return d.startDemo(ctx, d.say)
	}
	if err != nil {
		return login{}, d.absent(ctx, name)
	}
	asked := conn
	conn, cred, err := d.secrets.Complete(ctx, asked)
	if err != nil {
		return login{}, err
	}
	return login{conn: conn, cred: cred, asked: &asked}, nil
}

// absent says that there is no such connection for the one who asks.
func (d *databases) absent(ctx context.Context, name string) error {
	names, _ := d.Names(ctx)
	e := &sparkwright.Error{Code: sparkwright.CodeNotFound, Message: "there is no connection \"" + name + "\"", Remedy: "sparkwright connections list"}
	if near := postgres.Nearest(name, names, 3); len(near) > 0 {
		e.Because = "nearest: " + near[0]
	}
	return e
}

func (d *databases) close(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.demo != nil {
		d.demo.stop(ctx)
		d.demo = nil
	}
}

// config is how the broker logs in to the database of a connection.
func (d *databases) config(ctx context.Context, name string) (*pgconn.Config, error) {
	l, err := d.opened(ctx, name)
	if err != nil {
		return nil, err
	}
	cfg, err := postgres.Config(l.conn, l.cred)
	if err != nil {
		return nil, err
	}
	return &cfg.Config, nil
}

// explain turns what the driver says of a connection into an error for people.
func (d *databases) explain(ctx context.Context, name string, err error) error {
	l, e := d.opened(ctx, name)
	if e != nil {
		return e
	}
	return postgres.Interpret(l.conn, err)
}

func (d *databases) opened(ctx context.Context, name string) (login, error) {
	db, err := d.Open(ctx, name)
	if err != nil {
		return login{}, err
	}
	return db.(*database).login, nil //nolint:forcetypeassert // Open makes no other
}

// database implements supervisor.Database on source/postgres.
type database struct {
	login
	saved sparkwright.Connection // as the settings had it then

	secrets *secret.Cache
	access  sync.Mutex // guards cred

	mu      sync.Mutex
	catalog *sparkwright.Catalog
	read    time.Time
}

var _ supervisor.Database = (*database)(nil)

// Catalog implements supervisor.Database.
func (d *database) Catalog(ctx context.Context) (*sparkwright.Catalog, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.catalog != nil && time.Since(d.read) < catalogTTL {
		return d.catalog, nil
	}
	src, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	c, err := src.Catalog(ctx, postgres.Filter{})
	if err != nil {
		return nil, err
	}
	d.catalog, d.read = c, time.Now()
	return c, nil
}

// JDBCURL implements supervisor.Database.
func (d *database) JDBCURL(runID string) (string, error) {
	return postgres.JDBCURL(d.conn, "sparkwright/"+runID)
}

// Credentials implements supervisor.Database.
func (d *database) Credentials() sparkwright.Credentials {
	if d.asked == nil || d.secrets == nil {
		return d.cred
	}
	ctx, cancel := context.WithTimeout(context.Background(), secretTime)
	defer cancel()
	_, fresh, err := d.secrets.Complete(ctx, *d.asked) // an IAM token does not last
	d.access.Lock()
	defer d.access.Unlock()
	if err == nil {
		d.cred = fresh
	}
	return d.cred
}

// secretTime bounds how long a secret is read beside a run.
const secretTime = 20 * time.Second

// dial logs in. A login that is refused is read once more: it may have been
// changed since.
func (d *database) dial(ctx context.Context) (*postgres.Source, error) {
	d.access.Lock()
	cred := d.cred
	d.access.Unlock()
	src, err := postgres.Open(ctx, d.conn, cred)
	if sparkwright.ErrorCode(err) != sparkwright.CodeUnauthorized || d.asked == nil || d.secrets == nil {
		return src, err
	}
	fresh, changed, lookErr := d.secrets.Refused(ctx, *d.asked, cred)
	if lookErr != nil || !changed {
		return nil, err
	}
	d.access.Lock()
	d.cred = fresh
	d.access.Unlock()
	return postgres.Open(ctx, d.conn, fresh)
}

// CancelRun implements supervisor.Database.
func (d *database) CancelRun(ctx context.Context, runID string) error {
	src, err := d.dial(ctx)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = src.CancelRun(ctx, runID)
	return err
}

// Runs implements supervisor.Reapable.
func (d *database) Runs(ctx context.Context) ([]string, error) {
	src, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return src.Runs(ctx)
}

// EndRun implements supervisor.Reapable.
func (d *database) EndRun(ctx context.Context, runID string) (int, error) {
	src, err := d.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer src.Close()
	return src.EndRun(ctx, runID)
}
