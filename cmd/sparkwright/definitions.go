package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/definitions"
	"github.com/sparkwright/sparkwright/internal/demo"
	"github.com/sparkwright/sparkwright/internal/store"
)

func newDefinitionsCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "definitions", Short: "Check and propose what words mean for a connection",
		Long: "Definitions say how words are to be read for a connection: terms, metrics, default\nfilters, joins, and questions whose code is verified. They are YAML files in the\ndirectory of definitions.dir.",
	}
	cmd.AddCommand(newDefinitionsCheckCommand(app), newDefinitionsSuggestCommand(app), newDefinitionsPushCommand(app))
	return cmd
}

func newDefinitionsCheckCommand(app *app) *cobra.Command {
	var connection, against string
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Hold the definitions against the tables",
		Long: "Hold every definition against the tables of its connection. With --against, against the\n" +
			"tables of another database too, such as one after a migration, and tell only what that\none would break. Exit code 2 when something does not hold.\n\n" + exitHelp,
		Example: "  sparkwright definitions check definitions\n  sparkwright definitions check --connection app --against postgresql://reader@staging/app",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.checkDefinitions(cmd.Context(), strings.Join(args, ""), connection, against)
		},
	}
	cmd.Flags().StringVar(&connection, "connection", "", "only the definitions of this connection")
	cmd.Flags().StringVar(&against, "against", "", "a database to compare with: postgresql://user@host/db (password in PGPASSWORD or in the URL)")
	return cmd
}

func newDefinitionsSuggestCommand(app *app) *cobra.Command {
	var connection string
	cmd := &cobra.Command{
		Use:   "suggest",
		Short: "Propose definitions, as YAML on stdout",
		Long: "Propose definitions from the tables, their comments, and runs that were verified by\n" +
			"PostgreSQL's own totals or pinned. They are proposals: read them before you keep them.\n\n" + exitHelp,
		Example: "  sparkwright definitions suggest --connection app > definitions/app.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return app.suggestDefinitions(cmd.Context(), connection)
		},
	}
	cmd.Flags().StringVar(&connection, "connection", "", "the connection to propose for")
	return cmd
}

func newDefinitionsPushCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use:   "push [DIR]",
		Short: "Give the definitions to all servers of one --database-url",
		Long: "Check the definitions and keep them in the PostgreSQL of --database-url (database.url), in\n" +
			"the place of those that are there: every server of it reads them from then on. Nothing is\n" +
			"kept when something does not hold.\n\n" + exitHelp,
		Example: "  sparkwright definitions push definitions --database-url env:SPARKWRIGHT_RUNS",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return app.pushDefinitions(cmd.Context(), strings.Join(args, ""))
		},
	}
}

func (a *app) pushDefinitions(ctx context.Context, dir string) error {
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	if !st.Shared() {
		return &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "there is no database that servers share", Because: "runs are kept in a file of this machine",
			Remedy: "give --database-url, or keep the files in " + a.definitionsDir(), //nolint:contextcheck // it has a time limit of its own
		}
	}
	if dir == "" {
		dir = a.definitionsDir() //nolint:contextcheck // it has a time limit of its own
	}
	if err = a.checkDefinitions(ctx, dir, "", ""); err != nil {
		return err
	}
	files, err := definitions.Load(dir)
	if err != nil {
		return err
	}
	var list []store.Definition
	for i := range files {
		text, e := os.ReadFile(files[i].Path)
		if e != nil {
			return sparkwright.Errorf(sparkwright.CodeNotFound, "the definitions cannot be read: %w", e)
		}
		list = append(list, store.Definition{Name: filepath.Base(files[i].Path), Body: string(text)})
	}
	if err = st.ReplaceDefinitions(ctx, list); err != nil {
		return err
	}
	a.say("definitions", fmt.Sprintf("%d file(s)", len(list))+" in force on every server of this database")
	return nil
}

// definitionFiles are those of the database that servers share, else those of
// the directory.
func (a *app) definitionFiles(ctx context.Context) ([]definitions.File, error) {
	if a.store == nil || !a.store.Shared() {
		return definitions.Load(a.definitionsDir()) //nolint:contextcheck // it has a time limit of its own
	}
	list, err := a.store.Definitions(ctx)
	if err != nil {
		return nil, err
	}
	files := make([]definitions.File, 0, len(list))
	for _, d := range list {
		f, err := definitions.Parse(d.Name, d.Body)
		if err != nil {
			return nil, err
		}
		files = append(files, *f)
	}
	return files, nil
}

// definitionsDir is where definitions are kept.
func (a *app) definitionsDir() string {
	now := a.settings
	if a.databases != nil { // it may have been changed since the start
		now = a.databases.conf()
	}
	if d := now.Definitions.Dir; d != "" {
		return d
	}
	return filepath.Join(a.home, "definitions")
}

