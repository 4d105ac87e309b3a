package readplan_test

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

//go:embed testdata/parity.py
var parityProgram string

// peer is a Spark session that makes views, explains and answers.
type peer struct {
	version string
	old     bool // Spark 3.5, where the plan is not known before
	lines   *bufio.Reader
	conn    net.Conn
	// views writes the program that makes the views of reads, with a guard, and
	// the environment that it wants.
	views func(conn jobscript.Connection, user, password string, reads []readplan.Read) (string, map[string]string, error)
}

// answer is what the peer says.
type answer struct {
	Version string            `json:"version"`
	Error   string            `json:"error"`
	Plan    string            `json:"plan"`
	Types   []string          `json:"types"`
	Rows    [][]*string       `json:"rows"`
	Answers map[string]answer `json:"answers"`
}

func (p *peer) call(request map[string]any) (answer, error) {
	var a answer
	text, err := json.Marshal(request)
	if err != nil {
		return a, err
	}
	if err = p.conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return a, err
	}
	if _, err = p.conn.Write(append(text, '\n')); err != nil {
		return a, err
	}
	return a, p.receive(&a)
}

func (p *peer) receive(a *answer) error {
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the Spark session is gone: %w", err)
	}
	return json.Unmarshal(line, a)
}

// meet waits for the program that begin has started with a socket's path.
func meet(dir string, begin func(socket string) error) (*peer, error) {
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	defer l.Close() //nolint:errcheck // one peer
	if err = begin(socket); err != nil {
		return nil, err
	}
	if err = l.(*net.UnixListener).SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return nil, err
	}
	p := &peer{}
	if p.conn, err = l.Accept(); err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(p.conn)
	var hello answer
	if err = p.receive(&hello); err != nil {
		return nil, err
	}
	p.version = hello.Version
	return p, nil
}

// bed is what the tests with Spark share: one PostgreSQL, whose database orders
// text as ICU does, one warm Spark, one session in it.
type bed struct {
	dir    string
	server *pgembed.Server
	conn   sparkwright.Connection
	cred   sparkwright.Credentials
	login  *pgx.ConnConfig
	owner  *pgx.Conn
	source *postgres.Source
	broker *broker.Broker
	spark  *connect.Executor
	peer   *peer
	worlds int
}

var shared struct {
	sync.Mutex
	bed *bed
	err error
}

// theBed is made once. Tests that use its session run one after the other.
func theBed(t *testing.T) *bed {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.bed == nil && shared.err == nil {
		shared.bed, shared.err = newBed(t)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.bed
}

func newBed(t *testing.T) (*bed, error) {
	ctx := context.WithoutCancel(t.Context())
	dir, err := os.MkdirTemp("", "readplan-test-") //nolint:usetesting // it outlives the test that makes it
	if err != nil {
		return nil, err
	}
	b := &bed{dir: dir, broker: broker.New(slog.New(slog.DiscardHandler))}
	b.server, err = pgembed.Start(ctx, pgembed.Options{
		Dir: filepath.Join(dir, "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
		RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		return nil, err
	}
	b.conn, b.cred = loginOf(t, b.server)
	if err = b.makeDatabase(ctx); err != nil {
		return nil, err
	}
	b.spark = connect.New(connect.Config{Runtime: testkit.Runtime(t), Master: "local[2]", DriverMemory: "1g", Unconfined: true}) // its scripts are the tests' own
	b.peer, err = meet(dir, func(socket string) error {
		_, err = b.spark.Submit(ctx, sparkwright.Job{
			Attempt:  sparkwright.Attempt{ID: "parity-1", RunID: "parity", Script: parityProgram},
			Location: filepath.Join(dir, "result"), Secrets: map[string]string{"PARITY_SOCKET": socket},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	b.peer.views = localViews
	return b, nil
}

func (b *bed) makeDatabase(ctx context.Context) error {
	cfg, err := postgres.Config(b.conn, b.cred)
	if err != nil {
		return err
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	admin, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer admin.Close(ctx) //nolint:errcheck // nothing is lost
	if _, err = admin.Exec(ctx, `CREATE DATABASE parity TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'`); err != nil {
		return err
	}
	if _, err = admin.Exec(ctx, `ALTER DATABASE parity SET timezone = 'America/Los_Angeles'`); err != nil { // every session of ours says UTC
		return err
	}
	b.conn.Database = "parity"
	if b.login, err = postgres.Config(b.conn, b.cred); err != nil {
		return err
	}
	writer := b.login.Copy()
	delete(writer.RuntimeParams, "default_transaction_read_only")
	if b.owner, err = pgx.ConnectConfig(ctx, writer); err != nil {
		return err
	}
	if _, err = b.owner.Exec(ctx, `CREATE TYPE mood AS ENUM ('sad', 'happy', 'Angry'); CREATE DOMAIN small AS int CHECK (value < 10);
		CREATE COLLATION folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`); err != nil {
		return err
	}
	b.source, err = postgres.Open(ctx, b.conn, b.cred)
	return err
}

// closeBed ends what theBed has started.
func closeBed() {
	b := shared.bed
	if b == nil {
		return
	}
	ctx := context.Background()
	_ = b.peer.conn.Close()
	b.spark.Close(ctx)
	b.source.Close()
	_ = b.owner.Close(ctx)
	b.broker.Close(ctx)
	_ = b.server.Stop(ctx)
	_ = os.RemoveAll(b.dir)
}

// localViews are those of a script of this machine.
func localViews(conn jobscript.Connection, user, password string, reads []readplan.Read) (string, map[string]string, error) {
	code, err := jobscript.Views(jobscript.Spec{RunID: "parity", Connections: []jobscript.Connection{conn}, Reads: reads})
	return code, map[string]string{jobscript.UserEnv(0): user, jobscript.PasswordEnv(0): password}, err
}

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
		for j, c := range r.Kept() {
			name := fmt.Sprintf("c%d", j)
			kind, cast, text := expected(c, name, pgx.Identifier{c.Name}.Sanitize())
			schema, texts = append(schema, name+" "+kind), append(texts, text)
			columns = append(columns, cast+" AS `"+strings.ReplaceAll(c.Name, "`", "``")+"`")
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
		a, err := w.p.call(map[string]any{"op": "expect", "view": prefix + r.View, "schema": strings.Join(schema, ", "), "columns": columns, "rows": rows})
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

// ask has the query answered by each view, in one job.
func (w *world) ask(q query, names map[string]string) (map[string]answer, error) {
	codes := map[string]string{} // by prefix
	for _, prefix := range names {
		codes[prefix] = q.code(prefix, w)
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
		out.guard = readplan.Guards(scans, w.reads)["t"]
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

// leaves are the partitions of the world's large tables, found by the broker's
// way, and as if they were large too.
func (w *world) leaves(scans []readplan.Scan, guard readplan.Guard) (map[string][]readplan.Leaf, error) {
	leaves, err := readplan.FindLeaves(w.reads, scans, map[string]readplan.Guard{"t": guard}, func(_, sql string) ([][]*string, error) {
		return w.way.Query(context.Background(), sql, time.Minute)
	})
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
	if out.answers, err = w.ask(q, names); err != nil {
		return out, err
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

// loginOf is the superuser's.
func loginOf(t *testing.T, srv *pgembed.Server) (sparkwright.Connection, sparkwright.Credentials) {
	t.Helper()
	conn := srv.Connection()
	conn.Name = "t"
	text, err := os.ReadFile(strings.TrimPrefix(conn.Secret, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	return conn, sparkwright.Credentials{User: conn.User, Password: strings.TrimSpace(string(text))}
}
