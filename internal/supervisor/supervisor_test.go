package supervisor_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// TestRuns shares one PostgreSQL and one Spark among all cases.
func TestRuns(t *testing.T) { //nolint:tparallel // the cases share one Spark, in order
	t.Parallel()
	b := setup(t)
	t.Run("outcomes", func(t *testing.T) {
		for _, tt := range outcomes {
			t.Run(tt.name, func(t *testing.T) { tt.run(t, b) })
		}
	})
	t.Run("a model answers and the planner reads along", func(t *testing.T) { readTwice(t, b) })
	t.Run("a model repairs what the lint finds in DataFrames", func(t *testing.T) { repairedFrames(t, b) })
	t.Run("a question that can be read in two ways", func(t *testing.T) { ambiguous(t, b) })
	t.Run("PostgreSQL answers by itself", func(t *testing.T) { answeredDirectly(t, b) })
	t.Run("a table dropped after the catalog was read", func(t *testing.T) { dropped(t, b) })
	t.Run("a grant revoked after the catalog was read", func(t *testing.T) { revoked(t, b) })
	t.Run("Ctrl-C", func(t *testing.T) { interrupted(t, b) })
	t.Run("cancel from another process", func(t *testing.T) { cancelled(t, b) })
	t.Run("in the background", func(t *testing.T) { inBackground(t, b) })
	t.Run("cancelled in the background", func(t *testing.T) { cancelledInBackground(t, b) })
	t.Run("batch gives the same rows", func(t *testing.T) { sameByBatch(t, b) })
	t.Run("the client is killed", func(t *testing.T) { clientKilled(t, b) })
	t.Run("PostgreSQL ends the connections", func(t *testing.T) { backendsKilled(t, b) })
	t.Run("a run of a dead process is closed", func(t *testing.T) { reconciled(t, b) })
	t.Run("two databases have a snapshot each", func(t *testing.T) { twoSnapshots(t, b) })
	t.Run("no backend is left", func(t *testing.T) {
		eventually(t, "no backend of any run", func() bool { return b.left(t) == 0 })
	})
	t.Run("no password anywhere", func(t *testing.T) { noPassword(t, b) })
}

// outcome is one request and what must come of it.
type outcome struct {
	name  string
	req   supervisor.Request
	state sparkwright.RunState
	code  sparkwright.Code // of the error; "" = none
	says  string           // somewhere in message, cause or remedy
	rows  string           // the preview, as JSON

	verified bool // the cross-check must agree
	once     bool // one statement alone has brought rows to Spark
}

