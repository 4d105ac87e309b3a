package readplan_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/direct"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// world is a schema of its own with tables, and the views over it.
type world struct {
	b       *bed
	p       *peer
	name    string
	catalog *sparkwright.Catalog
	way     *broker.Session
	reads   []readplan.Read // whole
	made    map[string]string
	sql     string // that made it, for people
}

// newWorld makes tables in a schema of its own, which %[1]s stands for in the
// SQL. large has them read as large tables are.
func (b *bed) newWorld(ctx context.Context, p *peer, sql string, large bool) (*world, error) {
	b.worlds++
	w := &world{b: b, p: p, name: fmt.Sprintf("w%d", b.worlds), made: map[string]string{}, sql: sql}
	if _, err := b.owner.Exec(ctx, "CREATE SCHEMA "+w.name+"; SET search_path = "+w.name+", public; "+sql+"; ANALYZE"); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, sql)
	}
	catalog, err := b.source.Catalog(ctx, postgres.Filter{Schemas: []string{w.name}})
	if err != nil {
		return nil, err
	}
	w.catalog = catalog
	tables := []sparkwright.Relation{}
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		t.View = t.Name
		if large {
			t.Bytes = 1 << 30
		}
		tables = append(tables, sparkwright.Relation{Schema: t.Schema, Name: t.Name})
	}
	if w.way, err = b.broker.Begin(ctx, w.name, "parity", &b.login.Config, broker.Limits{Tables: tables}); err != nil {
		return nil, err
	}
	w.reads = readplan.Plan(catalog, nil, readplan.Options{Cores: 2, Scanned: map[string]bool{}})
	return w, nil
}

func (w *world) close(ctx context.Context) error {
	_, err := w.b.broker.End(ctx, w.name)
	_, dropped := w.b.owner.Exec(ctx, "DROP SCHEMA "+w.name+" CASCADE")
	return errors.Join(err, dropped)
}

// views makes the views of one way to read, once, and returns what their names
// begin with.
func (w *world) views(reads []readplan.Read, guard readplan.Guard, direct bool) (string, error) {
	key := fmt.Sprintf("%t %t %t %t", direct, guard.Aggregates, guard.Limits, guard.Filters)
	for i := range reads {
		key += fmt.Sprintf(" %s %d %q", reads[i].Strategy, reads[i].Partitions, reads[i].Predicates)
	}
	if prefix, ok := w.made[key]; ok {
		return prefix, nil
	}
	prefix := fmt.Sprintf("%s_%d_", w.name, len(w.made))
	conn := jobscript.Connection{Name: strings.TrimSuffix(prefix, "_"), URL: w.way.JDBCURL(), Guard: guard}
	user, password := w.way.Login().User, w.way.Login().Password
	if direct {
		address, err := postgres.JDBCURL(w.b.conn, "sparkwright/parity")
		if err != nil {
			return "", err
		}
		conn.URL, user, password = address, w.b.cred.User, w.b.cred.Password
	}
	mine := slices.Clone(reads)
	for i := range mine {
		mine[i].View = prefix + mine[i].View
		mine[i].Table.Connection = conn.Name
	}
	code, env, err := w.p.views(conn, user, password, mine)
	if err != nil {
		return "", err
	}
	a, err := w.p.call(map[string]any{"op": "run", "code": code, "env": env})
	if err == nil && a.Error != "" {
		err = fmt.Errorf("views: %s", a.Error)
	}
	w.made[key] = prefix
	return prefix, err
}

// expect makes views of the tables' values that no JDBC has touched: their text
// travels by another way, and each is cast as the product promises to read it.
func (w *world) expect(ctx context.Context) (string, error) {
	if prefix, ok := w.made["expected"]; ok {
		return prefix, nil
	}
	prefix := w.name + "_e_"
	for i := range w.reads {
		r := &w.reads[i]
		var schema, columns, texts []string
		padded := map[int]string{} // by place
		for j, c := range r.Kept() {
			name := fmt.Sprintf("c%d", j)
			kind, cast, text := expected(c, name, pgx.Identifier{c.Name}.Sanitize())
			schema, texts = append(schema, name+" "+kind), append(texts, text)
			columns = append(columns, cast+" AS `"+strings.ReplaceAll(c.Name, "`", "``")+"`")
			if kind, is := strings.CutPrefix(r.Table.Column(c.Name).Type, "character("); is {
				padded[j] = "char(" + kind
			}
		}
		rows := [][]any{}
		found, err := w.b.owner.Query(ctx, "SELECT jsonb_build_array("+strings.Join(texts, ", ")+")::text FROM "+pgx.Identifier{r.Table.Schema, r.Table.Name}.Sanitize())
		if err != nil {
			return "", err
		}
		var text string
		if _, err = pgx.ForEachRow(found, []any{&text}, func() error {
			var row []any
			fault := json.Unmarshal([]byte(text), &row)
			rows = append(rows, row)
			return fault
		}); err != nil {
			return "", err
		}
		a, err := w.p.call(map[string]any{"op": "expect", "view": prefix + r.View, "schema": strings.Join(schema, ", "), "columns": columns, "rows": rows, "padded": padded})
		if err == nil && a.Error != "" {
			err = errors.New("expected: " + a.Error)
		}
		if err != nil {
			return "", err
		}
	}
	w.made["expected"] = prefix
	return prefix, nil
}

