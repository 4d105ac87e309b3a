package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/demo"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// demoName is the connection of the demo data, while none of that name is
// configured.
const demoName = "shop"

// demoQuestions are of different kinds: join and group, top N, time series,
// share, and one that the data cannot answer.
var demoQuestions = []string{
	"What is the total amount of payments for each segment?",
	"What are the top 5 countries by number of customers?",
	"How many orders were there per month in 2025?",
	"What is the share of total orders by channel?",
	"Which employee has the highest salary?",
}

func demoDir(home string) string { return filepath.Join(home, "demo") }

func demoInstalled(home string) bool {
	_, err := os.Stat(filepath.Join(demoDir(home), "ready"))
	return err == nil
}

// demoServer is the embedded PostgreSQL of this process; nil when another
// process runs it.
type demoServer struct{ server *pgembed.Server }

func (d *demoServer) stop(ctx context.Context) {
	if d.server != nil {
		_ = d.server.Stop(ctx)
	}
}

// startDemo starts the embedded PostgreSQL with the demo data, or joins the
// one that another process runs. The caller holds d.mu.
func (d *databases) startDemo(ctx context.Context, say func(string)) (login, error) {
	dir := demoDir(d.home)
	where := filepath.Join(dir, "connection.json")
	srv, err := pgembed.Start(ctx, pgembed.Options{
		Dir: filepath.Join(dir, "postgres"), CacheDir: filepath.Join(d.home, "runtime", "postgres"),
		RepositoryURL: d.settings.Runtime.MavenURL, Progress: say,
	})
	if sparkwright.ErrorCode(err) == sparkwright.CodeConflict {
		var conn sparkwright.Connection
		text, e := os.ReadFile(where) //nolint:gosec // G304: our own file
		if e == nil && json.Unmarshal(text, &conn) == nil {
			cred, e := secret.Resolve(ctx, conn)
			return login{conn: conn, cred: sparkwright.Credentials{User: conn.User, Password: cred.Password}}, e
		}
	}
	if err != nil {
		return login{}, err
	}
	d.demo = &demoServer{server: srv}
	return d.loadDemo(ctx, srv, where, say)
}

func (d *databases) loadDemo(ctx context.Context, srv *pgembed.Server, where string, say func(string)) (login, error) {
	owner := srv.Connection()
	ownerCred, err := secret.Resolve(ctx, owner)
	if err != nil {
		return login{}, err
	}
	ownerCred.User = owner.User
	if err = srv.CreateDatabase(ctx, demoName); err != nil {
		return login{}, err
	}
	owner.Database = demoName
	cfg, err := postgres.Config(owner, ownerCred)
	if err != nil {
		return login{}, err
	}
	passwordFile := filepath.Join(filepath.Dir(where), "reader.password")
	password, err := keptPassword(passwordFile)
	if err != nil {
		return login{}, err
	}
	pg, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return login{}, fmt.Errorf("connect to the demo database: %w", err)
	}
	defer pg.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is lost
	if err = demo.Load(ctx, pg, demo.Options{ReaderPassword: password}, say); err != nil {
		return login{}, err
	}
	conn := owner
	conn.Name, conn.User, conn.Secret, conn.AuthMethod = demoName, demo.Reader, "file:"+passwordFile, sparkwright.AuthUserPassword
	text, err := json.Marshal(conn) //nolint:gosec // G117: Secret is a reference, never a secret
	if err != nil {
		return login{}, fmt.Errorf("encode the demo connection: %w", err)
	}
	if err := errors.Join(artifact.WriteFile(where, text), artifact.WriteFile(filepath.Join(filepath.Dir(where), "ready"), nil)); err != nil {
		return login{}, err
	}
	return login{conn: conn, cred: sparkwright.Credentials{User: conn.User, Password: password}}, nil
}

func keptPassword(path string) (string, error) {
	text, err := os.ReadFile(path) //nolint:gosec // G304: our own file
	if err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	password := rand.Text()
	return password, artifact.WriteFile(path, []byte(password))
}

func newDemoCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "Answer a few questions about the built-in shop data", Args: cobra.NoArgs,
		Long: "Installs the local runtime and an embedded PostgreSQL with the data of a shop,\nand answers a few questions about it. Afterwards the connection " + demoName + " can be asked:\nits PostgreSQL starts with the question and stops with it.",
		RunE: func(cmd *cobra.Command, _ []string) error { return app.runDemo(cmd.Context()) },
	}
}

func (a *app) runDemo(ctx context.Context) error {
	a.oneRun = true
	svc, err := a.service(ctx)
	if err != nil {
		return err
	}
	go func() { _ = a.connect.Warm(ctx) }() // while the data is loaded
	if err := a.prepareDemo(ctx); err != nil {
		return err
	}
	for _, q := range demoQuestions {
		a.printf("\n$ sparkwright ask %q --connection %s\n", q, demoName)
		view := &progressView{app: a}
		run, err := svc.Ask(ctx, supervisor.Request{Question: q, Connection: demoName, Engine: placement.EngineSpark, Observe: view.observe})
		a.out.clear()
		if run == nil {
			return err
		}
		err = a.show(ctx, run, err, askOptions{})
		if err != nil && sparkwright.ErrorCode(err) != sparkwright.CodeDeclined {
			return err
		}
	}
	a.printf("\nNow ask something yourself: sparkwright ask \"customers per country\" --connection %s\n", demoName)
	return nil
}

// prepareDemo makes the demo's connection known, and starts it.
func (a *app) prepareDemo(ctx context.Context) error {
	dbs, err := a.openDatabases(ctx)
	if err != nil {
		return err
	}
	return dbs.prepareDemo(ctx, dbs.say)
}

func (d *databases) prepareDemo(ctx context.Context, say func(string)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.demo != nil {
		return nil // it runs already
	}
	l, err := d.startDemo(ctx, say)
	if err != nil {
		return err
	}
	d.open[demoName] = &database{login: l}
	return nil
}
