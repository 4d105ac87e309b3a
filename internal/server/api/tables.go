package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// Catalog knows the tables of connections.
type Catalog interface {
	// Catalog is everything in a connection's database. It may be some seconds
	// old.
	Catalog(ctx context.Context, connection string) (*sparkwright.Catalog, error)
}

// TableHead is a table in a list.
type TableHead struct {
	Schema      string                `json:"schema"`
	Name        string                `json:"name"`
	Qualified   string                `json:"qualified" doc:"connection.schema.table, as requests name it"`
	Kind        sparkwright.TableKind `json:"kind"`
	Comment     string                `json:"comment,omitempty"`
	Columns     int                   `json:"columns"`
	RowEstimate int64                 `json:"row_estimate" doc:"-1 = never analysed"`
	Bytes       int64                 `json:"bytes"`
	Readable    bool                  `json:"readable"`
}

// TableList is one page of a connection's tables, by schema and name.
type TableList struct {
	Tables     []TableHead `json:"tables"`
	Total      int         `json:"total" doc:"Tables that fit the search"`
	NextOffset *int        `json:"next_offset,omitempty"`
}

func (a *API) registerTables() {
	list := operation("list-tables", http.MethodGet, "/connections/{name}/tables", "List or search the tables of a connection", "connections")
	register(a, list, a.tables)
	register(a, operation("get-table", http.MethodGet, "/connections/{name}/tables/{schema}/{table}", "Columns, keys, comments and statistics of a table", "connections"),
		func(ctx context.Context, in *TablePath) (*body[sparkwright.Table], error) {
			t, err := a.table(ctx, in)
			if err != nil {
				return nil, err
			}
			if !a.showValues(ctx) {
				t = withoutValues(t)
			}
			return reply(*t, nil)
		})
}

func (a *API) catalog(ctx context.Context, connection string) ([]sparkwright.Table, error) {
	if a.cfg.Catalog == nil {
		return nil, absent("tables")
	}
	c, err := a.cfg.Catalog.Catalog(ctx, connection)
	if err != nil {
		return nil, err
	}
	return c.Tables, nil
}

func (a *API) tables(ctx context.Context, in *struct {
	ConnectionPath
	Text   string `query:"q" doc:"Words that name, comment or columns of the table hold" maxLength:"200"`
	Schema string `query:"schema" maxLength:"63"`
	Offset int    `query:"offset" minimum:"0"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
},
) (*body[TableList], error) {
	all, err := a.catalog(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(strings.ToLower(in.Text))
	found := make([]TableHead, 0, min(len(all), in.Limit))
	for i := range all {
		t := &all[i]
		if (in.Schema != "" && t.Schema != in.Schema) || !holds(t, words) {
			continue
		}
		found = append(found, TableHead{
			Schema: t.Schema, Name: t.Name, Qualified: t.QualifiedName(), Kind: t.Kind, Comment: t.Comment, Columns: len(t.Columns),
			RowEstimate: t.RowEstimate, Bytes: t.Bytes, Readable: t.Readable,
		})
	}
	slices.SortStableFunc(found, func(a, b TableHead) int {
		if c := strings.Compare(a.Schema, b.Schema); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	out := TableList{Total: len(found)}
	begin := min(in.Offset, len(found))
	end := min(begin+in.Limit, len(found))
	if out.Tables = found[begin:end]; end < len(found) {
		out.NextOffset = &end
	}
	return reply(out, nil)
}

// holds reports whether every word is somewhere in the table.
func holds(t *sparkwright.Table, words []string) bool {
	for _, word := range words {
		in := func(text string) bool { return strings.Contains(strings.ToLower(text), word) }
		if !in(t.Schema+"."+t.Name) && !in(t.Comment) && !slices.ContainsFunc(t.Columns, func(c sparkwright.Column) bool { return in(c.Name) || in(c.Comment) }) {
			return false
		}
	}
	return true
}

// TablePath names a table.
type TablePath struct {
	ConnectionPath
	Schema string `path:"schema" maxLength:"256"`
	Table  string `path:"table" maxLength:"256"`
}

func (a *API) table(ctx context.Context, in *TablePath) (*sparkwright.Table, error) {
	all, err := a.catalog(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Schema == in.Schema && all[i].Name == in.Table {
			return &all[i], nil
		}
	}
	return nil, &sparkwright.Error{Code: sparkwright.CodeNotFound, Message: "the connection has no table of that name", Remedy: "see " + Prefix + "/connections/" + in.Name + "/tables"}
}
