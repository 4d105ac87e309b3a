package supervisor_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// asked is a Generator that is asked in SQL.
type asked struct{}

func (asked) Generate(_ context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	code := "result = spark.sql(\"\"\"\n" + req.Question + "\n\"\"\")\n"
	return &sparkwright.GenerateReply{Analysis: &sparkwright.Analysis{Code: code, Understood: "U.", Views: codegen.Views(code, req.Catalog), Generator: "test"}}, nil
}

// directCases are answered with engine auto and by Spark, with the same rows
// and types. why is why PostgreSQL does not answer; "" = it does.
var directCases = []struct{ name, sql, why string }{
	{"totals of each group", "SELECT customer, COUNT(*) AS n, SUM(amount) AS s, AVG(amount) AS a, MIN(created_at) AS first FROM orders GROUP BY customer ORDER BY customer", ""},
	{"enums by their text, NULL first", "SELECT m, COUNT(*) AS n, COUNT(DISTINCT w) AS d FROM words GROUP BY m ORDER BY m", ""},
	{"first rows by the bytes of text", "SELECT w, id FROM words WHERE w IS NOT NULL ORDER BY w LIMIT 3", ""},
	{"the largest text", "SELECT MAX(w) AS largest, MIN(m) AS least FROM words", ""},
	{"months", "SELECT CAST(date_trunc('MONTH', created_at) AS DATE) AS month, date_trunc('WEEK', MAX(created_at)) AS w, SUM(amount * (1 - 0.25)) AS s FROM orders GROUP BY CAST(date_trunc('MONTH', created_at) AS DATE) ORDER BY month", ""},
	{"a share", "SELECT customer, 100 * COUNT(*) / 7 AS p, YEAR(MAX(created_at)) AS y FROM orders WHERE created_at >= DATE '2025-01-10' GROUP BY customer ORDER BY customer DESC", ""},
	{"nothing", "SELECT id, customer, amount FROM orders WHERE id < 0 ORDER BY id", ""},
	{"equal rows at the end", "SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer ORDER BY n LIMIT 10", ""},
	{"numeric without precision", "SELECT SUM(n) AS s FROM words", "connect"},
	{"char(n)", "SELECT c, COUNT(*) AS n FROM words GROUP BY c ORDER BY c", "connect"},
	{"averages of whole numbers", "SELECT AVG(id) AS a FROM orders", "connect"},
	{"too many rows", "SELECT s.id AS id FROM orders s JOIN orders t ON t.id = s.id OR s.id < 20 ORDER BY id", "connect"},
}

func answeredDirectly(t *testing.T, b *bundle) {
	t.Helper()
	cfg := b.config
	cfg.Generator, cfg.GeneratorName, cfg.Engine = asked{}, "test", placement.EngineAuto
	svc := supervisor.New(cfg)
	t.Cleanup(func() { _ = svc.Close(context.Background()) })
	ask := func(t *testing.T, sql, engine string) *sparkwright.Run {
		t.Helper()
		run, err := svc.Ask(t.Context(), supervisor.Request{Question: sql, Tables: []string{"t.public.orders", "t.public.words"}, Engine: engine})
		if err != nil {
			t.Fatalf("%v, %+v", err, run)
		}
		return run
	}
	for _, tt := range directCases {
		t.Run(tt.name, func(t *testing.T) {
			auto := ask(t, tt.sql, "")
			want := placement.Postgres
			if tt.why != "" {
				want = tt.why
			}
			if auto.Placement.Executor != want || len(auto.Attempts) != 1 {
				t.Fatalf("%+v", auto.Placement)
			}
			if tt.why != "" {
				return
			}
			directly(t, auto)
			spark := ask(t, tt.sql, placement.EngineSpark)
			if spark.Placement.Executor != placement.Connect {
				t.Fatalf("%+v", spark.Placement)
			}
			if diff := cmp.Diff(spark.Result.Schema, auto.Result.Schema); diff != "" {
				t.Errorf("types (-spark +postgres):\n%s", diff)
			}
			if diff := cmp.Diff(allRows(t, spark.Result), allRows(t, auto.Result)); diff != "" {
				t.Errorf("rows (-spark +postgres):\n%s", diff)
			}
			if a, s := preview(t, auto), preview(t, spark); a != s {
				t.Errorf("preview %s, of Spark %s", a, s)
			}
		})
	}
	t.Run("which rows are the last is open", func(t *testing.T) {
		run := ask(t, "SELECT customer, COUNT(*) AS n FROM orders GROUP BY customer ORDER BY n LIMIT 3", "")
		if run.Placement.Executor != placement.Connect || len(run.Attempts) != 2 || run.Attempts[0].Fault.Class != "ROWS_NOT_CERTAIN" ||
			!strings.Contains(run.Placement.Reason, "PostgreSQL could not answer by itself") || run.Result.RowCount != 3 {
			t.Errorf("%+v, attempts %+v", run.Placement, run.Attempts)
		}
	})
	t.Run("the user's own code", func(t *testing.T) {
		run, err := svc.Ask(t.Context(), supervisor.Request{Code: "result = spark.sql('SELECT COUNT(*) AS n FROM orders')", Tables: []string{"t.public.orders"}})
		if err != nil || run.Placement.Executor != placement.Connect {
			t.Errorf("%v, %+v", err, run)
		}
	})
	t.Run("cancelled", func(t *testing.T) { cancelledDirectly(t, b, svc) })
	cfg.Direct.Cost = 0.01
	dear := supervisor.New(cfg)
	t.Cleanup(func() { _ = dear.Close(context.Background()) })
	run, err := dear.Ask(t.Context(), supervisor.Request{Question: directCases[0].sql, Tables: []string{"t.public.orders"}})
	if err != nil || run.Placement.Executor != placement.Connect {
		t.Errorf("too dear: %v, %+v", err, run)
	}
}