// expected says how the text of a column becomes what Spark should read: the
// type of the text, its cast, and PostgreSQL's expression of the text.
func expected(c readplan.SparkColumn, name, column string) (kind, cast, text string) {
	if element, ok := strings.CutPrefix(c.Type, "array<"); ok {
		element = strings.TrimSuffix(element, ">")
		return "array<string>", "transform(" + name + ", x -> " + castText("x", element) + ")",
			"CASE WHEN " + column + " IS NOT NULL THEN (SELECT coalesce(jsonb_agg(u::text ORDER BY o), '[]') FROM unnest(" + column + ") WITH ORDINALITY AS x (u, o)) END"
	}
	return "string", castText(name, c.Type), "CASE WHEN " + column + " IS NOT NULL THEN format('%s', " + column + ") END" // as its output function writes it
}

func castText(name, kind string) string {
	switch kind {
	case "binary":
		return "CASE WHEN " + name + " LIKE '\\\\\\\\x%' THEN unhex(substr(" + name + ", 3)) ELSE CAST(" + name + " AS BINARY) END"
	case "date":
		return "CASE WHEN " + name + " = 'infinity' THEN DATE'9999-12-31' WHEN " + name + " = '-infinity' THEN DATE'0001-01-03' WHEN " + name +
			" LIKE '% BC' THEN CAST('-' || lpad(CAST(substr(" + name + ", 1, 4) AS INT) - 1, 4, '0') || substr(" + name + ", 5, 6) AS DATE) ELSE CAST(" + name + " AS DATE) END"
	case "timestamp":
		return "CASE WHEN " + name + " = 'infinity' THEN TIMESTAMP'9999-12-31 23:59:59.999' WHEN " + name + " = '-infinity' THEN TIMESTAMP'0001-01-03' WHEN " + name +
			" LIKE '__:__:__%' THEN CAST('1970-01-01 ' || " + name + " AS TIMESTAMP) ELSE CAST(" + name + " AS TIMESTAMP) END"
	default:
		return "CAST(" + name + " AS " + kind + ")"
	}
}

// query is an analysis; {t} in its SQL stands for the view of table t.
type query struct {
	sql string
}

func (q query) code(prefix string, w *world) string {
	sql := q.sql
	for i := range w.reads {
		sql = strings.ReplaceAll(sql, "{"+w.reads[i].View+"}", prefix+w.reads[i].View)
	}
	text, _ := json.Marshal(sql)
	return "result = spark.sql(" + string(text) + ")"
}

// ask has the query answered by each view, in one job, and beside it the program
// of PostgreSQL's own answer, "" = there is none.
func (w *world) ask(q query, names map[string]string, own string) (map[string]answer, error) {
	codes := map[string]string{} // by prefix
	if own != "" {
		names["direct"] = "direct"
		codes["direct"] = own
	}
	for name, prefix := range names {
		if name != "direct" {
			codes[prefix] = q.code(prefix, w)
		}
	}
	a, err := w.p.call(map[string]any{"op": "ask", "codes": codes})
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	out := map[string]answer{}
	for name, prefix := range names {
		out[name] = a.Answers[prefix]
	}
	return out, err
}

// direct has PostgreSQL answer by itself, where the product would: the rows are
// left as a job leaves them, and the program that is returned has Spark show them.
func (w *world) direct(ctx context.Context, q query) (code string, err error) {
	if w.p.old {
		return "", nil
	}
	code = q.code("", w)
	reads, err := readplan.WithEnds(w.reads, readplan.Mentioned(code), w.query)
	if err != nil {
		return "", err
	}
	s, err := w.b.spark.Direct(ctx, directRun, code, direct.Views(reads))
	if err != nil || s.SQL == "" {
		return "", err
	}
	rows, failed := w.query("", s.SQL)
	m := sparkwright.Manifest{RunID: "parity", AttemptID: "parity", Location: filepath.Join(w.b.dir, "direct"), Schema: s.Schema}
	if failed != nil || s.Limit > 0 && len(rows) > s.Limit || artifact.Write(ctx, &m, rows, 0) != nil {
		return "", nil //nolint:nilerr // Spark answers then
	}
	text, err := json.Marshal(filepath.Join(m.Location, m.Parts[0].Path))
	return "result = spark.read.parquet(" + string(text) + ")", err
}

