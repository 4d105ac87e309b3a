package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
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
}

// databases finds databases among the configured connections, those given on
// the command line, and the demo's.
type databases struct {
	home     string
	settings *settings.Settings
	say      func(string)

	mu    sync.Mutex
	open  map[string]*database
	extra map[string]login // by --url
	demo  *demoServer
}

var _ supervisor.Databases = (*databases)(nil)

// Names implements supervisor.Databases.
func (d *databases) Names(context.Context) ([]string, error) {
	var names []string
	for name := range d.extra {
		names = append(names, name)
	}
	if len(names) > 0 {
		return names, nil // what is typed comes before what is configured
	}
	for _, c := range d.settings.Connections() {
		names = append(names, c.Name)
	}
	if _, err := d.settings.Connection(demoName); err != nil && demoInstalled(d.home) {
		names = append(names, demoName)
	}
	return names, nil
}

// Open implements supervisor.Databases.
func (d *databases) Open(ctx context.Context, name string) (supervisor.Database, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if db := d.open[name]; db != nil {
		return db, nil
	}
	l, err := d.login(ctx, name)
	if err != nil {
		return nil, err
	}
	db := &database{login: l}
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
	conn, err := d.settings.Connection(name)
	if err != nil && name == demoName && demoInstalled(d.home) {
		return d.startDemo(ctx)
	}
	if err != nil {
		names, _ := d.Names(ctx)
		e := &sparkwright.Error{Code: sparkwright.CodeNotFound, Message: "there is no connection \"" + name + "\"", Remedy: "sparkwright connections list"}
		if near := postgres.Nearest(name, names, 3); len(near) > 0 {
			e.Because = "nearest: " + near[0]
		}
		return login{}, e
	}
	conn, cred, err := secret.Complete(ctx, conn)
	if err != nil {
		return login{}, err
	}
	return login{conn: conn, cred: cred}, nil
}

func (d *databases) close(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.demo != nil {
		d.demo.stop(ctx)
		d.demo = nil
	}
}

// database implements supervisor.Database on source/postgres.
type database struct {
	login

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
	src, err := postgres.Open(ctx, d.conn, d.cred)
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
func (d *database) Credentials() sparkwright.Credentials { return d.cred }

// CancelRun implements supervisor.Database.
func (d *database) CancelRun(ctx context.Context, runID string) error {
	src, err := postgres.Open(ctx, d.conn, d.cred)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = src.CancelRun(ctx, runID)
	return err
}
