package server

import (
	"net/http"

	"github.com/sparkwright/sparkwright"
)

// noGlue is what the Glue endpoints answer without AWS.
func noGlue() error {
	return &sparkwright.Error{
		Code: sparkwright.CodeUnavailable, Message: "the Glue catalog cannot be read", Because: "nothing of AWS is configured",
		Remedy: "set spark.emr_application_id in the settings and AWS credentials in the environment",
	}
}

// glueDatabases is GET /glue/databases.
func (s *server) glueDatabases(w http.ResponseWriter, r *http.Request) {
	err := noGlue()
	names := []string{}
	if s.cfg.Glue != nil {
		names, err = s.cfg.Glue.Databases(r.Context())
	}
	if err != nil {
		s.fail(w, err, map[string]any{"databases": []string{}})
		return
	}
	s.ok(w, map[string]any{"databases": listed(names)})
}

// glueColumns is how many columns of a table are listed.
const glueColumns = 5

// glueTables is GET /glue/tables/{database}.
func (s *server) glueTables(w http.ResponseWriter, r *http.Request) {
	err := noGlue()
	var found []sparkwright.Table
	if s.cfg.Glue != nil {
		found, err = s.cfg.Glue.Tables(r.Context(), r.PathValue("database"))
	}
	if err != nil {
		s.fail(w, err, map[string]any{"tables": []any{}})
		return
	}
	tables := []any{}
	for i := range found {
		t := &found[i]
		columns := []any{}
		for _, c := range t.Columns[:min(len(t.Columns), glueColumns)] {
			columns = append(columns, map[string]any{"name": c.Name, "type": c.Type})
		}
		tables = append(tables, map[string]any{"name": t.Name, "location": t.Location, "columns": columns, "column_count": len(t.Columns)})
	}
	s.ok(w, map[string]any{"tables": tables})
}

// selectGlueTables is POST /sessions/{session_id}/select-tables. A table that
// is not there is an error: nothing is dropped silently.
func (s *server) selectGlueTables(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	wanted := b.stringMaps("tables")
	_ = b.text("session_id") // the path's counts
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	selected := []sparkwright.SelectedGlueTable{}
	for i, t := range wanted {
		for _, key := range []string{"database", "table"} {
			if t[key] == "" {
				s.fail(w, sparkwright.Errorf(sparkwright.CodeInvalid, "tables[%d] has no %s", i, key), nil)
				return
			}
		}
		if s.cfg.Glue == nil {
			s.fail(w, noGlue(), nil)
			return
		}
		found, err := s.cfg.Glue.Table(r.Context(), t["database"], t["table"])
		if err != nil {
			s.fail(w, err, nil)
			return
		}
		selected = append(selected, sparkwright.SelectedGlueTable{Database: found.Database, Table: found.Name, Location: found.Location})
	}
	if err := s.cfg.Sessions.SelectGlue(r.Context(), s.user(r), r.PathValue("session_id"), selected); err != nil {
		s.fail(w, err, nil)
		return
	}
	s.ok(w, map[string]any{"selected_tables": selected})
}

// listed is a list that is never null.
func listed(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}
