// Package direct is about answers for which Spark is not needed: an analysis
// that is one statement of PostgreSQL with Spark's very values, and cheap there.
// Which analyses that are is found in the Spark client (direct.py), apart from
// Spark; here is what it is told of the tables, and what it found.
package direct

import (
	"slices"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// View is a temp view of the run and the table below it; Table is "" when that
// is not in PostgreSQL.
type View struct {
	Name    string   `json:"name"`
	Schema  string   `json:"schema"`
	Table   string   `json:"table"`
	Columns []Column `json:"columns"`
}

// Column is a column of a view, with Spark's type.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// How its values are the same in PostgreSQL: "plain", "bytes" (text that is
	// to be compared by its bytes), "text" (what counts are the bytes of its
	// text); "" = they are not.
	How string `json:"how"`
}

// Statement is the analysis as one statement of PostgreSQL.
type Statement struct {
	SQL    string                     `json:"sql"`
	Schema []sparkwright.ResultColumn `json:"schema"` // of its rows, with Spark's types
	// Limit is how many rows there are at most: more say that which rows are the
	// last ones is open. 0 = any number.
	Limit int    `json:"limit"`
	Why   string `json:"why"` // why there is no SQL
}

// MaxRows is how many rows an answer may have.
const MaxRows = 10_000

// Views are the views of a run.
func Views(reads []readplan.Read) []View {
	var out []View
	for i := range reads {
		r := &reads[i]
		v := View{Name: r.View}
		if readplan.FromPostgres(&r.Table) {
			v.Schema, v.Table = r.Table.Schema, r.Table.Name
		}
		for _, c := range r.Kept() {
			v.Columns = append(v.Columns, Column{Name: c.Name, Type: c.Type, How: how(r.Table.Column(c.Name), c.Type)})
		}
		out = append(out, v)
	}
	return out
}

func how(c *sparkwright.Column, spark string) string {
	if c == nil {
		return ""
	}
	switch c.BaseType {
	case "bool", "int2", "int4", "int8", "float8":
		return "plain"
	case "date", "timestamp", "timestamptz":
		if readplan.Regular(c) {
			return "plain"
		}
		return ""
	case "numeric":
		if c.Type != "numeric" && spark != "decimal(38,18)" { // without precision Spark reads 18 digits
			return "plain"
		}
		return ""
	case "text", "varchar":
		if c.Collation == "" {
			return "plain"
		}
		return "bytes"
	case "uuid":
		return "text"
	}
	if len(c.Enum) > 0 {
		return "text"
	}
	return ""
}

// Fits says why a statement does not answer with the columns that the dry run
// on Spark found; "" = it does.
func (s *Statement) Fits(schema []sparkwright.ResultColumn) string {
	switch {
	case s.SQL == "":
		return s.Why
	case !slices.Equal(s.Schema, schema):
		return "its types in PostgreSQL are not certain"
	}
	return ""
}