var outcomes = []outcome{
	{
		name: "a question", req: supervisor.Request{Question: "how many orders per customer", Tables: []string{"t.public.orders"}},
		state: sparkwright.RunSucceeded, verified: true,
		rows: `[["c0",100],["c1",100],["c2",100],["c3",100],["c4",100],["c5",100],["c6",100],["c7",100],["c8",100],["c9",100]]`,
	},
	{
		name:  "own code",
		req:   supervisor.Request{Code: "result = spark.sql('SELECT sum(amount) AS s, max(created_at) AS m FROM orders')", Tables: []string{"orders"}, Connection: "t"},
		state: sparkwright.RunSucceeded, rows: `[[500750.00,"2025-02-11T16:00:00Z"]]`, verified: true,
	},
	// What PostgreSQL orders or compares differently than Spark is not handed to
	// it: these are the answers of Spark alone.
	{
		name: "first rows by text of another collation", req: supervisor.Request{Code: "result = spark.sql('SELECT w FROM words WHERE w IS NOT NULL ORDER BY w LIMIT 3')", Tables: []string{"t.public.words"}},
		state: sparkwright.RunSucceeded, rows: `[["B"],["a"],["b"]]`,
	},
	{
		name: "smallest and largest text of another collation", req: supervisor.Request{Code: "result = spark.sql('SELECT min(w), max(w), count(w) FROM words')", Tables: []string{"t.public.words"}},
		state: sparkwright.RunSucceeded, rows: `[["B","ä",4]]`,
	},
	{
		name: "a range of text of another collation", req: supervisor.Request{Code: "result = spark.sql(\"SELECT count(*) FROM words WHERE w > 'Z'\")", Tables: []string{"t.public.words"}},
		state: sparkwright.RunSucceeded, rows: `[[3]]`,
	},
	{
		name: "the largest of an enum", req: supervisor.Request{Code: "result = spark.table('words').agg({'m': 'max'})", Tables: []string{"t.public.words"}},
		state: sparkwright.RunSucceeded, rows: `[["sad"]]`,
	},
	{
		name: "char(n) is compared with its blanks", req: supervisor.Request{Code: "result = spark.sql(\"SELECT count(*) FROM words WHERE c = 'a'\")", Tables: []string{"t.public.words"}},
		state: sparkwright.RunSucceeded, rows: `[[2]]`,
	},
	{
		name: "equal text of another collation is handed over", req: supervisor.Request{Code: "result = spark.sql(\"SELECT m, count(*) AS n FROM words WHERE w IN ('a', 'B') GROUP BY m ORDER BY n, m\")", Tables: []string{"t.public.words"}},
		state: sparkwright.RunSucceeded, rows: `[["happy",1],["sad",1]]`, verified: true,
	},
	{
		name:  "sorted groups: PostgreSQL is asked once, not for a look at the rows too",
		req:   supervisor.Request{Code: "result = spark.sql('SELECT customer, sum(amount) AS s FROM orders GROUP BY customer ORDER BY s DESC')", Tables: []string{"t.public.orders"}},
		state: sparkwright.RunSucceeded, once: true,
	},
	{
		name: "sorted rows: PostgreSQL is asked once", req: supervisor.Request{Code: "result = spark.sql('SELECT id FROM orders ORDER BY id DESC')", Tables: []string{"t.public.orders"}},
		state: sparkwright.RunSucceeded, once: true,
	},
	{
		name: "zero rows", req: supervisor.Request{Code: "result = spark.sql('SELECT * FROM orders WHERE id < 0')", Tables: []string{"t.public.orders"}},
		state: sparkwright.RunSucceeded, rows: `[]`,
	},
	{
		name: "an empty table", req: supervisor.Request{Code: "result = spark.sql('SELECT count(*) AS n, max(name) AS m FROM nothing')", Tables: []string{"t.public.nothing"}},
		state: sparkwright.RunSucceeded, rows: `[[0,null]]`,
	},
	{
		name: "1,600 columns", req: supervisor.Request{Code: "result = spark.sql('SELECT c1, c1600 FROM wide')", Tables: []string{"t.public.wide"}},
		state: sparkwright.RunSucceeded, rows: `[[1,1600]]`,
	},
	{
		name: "all of 1,600 columns", req: supervisor.Request{Code: "result = spark.table('wide')", Tables: []string{"t.public.wide"}},
		state: sparkwright.RunSucceeded,
	},
	{
		name:  "names with quotes, dots, capitals and unicode",
		req:   supervisor.Request{Code: "result = spark.sql('SELECT `Order.Id`, `naïve col` FROM K_ufe__2025_')", Tables: []string{`t.My.Schema.Käufe "2025"`}},
		state: sparkwright.RunSucceeded, rows: `[[7,"ünïcode"]]`,
	},
	{
		name: "columns that Spark cannot read are left out", req: supervisor.Request{Code: "result = spark.table('odd')", Tables: []string{"t.public.odd"}},
		state: sparkwright.RunSucceeded, rows: `[[1,"yes"]]`,
	},
	{
		name: "a column that was left out", req: supervisor.Request{Code: "result = spark.sql('SELECT big FROM odd')", Tables: []string{"t.public.odd"}},
		state: sparkwright.RunFailed, code: sparkwright.CodeJobFailed, says: "left out: numeric(60,10)",
	},
	{
		name: "an unknown column", req: supervisor.Request{Code: "x = 1\nresult = spark.sql('SELECT amonut FROM orders')", Tables: []string{"t.public.orders"}},
		state: sparkwright.RunFailed, code: sparkwright.CodeJobFailed, says: "`amount`",
	},
	{
		name: "a violation", req: supervisor.Request{Code: "import os\nresult = spark.table('orders')", Tables: []string{"t.public.orders"}},
		state: sparkwright.RunFailed, code: sparkwright.CodeJobFailed, says: "line 1",
	},
	{
		name: "a fault while it runs", req: supervisor.Request{Code: "result = spark.sql('SELECT CAST(customer AS INT) AS n FROM orders')", Tables: []string{"t.public.orders"}},
		state: sparkwright.RunFailed, code: sparkwright.CodeJobFailed, says: "CAST_INVALID_INPUT",
	},
	{
		name: "an unknown table", req: supervisor.Request{Code: "result = 1", Tables: []string{"t.public.oders"}},
		state: sparkwright.RunFailed, code: sparkwright.CodeNotFound, says: "t.public.orders",
	},
	{
		name: "an unknown connection", req: supervisor.Request{Code: "result = 1", Connection: "tt"},
		state: sparkwright.RunFailed, code: sparkwright.CodeNotFound, says: `"tt"`,
	},
	{
		name: "nothing is said about tables", req: supervisor.Request{Question: "how many"},
		state: sparkwright.RunFailed, code: sparkwright.CodeInvalid, says: "--connection",
	},
	{
		name: "a table without permission", req: supervisor.Request{Question: "how many", Tables: []string{"narrow.public.secret"}},
		state: sparkwright.RunFailed, code: sparkwright.CodeUnauthorized, says: "GRANT SELECT",
	},
	{
		name: "a question that the data cannot answer", req: supervisor.Request{Question: "what will the weather be tomorrow", Connection: "narrow"},
		state: sparkwright.RunDeclined,
	},
}

