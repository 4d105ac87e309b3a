package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

func newConnectionsCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{Use: "connections", Short: "Add, list, test and remove PostgreSQL connections"}
	cmd.AddCommand(newConnectionsAdd(app), newConnectionsList(app), newConnectionsTest(app), newConnectionsRemove(app))
	return cmd
}

func newConnectionsAdd(app *app) *cobra.Command {
	var c sparkwright.Connection
	var auth, tls string
	var passwordStdin bool
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a connection, or replace the one of that name", Args: cobra.ExactArgs(1),
		Long: "Add a connection, or replace the one of that name. The settings hold no password,\nonly a reference to it: env:NAME, file:PATH or aws-sm:ARN. With --password-stdin\nthe password goes into a file that only you can read.",
		Example: `  sparkwright connections add shop --host db.example.com --database shop --user reader --secret env:SHOP_PASSWORD
  pass show shop | sparkwright connections add shop --host localhost --database shop --user reader --password-stdin`,
		RunE: func(cmd *cobra.Command, args []string) error {
			c.Name, c.AuthMethod, c.TLS = args[0], sparkwright.AuthMethod(auth), sparkwright.TLSMode(tls)
			if err := postgres.Validate(c); err != nil {
				return err
			}
			conf, err := app.configuration(cmd.Context())
			if err != nil {
				return err
			}
			if passwordStdin {
				if c.Secret != "" {
					return sparkwright.Errorf(sparkwright.CodeInvalid, "--secret and --password-stdin exclude one another")
				}
				if c.Secret, err = app.keepPassword(c.Name); err != nil {
					return err
				}
			}
			err = conf.Update(func(s *settings.Settings) error { return s.PutConnection(c) })
			if err == nil {
				app.say("connection", c.Name+" is saved; try it: sparkwright connections test "+c.Name)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.Host, "host", "localhost", "host name or address")
	f.IntVar(&c.Port, "port", 5432, "port")
	f.StringVar(&c.Database, "database", "postgres", "database")
	f.StringVar(&c.User, "user", "", "login; for secrets that do not hold one")
	f.StringVar(&auth, "auth", string(sparkwright.AuthUserPassword), "user_password, secrets_manager or iam")
	f.StringVar(&c.Secret, "secret", "", "where the password is: env:NAME, file:PATH or aws-sm:ARN")
	f.BoolVar(&passwordStdin, "password-stdin", false, "read the password from stdin and keep it in a 0600 file")
	f.StringVar(&tls, "tls", "", "verify-full (default off loopback), verify-ca, require or disable")
	f.StringVar(&c.RootCert, "root-cert", "", "PEM file of the authorities to trust")
	return cmd
}

// keepPassword reads a password and keeps it in a file of its own.
func (a *app) keepPassword(name string) (ref string, err error) {
	text, err := io.ReadAll(io.LimitReader(a.stdin, 64<<10))
	if err != nil {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the password cannot be read: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the password on stdin is empty")
	}
	path := filepath.Join(a.home, "secrets", name)
	if err := secret.Write(path, []byte(password+"\n")); err != nil {
		return "", err
	}
	return "file:" + path, nil
}

func newConnectionsList(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List connections", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			conf, err := app.configuration(cmd.Context())
			if err != nil {
				return err
			}
			s, err := conf.Load()
			if err != nil {
				return err
			}
			list := s.Connections()
			if app.json {
				out := []map[string]any{}
				for _, c := range list {
					out = append(out, map[string]any{
						"name": c.Name, "host": c.Host, "port": c.Port, "database": c.Database,
						"user": c.User, "auth_method": c.AuthMethod, "secret": c.Secret,
					})
				}
				return json.NewEncoder(plainJSON{app.stdout}).Encode(out)
			}
			for _, c := range list {
				app.printf("  %-16s %s@%s:%d/%s  %s  %s\n", clean(c.Name), c.User, c.Host, c.Port, clean(c.Database), c.AuthMethod, c.Secret)
			}
			if demoInstalled(app.home) {
				app.printf("  %-16s %s\n", demoName, "the demo data; its PostgreSQL starts when it is asked")
			}
			return nil
		},
	}
}

func newConnectionsTest(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Log in and say what was seen", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			dbs, err := app.openDatabases(ctx)
			if err != nil {
				return err
			}
			dbs.mu.Lock()
			l, err := dbs.login(ctx, args[0])
			dbs.mu.Unlock()
			if err != nil {
				return err
			}
			rep, err := postgres.Test(ctx, l.conn, l.cred)
			if err != nil {
				return err
			}
			if app.json {
				return json.NewEncoder(plainJSON{app.stdout}).Encode(rep)
			}
			for _, line := range rep.Saw {
				app.printf("  ✓ %s\n", clean(line))
			}
			for _, line := range rep.Warnings {
				app.printf("  ! %s\n", clean(line))
			}
			return nil
		},
	}
}

func newConnectionsRemove(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "remove NAME", Short: "Remove a connection and the password kept for it", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			conf, err := app.configuration(cmd.Context())
			if err != nil {
				return err
			}
			var ref string
			err = conf.Update(func(s *settings.Settings) error {
				c, missing := s.Connection(args[0])
				if missing != nil {
					return missing
				}
				ref = c.Secret
				return s.RemoveConnection(args[0])
			})
			if err != nil {
				return err
			}
			own := filepath.Join(app.home, "secrets") + string(filepath.Separator)
			if path, ok := strings.CutPrefix(ref, "file:"); ok && strings.HasPrefix(path, own) {
				if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
					return sparkwright.Errorf(sparkwright.CodeInternal, "the kept password could not be removed: %w", err)
				}
			}
			return nil
		},
	}
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