// outcome of one query in all ways.
type outcome struct {
	scans    []readplan.Scan
	part     bool // PostgreSQL works something out
	guard    readplan.Guard
	reads    []readplan.Read // where the plan is known
	answers  map[string]answer
	problems []string
}

// ways are the guards and reads that the product could choose for a query: for
// a plan that is known, and for one that is not.
func (w *world) ways(q query, out *outcome) (map[string]string, error) {
	names := map[string]string{}
	var err error
	if names["pushed, plan not known"], err = w.views(readplan.Plan(w.catalog, nil, readplan.Options{Cores: 2}), readplan.AllGuards(w.reads, q.code("", w))["t"], false); err != nil {
		return names, err
	}
	if w.p.old {
		var a answer
		a, err = w.p.call(map[string]any{"op": "plan", "code": q.code(names["pushed, plan not known"], w)})
		for _, what := range []string{"Aggregates", "GroupByExpressions", "Limit", "TopN"} {
			out.part = out.part || strings.Contains(a.Plan, "\nPushed"+what+": ")
		}
		return names, err
	}
	plain, err := w.views(w.reads, readplan.Guard{}, false)
	if err != nil {
		return nil, err
	}
	a, err := w.p.call(map[string]any{"op": "plan", "code": q.code(plain, w)})
	if err != nil {
		return nil, err
	}
	if a.Error != "" {
		return nil, errors.New("no plan: " + a.Error)
	}
	scans, ok := readplan.Explained(a.Plan, w.reads)
	if ok {
		out.scans = scans
		out.part = slices.ContainsFunc(scans, func(s readplan.Scan) bool { return !s.Rows })
		reads, err := readplan.WithEnds(w.reads, readplan.Mentioned(q.code("", w)), w.query)
		if err != nil {
			return nil, err
		}
		out.guard = readplan.Guards(scans, reads)["t"]
		opt := readplan.Options{Cores: 2, MaxConnections: 3, Scanned: readplan.Scanned(scans), Pages: true}
		if opt.Leaves, err = w.leaves(scans, out.guard); err != nil {
			return nil, err
		}
		out.reads = readplan.Plan(w.catalog, nil, opt)
		if names["pushed"], err = w.views(out.reads, out.guard, false); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// query asks PostgreSQL by the broker's way.
func (w *world) query(_, sql string) ([][]*string, error) {
	return w.way.Query(context.Background(), sql, time.Minute)
}

// leaves are the partitions of the world's large tables, found by the broker's
// way, and as if they were large too.
func (w *world) leaves(scans []readplan.Scan, guard readplan.Guard) (map[string][]readplan.Leaf, error) {
	leaves, err := readplan.FindLeaves(w.reads, scans, map[string]readplan.Guard{"t": guard}, w.query)
	for _, list := range leaves {
		for i := range list {
			list[i].Bytes = 100 << 20
		}
	}
	return leaves, err
}

// compare asks a query in every way, and says where the answers differ. Where
// the answer is known, as show writes it, no other one is asked for.
func (w *world) compare(ctx context.Context, q query, known string) (*outcome, error) {
	out := &outcome{}
	names, err := w.ways(q, out)
	if err != nil {
		return out, err
	}
	if known == "" {
		if names["unpushed"], err = w.views(w.reads, readplan.Guard{Aggregates: true, Limits: true, Filters: true}, true); err != nil {
			return out, err
		}
		if names["expected"], err = w.expect(ctx); err != nil {
			return out, err
		}
	}
	code, err := w.direct(ctx, q)
	if err != nil {
		return out, err
	}
	if out.answers, err = w.ask(q, names, code); err != nil {
		return out, err
	}
	if !slices.Equal(out.answers["direct"].Types, out.answers["pushed, plan not known"].Types) {
		delete(out.answers, "direct") // the types are not certain, and Spark answers
	}
	for _, name := range slices.Sorted(maps.Keys(out.answers)) {
		got, why := out.answers[name], ""
		switch {
		case w.p.old && got.Error != "" && (known != "" || out.answers["unpushed"].Error != ""):
			continue // it cannot read a value, and says so
		case known == "":
			why = differ(out.answers["expected"], got)
		case got.Error != "" || show(sorted(got)) != known:
			why = got.Error + show(sorted(got)) + ", want " + known
		}
		if why != "" {
			out.problems = append(out.problems, name+": "+why)
		}
	}
	return out, nil
}
