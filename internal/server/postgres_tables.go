package server

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// in names a database of a connection's server.
func (s *server) in(ctx context.Context, connection, database string) (string, error) {
	conn, err := s.connection(ctx, connection)
	if err != nil || database == "" || database == conn.Database {
		return connection, err
	}
	return connection + "/" + database, nil
}

// noConnection is what the reference says of a connection that it does not
// know.
const noConnection = "Connection not found"

// connection finds a saved connection; an unknown one is told in the
// reference's words.
func (s *server) connection(ctx context.Context, name string) (sparkwright.Connection, error) {
	conn, err := s.cfg.Postgres.Connection(ctx, name)
	if sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		return conn, err
	}
	out := &sparkwright.Error{Code: sparkwright.CodeNotFound, Message: noConnection, Because: err.Error(), Err: err}
	if names, err := s.cfg.Postgres.Names(ctx); err == nil && len(names) > 0 {
		out.Remedy = "Use one of: " + strings.Join(names, ", ")
	} else {
		out.Remedy = "Save one with POST /postgres/connections"
	}
	return conn, out
}

// postgresDatabases is GET /postgres/{connection_name}/databases.
func (s *server) postgresDatabases(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("connection_name")
	var found []string
	_, err := s.connection(r.Context(), name)
	if err == nil {
		found, err = s.cfg.Postgres.Databases(r.Context(), name)
	}
	if err != nil {
		s.fail(w, err, map[string]any{"databases": []string{}})
		return
	}
	s.ok(w, map[string]any{"databases": listed(found)})
}

// postgresSchemas is GET /postgres/{connection_name}/schemas/{database}.
func (s *server) postgresSchemas(w http.ResponseWriter, r *http.Request) {
	name, err := s.in(r.Context(), r.PathValue("connection_name"), r.PathValue("database"))
	var found []string
	if err == nil {
		found, err = s.cfg.Postgres.Schemas(r.Context(), name)
	}
	if err != nil {
		s.fail(w, err, map[string]any{"schemas": []string{}})
		return
	}
	s.ok(w, map[string]any{"schemas": listed(found)})
}

// postgresTables is GET /postgres/{connection_name}/tables/{database}/{schema}:
// tables, and views, which can be asked about too.
func (s *server) postgresTables(w http.ResponseWriter, r *http.Request) {
	name, err := s.in(r.Context(), r.PathValue("connection_name"), r.PathValue("database"))
	catalog := &sparkwright.Catalog{}
	if err == nil {
		catalog, err = s.cfg.Postgres.Catalog(r.Context(), name)
	}
	if err != nil {
		s.fail(w, err, map[string]any{"tables": []any{}})
		return
	}
	tables := []any{}
	for i := range catalog.Tables {
		if t := &catalog.Tables[i]; t.Schema == r.PathValue("schema") {
			tables = append(tables, map[string]any{
				"name": t.Name, "schema": t.Schema, "columns": columnsOf(t), "kind": t.Kind, "comment": t.Comment,
				"row_estimate": t.RowEstimate, "readable": t.Readable,
			})
		}
	}
	s.ok(w, map[string]any{"tables": tables})
}

func columnsOf(t *sparkwright.Table) []sparkwright.SelectedColumn {
	out := make([]sparkwright.SelectedColumn, 0, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		out = append(out, sparkwright.SelectedColumn{Name: c.Name, Type: dataType(c), Nullable: c.Nullable})
	}
	return out
}

// typeModifier is the part of a type's name that information_schema leaves out.
var typeModifier = regexp.MustCompile(`\([0-9, -]+\)`)

// dataType is the type as information_schema.columns.data_type tells it.
func dataType(c *sparkwright.Column) string {
	switch {
	case strings.HasSuffix(c.Type, "[]"):
		return "ARRAY"
	case len(c.Enum) > 0:
		return "USER-DEFINED"
	default:
		return typeModifier.ReplaceAllString(c.Type, "")
	}
}

// selectPostgresTables is POST /sessions/{session_id}/select-postgres-tables.
// It selects all the tables or, when one is not there, none.
func (s *server) selectPostgresTables(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	name := b.text("connection_name")
	wanted := b.stringMaps("tables")
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	selected := []sparkwright.SelectedPostgresTable{}
	_, err := s.connection(r.Context(), name)
	for i := 0; err == nil && i < len(wanted); i++ {
		var t sparkwright.SelectedPostgresTable
		if t, err = s.describe(r.Context(), name, wanted[i], i); err == nil {
			selected = append(selected, t)
		}
	}
	if err == nil {
		err = s.cfg.Sessions.SelectPostgres(r.Context(), s.user(r), r.PathValue("session_id"), selected)
	}
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	s.ok(w, map[string]any{"selected_tables": selected})
}

// describe looks up one table that is to be selected.
func (s *server) describe(ctx context.Context, name string, wanted map[string]string, i int) (sparkwright.SelectedPostgresTable, error) {
	var out sparkwright.SelectedPostgresTable
	for _, key := range []string{"schema", "table"} {
		if wanted[key] == "" {
			return out, sparkwright.Errorf(sparkwright.CodeInvalid, "tables[%d] has no %s", i, key)
		}
	}
	at, err := s.in(ctx, name, wanted["database"])
	if err != nil {
		return out, err
	}
	conn, err := s.cfg.Postgres.Connection(ctx, at)
	if err != nil {
		return out, err
	}
	catalog, err := s.cfg.Postgres.Catalog(ctx, at)
	if err != nil {
		return out, err
	}
	for j := range catalog.Tables {
		t := &catalog.Tables[j]
		if t.Schema != wanted["schema"] || t.Name != wanted["table"] {
			continue
		}
		if !t.Readable {
			return out, &sparkwright.Error{
				Code: sparkwright.CodeUnauthorized, Message: "the login of " + name + " may not read " + t.Schema + "." + t.Name,
				Remedy: "GRANT SELECT on it, and USAGE on its schema, to the connection's role",
			}
		}
		return sparkwright.SelectedPostgresTable{
			ConnectionName: name, SecretARN: shownSecret(&conn), AuthMethod: conn.AuthMethod, Host: conn.Host, Port: conn.Port,
			Database: conn.Database, Schema: t.Schema, Table: t.Name, JDBCURL: jdbcURL(&conn), Columns: columnsOf(t),
		}, nil
	}
	return out, &sparkwright.Error{
		Code: sparkwright.CodeNotFound, Message: "there is no table " + wanted["schema"] + "." + wanted["table"] + " in " + conn.Database,
		Remedy: "see GET /postgres/" + name + "/tables/" + conn.Database + "/" + wanted["schema"],
	}
}
