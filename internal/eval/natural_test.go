package eval

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/definitions"
	"github.com/sparkwright/sparkwright/internal/demo"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	os.Exit(m.Run())
}

const suiteDir = "../../eval/natural-spark"

func natural(t *testing.T) *Suite {
	t.Helper()
	s, err := ReadSuite(suiteDir)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The suite has what is said of it: kinds and numbers of questions, and two
// SQL texts of each that has an answer.
func TestNaturalSparkIsWhole(t *testing.T) {
	t.Parallel()
	kinds := map[string]int{}
	texts := map[string]string{}
	for _, q := range natural(t).Questions {
		kinds[q.Category]++
		if q.Answerable != (q.GoldSQL != "") || q.Answerable != (q.CheckSQL != "") || q.Answerable && q.GoldSQL == q.CheckSQL {
			t.Errorf("%s: an answerable question has two different SQL texts, another one none", q.ID)
		}
		text := q.Question
		for _, p := range q.Previous {
			text = p + "\n" + text
		}
		if other := texts[text+q.Instructions]; other != "" {
			t.Errorf("%s asks what %s asks", q.ID, other)
		}
		texts[text+q.Instructions] = q.ID
	}
	for _, kind := range []string{"join", "window", "time", "null_trap", "fan_out", "unanswerable", "ambiguous", "follow_up", "glossary"} {
		if kinds[kind] < 4 {
			t.Errorf("%d questions of %s", kinds[kind], kind)
		}
	}
	if len(texts) < 150 {
		t.Errorf("%d questions, want 150 or more", len(texts))
	}
}

// demoServer is an embedded PostgreSQL with the demo data.
func demoServer(t *testing.T) *Server {
	t.Helper()
	srv, err := Start(t.Context(), pgembed.Options{
		Dir: filepath.Join(t.TempDir(), "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"), RepositoryURL: testkit.MavenURL(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Close(context.Background()) })
	if err := srv.LoadDemo(t.Context(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	return srv
}

// demoDefinitions are what words mean for the demo data; all of it must hold.
func demoDefinitions(t *testing.T) func(context.Context, *sparkwright.Catalog) (*sparkwright.Definitions, []string, error) {
	t.Helper()
	f, err := definitions.Parse("demo", demo.Definitions())
	if err != nil {
		t.Fatal(err)
	}
	return func(_ context.Context, catalog *sparkwright.Catalog) (*sparkwright.Definitions, []string, error) {
		if p := definitions.Check(f, catalog); len(p) > 0 {
			t.Errorf("the demo's definitions: %v", p)
		}
		d, notes := definitions.For([]definitions.File{*f}, catalog)
		return d, notes, nil
	}
}

// remembered is a Gold that runs each statement once.
type remembered struct {
	Gold
	mu   sync.Mutex
	once map[string]func() ([]string, [][]any, error)
}

func remember(g Gold) *remembered {
	return &remembered{Gold: g, once: map[string]func() ([]string, [][]any, error){}}
}

func (r *remembered) Query(ctx context.Context, database, sql string) ([]string, [][]any, error) {
	r.mu.Lock()
	f := r.once[sql]
	if f == nil {
		var columns []string
		var rows [][]any
		var err error
		var one sync.Once
		f = func() ([]string, [][]any, error) {
			one.Do(func() { columns, rows, err = r.Gold.Query(ctx, database, sql) })
			return columns, rows, err
		}
		r.once[sql] = f
	}
	r.mu.Unlock()
	return f()
}

// TestNaturalSpark holds the suite and the planner against PostgreSQL: the two
// SQL texts of every question agree; the planner's answers are right, in most
// cases it has one, and it never answers what has no answer. A part of its
// answers is carried out by Spark.
func TestNaturalSpark(t *testing.T) {
	t.Parallel()
	srv := demoServer(t)
	suite := natural(t)
	gold := remember(srv)
	ask := startSpark(t, srv, planner.New())
	t.Run("PostgreSQL by itself", func(t *testing.T) {
		t.Parallel()
		sameAsSpark(t, ask, suite)
	})
	t.Run("two texts agree", func(t *testing.T) {
		t.Parallel()
		for i := range suite.Questions {
			q := &suite.Questions[i]
			if !q.Answerable {
				continue
			}
			if why, err := Agree(t.Context(), gold, q); err != nil || why != "" {
				t.Errorf("%s: %s %v", q.ID, why, err)
			}
		}
	})
	t.Run("planner", func(t *testing.T) {
		t.Parallel()
		db := NewDatabases(srv.Login)
		t.Cleanup(func() { db.Close(context.Background()) })
		list, err := Run(t.Context(), suite, &Direct{DB: db, Generator: planner.New(), Definitions: demoDefinitions(t)}, gold, Options{})
		if err != nil {
			t.Fatal(err)
		}
		total := Count(list)
		precision, _ := total.Precision()
		coverage, _ := total.Coverage()
		t.Logf("precision %.3f, coverage %.3f: %+v", precision, coverage, total)
		if precision < 0.97 || coverage < 0.5 || total.Answered > 0 || total.Failed > 0 {
			for i := range list {
				if s := &list[i]; s.Answer.Outcome == Wrong || s.Answer.Outcome == Failed {
					t.Errorf("%s %s: %s\n%s %s", s.Answer.Outcome, s.ID, s.Question.Question, s.Answer.Detail, s.Answer.Error)
				}
			}
		}
	})
	t.Run("on Spark", func(t *testing.T) {
		t.Parallel()
		seen := map[string]int{}
		var part []Question
		for _, q := range suite.Questions { // the first of each kind that has an answer
			if seen[q.Category]++; q.Answerable && seen[q.Category] == 1 {
				part = append(part, q)
			}
		}
		list, err := Run(t.Context(), &Suite{Questions: part}, ask, gold, Options{Parallel: 2})
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if s := &list[i]; s.Answer.Outcome == Wrong || s.Answer.Outcome == Failed {
				t.Errorf("%s %s: %s\n%s %s", s.Answer.Outcome, s.ID, s.Question.Question, s.Answer.Detail, s.Answer.Error)
			}
		}
		if total := Count(list); total.Right < 9 {
			t.Errorf("%+v", total)
		}
	})
}

// Agree finds texts that do not, and refuses what proves nothing.
func TestAgree(t *testing.T) {
	t.Parallel()
	world := &played{gold: map[string][][]any{"a": {{1}}, "b": {{1}}, "c": {{2}}, "e": {}}}
	for _, tc := range []struct {
		gold, check string
		agree       bool
	}{{"a", "b", true}, {"a", "c", false}, {"a", "x", false}, {"x", "a", false}, {"e", "e", false}} {
		why, err := Agree(t.Context(), world, &Question{Question: "q", GoldSQL: tc.gold, CheckSQL: tc.check, Answerable: true})
		if err != nil || (why == "") != tc.agree {
			t.Errorf("%s and %s: %q, %v", tc.gold, tc.check, why, err)
		}
	}
}
