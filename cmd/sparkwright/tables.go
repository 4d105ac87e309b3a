package main

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

func newTablesCommand(app *app) *cobra.Command {
	var connection, url string
	cmd := &cobra.Command{
		Use: "tables [PATTERN]", Short: "List tables: kind, rows, size, comment", Args: cobra.MaximumNArgs(1),
		Example: "  sparkwright tables 'order*' --connection shop",
		RunE: func(cmd *cobra.Command, args []string) error {
			pattern := ""
			if len(args) == 1 {
				pattern = args[0]
			}
			tables, err := app.listTables(cmd, connection, url, pattern)
			if err != nil {
				return err
			}
			if app.json {
				return json.NewEncoder(plainJSON{app.stdout}).Encode(tables)
			}
			var cells [][]string
			for i := range tables {
				t := &tables[i]
				note := t.Comment
				if !t.Readable {
					note = strings.TrimSpace("(not readable) " + note)
				}
				cells = append(cells, []string{t.QualifiedName(), strings.ReplaceAll(string(t.Kind), "_", " "), count(t.RowEstimate), size(t.Bytes), note})
			}
			app.list([]string{"table", "kind", "rows", "size", "comment"}, cells, 2, 3)
			return nil
		},
	}
	cmd.Flags().StringVar(&connection, "connection", "", "only this connection")
	cmd.Flags().StringVar(&url, "url", "", "a database that is not saved")
	return cmd
}

func (a *app) listTables(cmd *cobra.Command, connection, url, pattern string) ([]sparkwright.Table, error) {
	ctx := cmd.Context()
	if url != "" {
		name, err := a.addURL(ctx, url)
		if err != nil {
			return nil, err
		}
		connection = name
	}
	dbs, err := a.openDatabases(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{connection}
	if connection == "" {
		if names, err = dbs.Names(ctx); err != nil {
			return nil, err
		}
	}
	found := []sparkwright.Table{}
	for _, name := range names {
		db, err := dbs.Open(ctx, name)
		if err != nil {
			return nil, err
		}
		catalog, err := db.Catalog(ctx)
		if err != nil {
			return nil, err
		}
		for i := range catalog.Tables {
			if t := &catalog.Tables[i]; matches(pattern, t) {
				found = append(found, *t)
			}
		}
	}
	return found, nil
}

// matches reports whether a table's name holds the pattern, or fits it where
// it has * or ?.
func matches(pattern string, t *sparkwright.Table) bool {
	pattern = strings.ToLower(pattern)
	name := strings.ToLower(t.Name)
	full := strings.ToLower(t.QualifiedName())
	if !strings.ContainsAny(pattern, "*?[") {
		return strings.Contains(full, pattern)
	}
	for _, s := range []string{name, full, strings.ToLower(t.Schema + "." + t.Name)} {
		if ok, err := path.Match(pattern, s); err == nil && ok {
			return true
		}
	}
	return false
}

func newDescribeCommand(app *app) *cobra.Command {
	return &cobra.Command{
		Use: "describe CONNECTION.SCHEMA.TABLE", Short: "Show a table's columns, keys and statistics", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dbs, err := app.openDatabases(cmd.Context())
			if err != nil {
				return err
			}
			finder := supervisor.New(supervisor.Config{Databases: dbs, Nearest: postgres.Nearest})
			catalog, err := finder.Catalog(cmd.Context(), "", args)
			if err != nil {
				return err
			}
			t := &catalog.Tables[0]
			if app.json {
				return json.NewEncoder(plainJSON{app.stdout}).Encode(t)
			}
			app.describe(t)
			return nil
		},
	}
}

func (a *app) describe(t *sparkwright.Table) {
	a.printf("  %s  %s · %s · %s\n", clean(t.QualifiedName()), strings.ReplaceAll(string(t.Kind), "_", " "), count(t.RowEstimate), size(t.Bytes))
	if t.Comment != "" {
		a.printf("  %s\n", clean(t.Comment))
	}
	a.printf("\n")
	var cells [][]string
	for i := range t.Columns {
		c := &t.Columns[i]
		var notes []string
		if !c.Nullable {
			notes = append(notes, "not null")
		}
		if len(c.Enum) > 0 {
			notes = append(notes, "one of "+strings.Join(c.Enum, ", "))
		}
		if s := c.Stats; s != nil {
			notes = append(notes, fmt.Sprintf("~%.0f distinct", s.Distinct))
			if s.NullFraction > 0 {
				notes = append(notes, fmt.Sprintf("%.0f%% null", 100*s.NullFraction))
			}
			if n := len(s.Histogram); n > 1 {
				notes = append(notes, s.Histogram[0]+" … "+s.Histogram[n-1])
			}
		}
		if skip := readplan.SparkType(c).Skip; skip != "" {
			notes = append(notes, "left out: "+skip)
		}
		if c.Comment != "" {
			notes = append(notes, c.Comment)
		}
		cells = append(cells, []string{c.Name, c.Type, strings.Join(notes, " · ")})
	}
	a.list([]string{"column", "type", "notes"}, cells)
	a.printf("\n")
	if len(t.PrimaryKey) > 0 {
		a.printf("  primary key  %s\n", strings.Join(t.PrimaryKey, ", "))
	}
	for _, u := range t.Uniques {
		a.printf("  unique       %s\n", strings.Join(u, ", "))
	}
	for _, f := range t.ForeignKeys {
		a.printf("  references   %s → %s.%s (%s)\n", strings.Join(f.Columns, ", "), f.RefSchema, f.RefTable, strings.Join(f.RefColumns, ", "))
	}
}
