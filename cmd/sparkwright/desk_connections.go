package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// Connections implements api.Connections.
func (d *desk) Connections(ctx context.Context) ([]api.Connection, error) {
	s, err := d.app.databases.configuration.Load() //nolint:contextcheck // it has a time limit of its own
	if err != nil {
		return nil, err
	}
	var out []api.Connection
	seen := map[string]bool{}
	for i := range s.Postgres.Connections {
		c := &s.Postgres.Connections[i]
		if !seen[c.Name] {
			seen[c.Name] = true
			if !access.MayUse(ctx, c.Owner) && !access.MayChange(ctx, c.Owner) {
				continue
			}
			out = append(out, wireConnection(c))
		}
	}
	if !seen[demoName] && demoInstalled(d.app.home) {
		out = append(out, api.Connection{Name: demoName, Description: "the demo data; its PostgreSQL starts when it is asked", Enabled: true, HasSecret: true, Demo: true})
	}
	return out, nil
}

func wireConnection(c *settings.Connection) api.Connection {
	w := c.Domain()
	return api.Connection{
		Name: c.Name, Description: c.Description, Enabled: c.Enabled, Host: w.Host, Port: w.Port, Database: w.Database, User: w.User,
		AuthMethod: w.AuthMethod, TLS: w.TLS, RootCert: w.RootCert, HasSecret: w.Secret != "",
	}
}

// meant is the connection that a client describes. References to this
// machine's environment and files are for those who can log in to it: a client
// of the API could have their content sent to a host of its own.
func meant(ctx context.Context, change *api.ConnectionChange, private bool) (sparkwright.Connection, error) {
	c := sparkwright.Connection{
		Name: change.Name, Host: change.Host, Port: change.Port, Database: change.Database, User: change.User, Secret: change.Secret,
		AuthMethod: sparkwright.AuthMethod(change.AuthMethod), TLS: sparkwright.TLSMode(change.TLS), RootCert: change.RootCert,
	}
	if c.Secret != "" && !strings.HasPrefix(c.Secret, "aws-sm:") {
		return c, &sparkwright.Error{
			Code: sparkwright.CodeUnauthorized, Message: "a secret of this machine cannot be named over HTTP",
			Remedy: "send the password itself, or aws-sm:ARN, or use sparkwright connections add on the machine",
		}
	}
	if !access.MayChange(ctx, "") {
		// A path of this machine, or a login of this server that would be sent to a
		// host of the client's: only what the client brings along is taken.
		if c.RootCert != "" || c.Secret != "" || c.AuthMethod != sparkwright.AuthUserPassword {
			return c, access.Denied(access.Admin)
		}
		c.Outside = !private
	}
	return c, postgres.Validate(c)
}