// defined are the definitions for a run, read anew: they may have been changed.
func (a *app) defined(ctx context.Context, catalog *sparkwright.Catalog) (*sparkwright.Definitions, []string, error) {
	files, err := a.definitionFiles(ctx)
	if err != nil {
		return nil, nil, err
	}
	if files, err = a.withDemo(files); err != nil {
		return nil, nil, err
	}
	d, notes := definitions.For(files, catalog)
	if d.Empty() {
		d = nil
	}
	return d, notes, nil
}

// withDemo adds what words mean for the demo data, unless the connection of that
// name is another one or has definitions of its own.
func (a *app) withDemo(files []definitions.File) ([]definitions.File, error) {
	if _, err := a.settings.Connection(demoName); err == nil || slices.ContainsFunc(files, func(f definitions.File) bool { return f.Connection == demoName }) {
		return files, nil
	}
	f, err := definitions.Parse("the demo's definitions", demo.Definitions())
	if err != nil {
		return nil, err
	}
	return append(files, *f), nil
}

// checked is the outcome of a check, as JSON.
type checked struct {
	Files    int                   `json:"files"`
	Against  string                `json:"against,omitempty"`
	Problems []definitions.Problem `json:"problems"`
}

func (a *app) checkDefinitions(ctx context.Context, dir, connection, against string) error {
	dbs, err := a.openDatabases(ctx)
	if err != nil {
		return err
	}
	if dir == "" {
		dir = a.definitionsDir() //nolint:contextcheck // it has a time limit of its own
	}
	files, err := definitions.Load(dir)
	if err != nil {
		return err
	}
	if connection != "" {
		files = slices.DeleteFunc(files, func(f definitions.File) bool { return f.Connection != connection })
	}
	if len(files) == 0 {
		return &sparkwright.Error{Code: sparkwright.CodeNotFound, Message: "there are no definitions in " + dir, Remedy: "sparkwright definitions suggest proposes some; docs/definitions.md describes the files"}
	}
	catalogs := map[string]*sparkwright.Catalog{}
	var other *sparkwright.Catalog
	if against != "" {
		name, e := a.addURL(ctx, against)
		if e != nil {
			return e
		}
		if other, err = readCatalog(ctx, dbs, name); err != nil {
			return err
		}
	}
	out := checked{Files: len(files), Problems: []definitions.Problem{}}
	for i := range files {
		f := &files[i]
		if catalogs[f.Connection] == nil {
			if catalogs[f.Connection], err = readCatalog(ctx, dbs, f.Connection); err != nil {
				return err
			}
		}
		now := definitions.Check(f, catalogs[f.Connection])
		if other == nil {
			out.Problems = append(out.Problems, now...)
			continue
		}
		out.Against = "the database of --against"
		for _, p := range definitions.Check(f, other) {
			if !slices.ContainsFunc(now, p.Same) {
				out.Problems = append(out.Problems, p)
			}
		}
	}
	return a.tellChecked(&out)
}

func (a *app) tellChecked(out *checked) error {
	if a.json {
		enc := json.NewEncoder(plainJSON{a.stdout})
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if err := enc.Encode(out); err != nil {
			return fmt.Errorf("write the check: %w", err)
		}
	} else {
		for _, p := range out.Problems {
			a.printf("%s\n", p)
		}
	}
	if len(out.Problems) == 0 {
		a.say("definitions", fmt.Sprintf("%d files, everything in them holds", out.Files))
		return nil
	}
	what := fmt.Sprintf("%d definitions do not hold", len(out.Problems))
	if out.Against != "" {
		what = fmt.Sprintf("%d definitions would no longer hold", len(out.Problems))
	}
	if a.json {
		return reported(sparkwright.CodeInvalid, what)
	}
	return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: what, Remedy: "change them with the tables, in one commit"}
}

func readCatalog(ctx context.Context, dbs *databases, connection string) (*sparkwright.Catalog, error) {
	db, err := dbs.Open(ctx, connection)
	if err != nil {
		return nil, err
	}
	return db.Catalog(ctx)
}

// pastRuns is how many runs are looked through for verified answers.
const pastRuns = 500

func (a *app) suggestDefinitions(ctx context.Context, connection string) error {
	dbs, err := a.openDatabases(ctx)
	if err != nil {
		return err
	}
	if connection == "" {
		connection = a.settings.Postgres.DefaultConnection
	}
	if connection == "" {
		names, e := dbs.Names(ctx)
		if e != nil || len(names) != 1 {
			return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "it is not clear for which connection to propose definitions", Remedy: "add --connection NAME"}
		}
		connection = names[0]
	}
	catalog, err := readCatalog(ctx, dbs, connection)
	if err != nil {
		return err
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	page, err := st.List(ctx, sparkwright.RunFilter{State: sparkwright.RunSucceeded, Limit: pastRuns})
	if err != nil {
		return err
	}
	text, err := definitions.Suggest(connection, catalog, page.Runs).YAML()
	if err != nil {
		return err
	}
	a.printf("%s", text)
	return nil
}
