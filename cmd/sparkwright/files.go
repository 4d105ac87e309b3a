package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/files"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

func (d *databases) registry() files.Registry {
	return files.Registry{Path: filepath.Join(d.home, "files.json")}
}

// fileTables are the files that are known; none when the list is broken,
// which is told when a table of it is asked for.
func (d *databases) fileTables(ctx context.Context) []sparkwright.Table {
	tables, _ := d.registry().Tables(ctx)
	return tables
}

// fileDatabase shows the known files as the tables of a connection. Nothing
// logs in to it.
type fileDatabase struct {
	registry files.Registry
	name     string // of the connection; "" = files
}

var _ supervisor.Database = fileDatabase{}

// Catalog implements supervisor.Database.
func (f fileDatabase) Catalog(ctx context.Context) (*sparkwright.Catalog, error) {
	tables, err := f.registry.Tables(ctx)
	for i := range tables {
		if f.name != "" {
			tables[i].Connection = f.name
		}
	}
	return &sparkwright.Catalog{Tables: tables}, err
}

// JDBCURL implements supervisor.Database.
func (fileDatabase) JDBCURL(string) (string, error) {
	return "", sparkwright.Errorf(sparkwright.CodeInternal, "files are not read over JDBC")
}

// Credentials implements supervisor.Database.
func (fileDatabase) Credentials() sparkwright.Credentials { return sparkwright.Credentials{} }

// CancelRun implements supervisor.Database.
func (fileDatabase) CancelRun(context.Context, string) error { return nil }

// selectSources turns --url, --connection, --table and --file into what the
// request is about. Several sources become a list of tables.
func (a *app) selectSources(ctx context.Context, o *askOptions, req *supervisor.Request) error {
	dbs, err := a.openDatabases(ctx)
	if err != nil {
		return err
	}
	connections := o.connections
	if o.url != "" {
		name, err := a.addURL(ctx, o.url)
		if err != nil {
			return err
		}
		if !slices.Contains(connections, name) {
			connections = append(connections, name)
		}
	}
	req.Tables = slices.Clone(o.tables)
	for _, path := range o.files {
		t, err := dbs.registry().Add(ctx, path, files.Options{})
		if err != nil {
			return err
		}
		req.Tables = append(req.Tables, t.QualifiedName())
	}
	if len(connections) == 0 && len(req.Tables) == 0 { // files that are known do not make a choice of one connection
		names, err := dbs.Names(ctx)
		if err != nil {
			return err
		}
		names = slices.DeleteFunc(names, func(n string) bool { return n == files.Connection })
		if len(names) == 1 {
			connections = names
		}
	}
	if len(connections) <= 1 && len(o.files) == 0 {
		if len(connections) == 1 {
			req.Connection = connections[0]
		}
		return nil
	}
	if len(o.tables) > 0 { // they say which of the connections' tables
		return nil
	}
	for _, name := range connections {
		db, err := dbs.Open(ctx, name)
		if err != nil {
			return err
		}
		catalog, err := db.Catalog(ctx)
		if err != nil {
			return err
		}
		for i := range catalog.Tables {
			if t := &catalog.Tables[i]; t.Readable {
				req.Tables = append(req.Tables, t.QualifiedName())
			}
		}
	}
	return nil
}

func newFilesCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "files", Short: "Make files known as tables",
		Long: "CSV, JSON lines and Parquet files, or directories of them, can be asked about as\ntables files.local.NAME. ask --file makes a file known by itself.",
	}
	var opt files.Options
	add := &cobra.Command{
		Use: "add PATH", Short: "Read a file's schema, show it, and make the file known", Args: cobra.ExactArgs(1),
		Example: "  sparkwright files add refunds.csv --name refunds",
		RunE: func(cmd *cobra.Command, args []string) error {
			dbs, err := app.openDatabases(cmd.Context())
			if err != nil {
				return err
			}
			t, err := dbs.registry().Add(cmd.Context(), args[0], opt)
			if err != nil {
				return err
			}
			if app.json {
				return json.NewEncoder(plainJSON{app.stdout}).Encode(t)
			}
			app.describe(&t)
			return nil
		},
	}
	add.Flags().StringVar(&opt.Name, "name", "", "of the table; default: the file's name")
	add.Flags().StringVar(&opt.Format, "format", "", "csv, json or parquet; default: by the file's ending")
	add.Flags().StringVar(&opt.Delimiter, "delimiter", "", "of CSV; default: found out")
	header := add.Flags().Bool("header", true, "whether CSV begins with names; default: found out")
	add.PreRun = func(cmd *cobra.Command, _ []string) {
		if cmd.Flags().Changed("header") {
			opt.Header = header
		}
	}
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Forget a file's table; the file stays", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dbs, err := app.openDatabases(cmd.Context())
			if err != nil {
				return err
			}
			return dbs.registry().Remove(cmd.Context(), args[0])
		},
	}
	list := &cobra.Command{
		Use: "list", Short: "List the known files", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dbs, err := app.openDatabases(cmd.Context())
			if err != nil {
				return err
			}
			tables, err := dbs.registry().Tables(cmd.Context())
			if err != nil {
				return err
			}
			if app.json {
				return json.NewEncoder(plainJSON{app.stdout}).Encode(tables)
			}
			for i := range tables {
				t := &tables[i]
				app.printf("  %-40s %-8s %12s %8s  %s\n", clean(t.QualifiedName()), t.Format, count(t.RowEstimate), size(t.Bytes), clean(t.Location))
			}
			return nil
		},
	}
	cmd.AddCommand(add, list, remove)
	return cmd
}