func (tt *outcome) run(t *testing.T, b *bundle) {
	run, err := b.svc.Ask(t.Context(), tt.req)
	if run == nil {
		t.Fatal(err)
	}
	if run.State != tt.state || sparkwright.ErrorCode(err) != tt.code {
		t.Fatalf("state %s, error %v, fault %+v", run.State, err, run.Fault)
	}
	if f := run.Fault; tt.says != "" && !strings.Contains(f.Message+f.Because+f.Remedy, tt.says) {
		t.Errorf("%q is not said in %+v", tt.says, f)
	}
	if tt.rows != "" {
		if got := preview(t, run); got != tt.rows {
			t.Errorf("rows %s, want %s", got, tt.rows)
		}
	}
	if m := run.Result; m != nil && len(run.Views) > 0 {
		if m.Snapshot == nil || m.Snapshot.ID == "" || m.Snapshot.LSN == "" || m.Snapshot.Connection != "t" {
			t.Errorf("snapshot %+v", m.Snapshot)
		}
		if r := run.Receipt; r == nil || len(r.Statements) == 0 || len(r.Tables) != len(run.Views) || r.Expected.Seconds <= 0 || r.Actual.Seconds <= 0 {
			t.Errorf("receipt %+v", r)
		}
		if brought := bringing(run.Receipt); tt.once && len(brought) != 1 {
			t.Errorf("PostgreSQL was asked for rows by %q", brought)
		}
		if run.Crosscheck == nil || run.Crosscheck.State == sparkwright.CrosscheckMismatch {
			t.Errorf("cross-check %+v", run.Crosscheck)
		}
		if tt.verified && run.Crosscheck.State != sparkwright.CrosscheckVerified {
			t.Errorf("cross-check %+v", run.Crosscheck)
		}
	}
	stored, err := b.store.Run(t.Context(), run.ID)
	if err != nil || stored.State != run.State || stored.FinishedAt == nil || len(stored.Attempts) != len(run.Attempts) {
		t.Errorf("stored as %+v, error %v", stored, err)
	}
}

// bringing are the statements of Spark's readers that had rows.
func bringing(r *sparkwright.Receipt) []string {
	var out []string
	for i := range r.Statements {
		if s := &r.Statements[i]; s.Rows > 0 && strings.Contains(s.SQL, `"orders"`) && !strings.Contains(s.SQL, " AS q ") && !s.IsPlan() {
			out = append(out, s.SQL)
		}
	}
	return out
}

