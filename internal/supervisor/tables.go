package supervisor

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// Catalog returns what a request about that connection and these tables would
// see, with view names.
func (s *Service) Catalog(ctx context.Context, connection string, tables []string) (*sparkwright.Catalog, error) {
	catalog, err := s.selectTables(ctx, connection, tables, map[string]Database{})
	if err == nil {
		readplan.NameViews(catalog)
	}
	return catalog, err
}

func (s *Service) selectTables(ctx context.Context, connection string, tables []string, opened map[string]Database) (*sparkwright.Catalog, error) {
	if connection == "" && len(tables) == 0 {
		names, err := s.cfg.Databases.Names(ctx)
		if err != nil {
			return nil, err
		}
		if len(names) != 1 {
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "it is not said which tables to ask about", Because: "connections: " + orNone(names),
				Remedy: "add --connection NAME or --table CONNECTION.SCHEMA.TABLE; sparkwright connections add makes one",
			}
		}
		connection = names[0]
	}
	load := func(name string) (*sparkwright.Catalog, error) {
		db := opened[name]
		if db == nil {
			var err error
			if db, err = s.cfg.Databases.Open(ctx, name); err != nil {
				return nil, err
			}
			opened[name] = db
		}
		return db.Catalog(ctx)
	}
	if len(tables) == 0 {
		all, err := load(connection)
		if err != nil {
			return nil, err
		}
		return readable(all, connection)
	}
	out := &sparkwright.Catalog{}
	seen := map[string]bool{}
	for _, name := range tables {
		t, err := s.find(ctx, name, connection, load)
		if err != nil {
			return nil, err
		}
		if !seen[t.QualifiedName()] {
			seen[t.QualifiedName()] = true
			out.Tables = append(out.Tables, *t)
		}
	}
	return out, nil
}

// readable are the tables of a whole connection that its login may read.
func readable(all *sparkwright.Catalog, connection string) (*sparkwright.Catalog, error) {
	out := &sparkwright.Catalog{}
	for i := range all.Tables {
		if all.Tables[i].Readable {
			out.Tables = append(out.Tables, all.Tables[i])
		}
	}
	if len(out.Tables) == 0 {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeNotFound, Message: connection + " has no table that its login may read",
			Because: fmt.Sprintf("%d tables were seen", len(all.Tables)), Remedy: "GRANT SELECT ON ALL TABLES IN SCHEMA … TO the connection's role",
		}
	}
	return out, nil
}

// find finds one table by connection.schema.table, or by less where that is
// plain. Names may hold dots: every split is tried.
func (s *Service) find(ctx context.Context, name, connection string, load func(string) (*sparkwright.Catalog, error)) (*sparkwright.Table, error) {
	if f, ok := s.cfg.Databases.(TableFinder); ok {
		if t, err := f.FindTable(ctx, name); t != nil || err != nil {
			return t, err
		}
	}
	names, err := s.cfg.Databases.Names(ctx)
	if err != nil {
		return nil, err
	}
	conn, rest := connection, name
	for _, c := range names {
		if after, ok := strings.CutPrefix(name, c+"."); ok && (connection == "" || connection == c) {
			conn, rest = c, after
			break
		}
		// c/DATABASE is another database of the connection's server.
		if after, ok := strings.CutPrefix(name, c+"/"); ok {
			if database, table, ok := strings.Cut(after, "."); ok {
				conn, rest = c+"/"+database, table
				break
			}
		}
	}
	if conn == "" && len(names) == 1 {
		conn = names[0]
	}
	if conn == "" {
		first, _, _ := strings.Cut(name, ".")
		return nil, notFound("connection", first, s.cfg.Nearest(first, names, 3), "sparkwright connections list")
	}
	catalog, err := load(conn)
	if err != nil {
		return nil, err
	}
	var matches []*sparkwright.Table
	var candidates []string
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		candidates = append(candidates, t.QualifiedName())
		if rest == t.Schema+"."+t.Name {
			matches = []*sparkwright.Table{t}
			break
		}
		if rest == t.Name {
			matches = append(matches, t)
		}
	}
	switch {
	case len(matches) == 0:
		return nil, notFound("table", name, s.cfg.Nearest(conn+"."+rest, candidates, 3), "sparkwright tables")
	case len(matches) > 1:
		var are []string
		for _, t := range matches {
			are = append(are, t.QualifiedName())
		}
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: fmt.Sprintf("%q could be one of %d tables", name, len(matches)),
			Because: strings.Join(are, ", "), Remedy: "name it with its schema",
		}
	case !matches[0].Readable:
		t := matches[0]
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeUnauthorized, Message: "permission denied for " + t.QualifiedName(),
			Because: "the connection's role may not read it",
			Remedy:  fmt.Sprintf(`GRANT USAGE ON SCHEMA "%s" TO the role; GRANT SELECT ON "%s"."%s" TO the role`, t.Schema, t.Schema, t.Name),
		}
	default:
		return matches[0], nil
	}
}

func notFound(what, name string, near []string, list string) error {
	e := &sparkwright.Error{Code: sparkwright.CodeNotFound, Message: fmt.Sprintf("there is no %s %q", what, name), Remedy: "see " + list}
	if len(near) > 0 {
		e.Because = "nearest: " + strings.Join(near, ", ")
	}
	return e
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}