// directly holds what is said of an answer of PostgreSQL.
func directly(t *testing.T, run *sparkwright.Run) {
	t.Helper()
	if !strings.Contains(run.Placement.Reason, "PostgreSQL itself") || run.Analysis == "" {
		t.Errorf("%+v", run.Placement)
	}
	if c := run.Crosscheck; c == nil || c.State != sparkwright.CrosscheckNotChecked || !strings.Contains(c.Why, "PostgreSQL itself") {
		t.Errorf("cross-check %+v", c)
	}
	if s := run.Result.Snapshot; s == nil || s.ID == "" || s.LSN == "" {
		t.Errorf("snapshot %+v", s)
	}
	if r := run.Receipt; r == nil || len(r.Statements) != 2 || !strings.HasPrefix(r.Statements[0].SQL, "EXPLAIN ") || r.Statements[1].Rows != run.Result.RowCount {
		t.Errorf("receipt %+v", r)
	}
	if last := run.Timings[len(run.Timings)-1]; last.Step != "postgres" {
		t.Errorf("timings %+v", run.Timings)
	}
	script, err := os.ReadFile(filepath.Join(run.Result.Location, "job.py")) // the Spark version
	if err != nil || !bytes.Contains(script, []byte(strings.TrimSpace(run.Analysis))) {
		t.Errorf("%v\n%s", err, script)
	}
}

func allRows(t *testing.T, m *sparkwright.Manifest) (rows []string) {
	t.Helper()
	err := artifact.Rows(t.Context(), m, func(cells []json.RawMessage) error {
		text, err := json.Marshal(cells)
		rows = append(rows, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func cancelledDirectly(t *testing.T, b *bundle, svc *supervisor.Service) {
	t.Helper()
	started := make(chan string, 1)
	done := make(chan error, 1)
	go func() {
		_, err := svc.Ask(t.Context(), supervisor.Request{
			Question: "SELECT COUNT(s) AS n FROM slow", Tables: []string{"t.public.slow"},
			Observe: func(run *sparkwright.Run, e sparkwright.Event) {
				if e.Step == placement.Postgres && e.Text == "started" {
					started <- run.ID
				}
			},
		})
		done <- err
	}()
	var id string
	select {
	case id = <-started:
	case err := <-done:
		t.Fatal(err)
	}
	eventually(t, "PostgreSQL carries it out", func() bool { return b.backends(t, id) == 1 })
	if err := b.store.RequestCancel(t.Context(), id, nil); err != nil {
		t.Fatal(err)
	}
	ended(t, b, id, <-done)
}