// PutConnection implements api.Connections.
func (d *desk) PutConnection(ctx context.Context, change api.ConnectionChange, mustBeNew bool) (*api.Connection, error) {
	c, err := meant(ctx, &change, false)
	if err != nil {
		return nil, err
	}
	access.Add(ctx, "connection "+c.Name)
	a := d.app
	var out api.Connection
	err = a.databases.configuration.Update(func(s *settings.Settings) error { //nolint:contextcheck // it has a time limit of its own
		old, unknown := s.Connection(c.Name)
		known := unknown == nil
		owner, denied := access.Ownership(ctx, c.Name, known, s.OwnerOf(c.Name))
		if denied != nil {
			return denied
		}
		if known && mustBeNew {
			return &sparkwright.Error{Code: sparkwright.CodeConflict, Message: "there is a connection named " + c.Name, Remedy: "replace it with PUT"}
		}
		switch {
		case change.Password != "":
			var failed error
			if c.Secret, failed = a.writeSecret(c.Name, change.Password); failed != nil {
				return failed
			}
		case c.Secret == "" && known && samePlace(old, c):
			c.Secret = old.Secret
		}
		if failed := s.PutConnection(c); failed != nil {
			return failed
		}
		s.Own(c.Name, owner)
		for i := range s.Postgres.Connections {
			if s.Postgres.Connections[i].Name == c.Name {
				out = wireConnection(&s.Postgres.Connections[i])
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// writeSecret keeps a secret in a file of its own and returns the reference.
func (a *app) writeSecret(name, value string) (string, error) {
	path := filepath.Join(a.home, "secrets", name)
	if err := secret.Write(path, []byte(value+"\n")); err != nil {
		return "", err
	}
	return "file:" + path, nil
}

// forgetSecret removes a file that writeSecret has made; any other reference
// is left alone.
func (a *app) forgetSecret(reference string) error {
	own := filepath.Join(a.home, "secrets") + string(filepath.Separator)
	path, ok := strings.CutPrefix(reference, "file:")
	if !ok || !strings.HasPrefix(path, own) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return sparkwright.Errorf(sparkwright.CodeInternal, "a kept secret could not be removed: %w", err)
	}
	return nil
}

// DeleteConnection implements api.Connections.
func (d *desk) DeleteConnection(ctx context.Context, name string) error {
	reference := ""
	err := d.app.databases.configuration.Update(func(s *settings.Settings) error { //nolint:contextcheck // it has a time limit of its own
		c, err := s.Connection(name)
		if err != nil || !access.MayUse(ctx, s.OwnerOf(name)) && !access.MayChange(ctx, s.OwnerOf(name)) {
			return d.app.databases.absent(ctx, name)
		}
		if !access.MayChange(ctx, s.OwnerOf(name)) {
			return access.Denied(access.Admin)
		}
		reference = c.Secret
		return s.RemoveConnection(name)
	})
	if err != nil {
		return err
	}
	return d.app.forgetSecret(reference)
}

// TestConnection implements api.Connections.
func (d *desk) TestConnection(ctx context.Context, name string) (*api.ConnectionTest, error) {
	dbs := d.app.databases
	base, _, _ := strings.Cut(name, "/")
	if owner := dbs.conf().OwnerOf(base); !access.MayUse(ctx, owner) && !access.MayChange(ctx, owner) { //nolint:contextcheck // it has a time limit of its own
		return nil, dbs.absent(ctx, name)
	}
	dbs.mu.Lock()
	l, err := dbs.login(ctx, name)
	dbs.mu.Unlock()
	if err != nil {
		return nil, err
	}
	rep, err := postgres.Test(ctx, l.conn, l.cred)
	if err != nil {
		return nil, err
	}
	return connectionTest(rep), nil
}

func connectionTest(r *postgres.Report) *api.ConnectionTest {
	return &api.ConnectionTest{OK: true, Saw: r.Saw, Warnings: r.Warnings, CanWrite: r.CanWrite, Tables: r.Tables, Readable: r.Readable}
}

// samePlace reports whether a password goes to the same place as before.
func samePlace(old, now sparkwright.Connection) bool {
	return old.Host == now.Host && old.Port == now.Port
}

// TryConnection implements api.Connections.
func (d *desk) TryConnection(ctx context.Context, change api.ConnectionChange) (*api.ConnectionTest, error) {
	dbs := d.app.databases
	c, err := meant(ctx, &change, dbs.conf().Network.PrivateAddresses) //nolint:contextcheck // it has a time limit of its own
	if err != nil {
		return nil, err
	}
	cred := sparkwright.Credentials{User: c.User, Password: change.Password}
	if change.Password == "" {
		conf := dbs.conf() //nolint:contextcheck // it has a time limit of its own
		// A kept password is tried by those who may replace the connection.
		if old, e := conf.Connection(c.Name); e == nil && c.Secret == "" && samePlace(old, c) && access.MayChange(ctx, conf.OwnerOf(c.Name)) {
			c.Secret = old.Secret
		}
		if c, cred, err = dbs.secrets.Complete(ctx, c); err != nil {
			return nil, err
		}
	}
	rep, err := postgres.Test(ctx, c, cred)
	if err != nil {
		return nil, err
	}
	return connectionTest(rep), nil
}