func preview(t *testing.T, run *sparkwright.Run) string {
	t.Helper()
	if run.Result == nil || len(run.Result.Preview) == 0 {
		return "[]"
	}
	text, err := json.Marshal(run.Result.Preview)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestQuestionsThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	svc := supervisor.New(supervisor.Config{Varying: supervisor.Varying{Limits: supervisor.Limits{QuestionChars: 100}}})
	for name, q := range map[string]string{
		"empty": "", "blank": " \n\t", "huge": strings.Repeat("a", 101), "binary": "how\x00many", "not UTF-8": "caf\xe9",
	} {
		run, err := svc.Ask(t.Context(), supervisor.Request{Question: q})
		if run != nil || sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("%s: run %v, error %v", name, run, err)
		}
	}
}

func dropped(t *testing.T, b *bundle) {
	b.exec(t, `CREATE TABLE soon_gone (id int); GRANT SELECT ON soon_gone TO narrow`)
	b.reader.catalog = nil
	if _, err := b.reader.Catalog(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `DROP TABLE soon_gone`)
	run, err := b.svc.Ask(t.Context(), supervisor.Request{Code: "result = spark.table('soon_gone')", Tables: []string{"t.public.soon_gone"}})
	if err == nil || run.Fault == nil || !strings.Contains(run.Fault.Because, "gone") {
		t.Errorf("error %v, fault %+v", err, run.Fault)
	}
}

func revoked(t *testing.T, b *bundle) {
	req := supervisor.Request{Code: "result = spark.sql('SELECT count(*) AS n FROM nothing')", Tables: []string{"narrow.public.nothing"}}
	if run, err := b.svc.Ask(t.Context(), req); err != nil {
		t.Fatalf("error %v, fault %+v", err, run.Fault)
	}
	b.exec(t, `REVOKE SELECT ON nothing FROM narrow`)
	run, err := b.svc.Ask(t.Context(), req)
	if err == nil || run.Fault == nil || !strings.Contains(run.Fault.Remedy, "GRANT SELECT") {
		t.Errorf("error %v, fault %+v", err, run.Fault)
	}
}

func sameByBatch(t *testing.T, b *bundle) {
	req := supervisor.Request{
		Code:   "result = spark.sql('SELECT customer, sum(amount) AS s, max(created_at) AS m FROM orders GROUP BY customer ORDER BY customer')",
		Tables: []string{"t.public.orders"},
	}
	warm, err := b.svc.Ask(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	req.Batch = true
	cold, err := b.svc.Ask(t.Context(), req)
	if err != nil {
		t.Fatalf("error %v, fault %+v", err, cold.Fault)
	}
	if a, c := preview(t, warm), preview(t, cold); a != c {
		t.Errorf("warm %s, batch %s", a, c)
	}
}

func twoSnapshots(t *testing.T, b *bundle) {
	run, err := b.svc.Ask(t.Context(), supervisor.Request{
		Code:   "result = spark.sql('SELECT count(*) AS n FROM public_orders JOIN narrow_public_orders USING (id)')",
		Tables: []string{"t.public.orders", "narrow.public.orders"},
	})
	if err != nil {
		t.Fatalf("error %v, fault %+v", err, run.Fault)
	}
	s := run.Result.Snapshots
	if len(s) != 2 || run.Result.Snapshot != nil || s[0].Connection != "narrow" || s[1].Connection != "t" || s[0].ID == s[1].ID {
		t.Errorf("snapshots %+v", s)
	}
	if got := preview(t, run); got != "[[1000]]" {
		t.Errorf("rows %s", got)
	}
}

// noPassword looks for the login's password in everything that was kept.
func noPassword(t *testing.T, b *bundle) {
	runs, err := b.store.OpenRuns(t.Context())
	if err != nil || len(runs) > 0 {
		t.Errorf("unfinished: %v, error %v", runs, err)
	}
	files := 0
	for _, dir := range []string{b.results, filepath.Dir(b.runsDB)} {
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			text, err := os.ReadFile(path)
			if bytes.Contains(text, []byte(canary)) {
				t.Errorf("the password is in %s", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 10 {
		t.Errorf("only %d files were looked at", files)
	}
}
