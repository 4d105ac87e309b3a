// Command eval measures how often questions are answered, and rightly.
//
// With -suite DIR it takes DIR/questions.jsonl and DIR/databases/*.sql; without,
// the project's own questions over the demo data. Every question is given to
// the generator, its analysis is carried out, and the rows are compared with
// those of the hand-written SQL.
//
// Scoring is by execution match: {a, b} in a gold SELECT or GROUP BY means that
// any non-empty choice of those columns is right (and further columns are
// accepted), {} in GROUP BY repeats the choice, semicolons separate
// alternatives. Names and order of columns are ignored, numbers have a relative
// tolerance of 1e-6, and the order of rows counts when the question asks for
// one. Rows for a question that cannot be answered are wrong.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/planner"
)

func main() {
	pgembed.KeeperMain()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "eval:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	suite string // directory of the suite
	json  string // file for the rows of every answer
	sql   bool   // show the code of every answer
	// direct hands the planner's SQL to PostgreSQL instead of Spark.
	direct bool
	// resume keeps the answers of an earlier, broken off measurement.
	resume   bool
	parallel int
	rules    string // directory of the planner's sources
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	var o options
	fs := flag.NewFlagSet("eval", flag.ContinueOnError)
	fs.SetOutput(progress)
	fs.StringVar(&o.suite, "suite", "", "directory with questions.jsonl and databases/*.sql; default: the demo data")
	fs.StringVar(&o.json, "json", "", "write the rows of every answer to this file, one JSON object a line")
	fs.BoolVar(&o.resume, "resume", false, "keep the answers that the file of -json has already")
	fs.IntVar(&o.parallel, "parallel", 1, "questions at a time; results do not depend on it")
	fs.BoolVar(&o.sql, "sql", false, "show what was understood and the code, for every answer")
	fs.BoolVar(&o.direct, "direct", false, "hand the planner's SQL to PostgreSQL instead of Spark: quick, while working on the planner")
	fs.StringVar(&o.rules, "rules", "", "look through the planner's sources in this directory for names of the suite")
	if err := fs.Parse(args); err != nil {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "%w", err)
	}
	dir, err := os.MkdirTemp("", "sparkwright-eval-")
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "cannot make a directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	db, err := startServer(ctx, filepath.Join(dir, "pg"), filepath.Join(cache, "sparkwright", "postgresql"), func(s string) { _, _ = fmt.Fprintln(progress, s) })
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_ = db.Close(end)
	}()
	var questions []question
	if o.suite == "" {
		questions, err = prepareDemo(ctx, db, progress)
	} else {
		questions, err = prepare(ctx, db, o.suite)
	}
	if err != nil {
		return err
	}
	var runner Runner = direct{db: db}
	if !o.direct {
		sp, e := startSpark(ctx, db, filepath.Join(dir, "results"), func(s string) { _, _ = fmt.Fprintln(progress, s) })
		if e != nil {
			return e
		}
		defer sp.close(context.WithoutCancel(ctx))
		runner = sp
	}
	h := &harness{db: db, gen: planner.New(), runner: runner, out: out, verbose: o.sql, catalogs: map[string]*sparkwright.Catalog{}}
	list, err := h.all(ctx, questions, o)
	if err != nil {
		return err
	}
	if o.rules != "" {
		var all []*sparkwright.Catalog
		for _, c := range h.catalogs {
			all = append(all, c)
		}
		named, err := rulesNaming(o.rules, all)
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "names of this suite's tables and columns in the rules of the planner: %d %s\n\n", len(named), strings.Join(named, " "))
	}
	return report(out, list)
}

//go:embed shop/questions.jsonl
var shopQuestions string

// prepareDemo loads the demo data and reads the project's own questions.
func prepareDemo(ctx context.Context, db *server, progress io.Writer) ([]question, error) {
	if err := db.LoadDemo(ctx, func(s string) { _, _ = fmt.Fprintln(progress, s) }); err != nil {
		return nil, err
	}
	return parseQuestions("shop/questions.jsonl", strings.NewReader(shopQuestions))
}

// prepare loads the databases and reads the questions.
func prepare(ctx context.Context, db Database, suite string) ([]question, error) {
	questions, err := readQuestions(filepath.Join(suite, "questions.jsonl"))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, q := range questions {
		if seen[q.Database] {
			continue
		}
		seen[q.Database] = true
		script, err := os.ReadFile(filepath.Join(suite, "databases", filepath.Base(q.Database)+".sql")) //nolint:gosec // the suite is the caller's choice
		if err != nil {
			return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "cannot read the database %q: %w", q.Database, err)
		}
		if err := db.Load(ctx, q.Database, string(script)); err != nil {
			return nil, err
		}
	}
	return questions, nil
}

// harness asks questions and scores the answers, several at a time.
type harness struct {
	mu       sync.Mutex // of db, catalogs and out
	db       Database
	gen      sparkwright.Generator
	runner   Runner
	out      io.Writer
	verbose  bool
	catalogs map[string]*sparkwright.Catalog
}

// answer is what is written with -json.
type answer struct {
	ID       string  `json:"id"`
	Rows     [][]any `json:"rows"`
	Declined bool    `json:"declined"`
	Error    string  `json:"error,omitempty"`
	Outcome  outcome `json:"outcome"`
	Detail   string  `json:"detail,omitempty"`
}

// all asks every question that the file of answers does not have yet, and
// adds its answer to the file.
func (h *harness) all(ctx context.Context, questions []question, o options) ([]scored, error) {
	done, file, err := openAnswers(o.json, o.resume)
	if err != nil {
		return nil, err
	}
	list := make([]scored, len(questions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, o.parallel))
	for i, q := range questions {
		if a, ok := done[q.ID]; ok {
			list[i] = scored{question: q, Outcome: a.Outcome, Detail: a.Detail}
			continue
		}
		group.Go(func() error {
			s, a, e := h.one(ctx, q)
			if e != nil {
				return e
			}
			list[i] = s
			a.Outcome, a.Detail = s.Outcome, s.Detail
			h.mu.Lock()
			defer h.mu.Unlock()
			return writeAnswer(file, a)
		})
	}
	if err = errors.Join(group.Wait(), closeAnswers(file)); err != nil {
		return nil, err
	}
	for _, s := range list {
		if s.Outcome == wrong || s.Outcome == failed {
			_, _ = fmt.Fprintf(h.out, "%s: %s: %s\n  %s\n", s.Outcome, s.ID, s.Question, s.Detail)
		}
	}
	return list, nil
}

func (h *harness) catalog(ctx context.Context, database string) (*sparkwright.Catalog, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c, ok := h.catalogs[database]; ok {
		return c, nil
	}
	c, err := h.db.Catalog(ctx, database)
	if err == nil {
		h.catalogs[database] = c
	}
	return c, err
}

func (h *harness) one(ctx context.Context, q question) (scored, answer, error) {
	s, a := scored{question: q}, answer{ID: q.ID}
	cat, err := h.catalog(ctx, q.Database)
	if err != nil {
		return s, a, err
	}
	reply, err := h.gen.Generate(ctx, sparkwright.GenerateRequest{Question: q.Question, Instructions: q.glossary(), Catalog: cat})
	if err != nil {
		return s, a, err
	}
	if d := reply.Declined; d != nil {
		s.Outcome, s.Detail, a.Declined = declined, d.Message, true
		if h.verbose {
			h.mu.Lock()
			defer h.mu.Unlock()
			_, _ = fmt.Fprintf(h.out, "-- %s: %s\n-- declined (%s): %s\n-- near: %v; could: %q\n\n", q.ID, q.Question, d.Reason, d.Message, d.Near, d.Could)
		}
		return s, a, nil
	}
	if h.verbose {
		h.mu.Lock()
		_, _ = fmt.Fprintf(h.out, "-- %s: %s\n-- %s\n%s\n", q.ID, q.Question, reply.Analysis.Understood, reply.Analysis.Code)
		h.mu.Unlock()
	}
	_, rows, err := h.runner.Run(ctx, q.Database, cat, reply.Analysis)
	if err != nil {
		s.Outcome, s.Detail, a.Error = failed, err.Error(), err.Error()
		return s, a, ctx.Err()
	}
	if rows == nil {
		rows = [][]any{}
	}
	a.Rows = rows
	s.Outcome, s.Detail = wrong, reply.Analysis.Understood
	if q.Answerable {
		ok, err := h.compare(ctx, q, rows)
		if err != nil {
			return s, a, err
		}
		if ok {
			s.Outcome = right
		}
	}
	return s, a, nil
}

// compare reports whether rows equal those of an alternative of the gold. An
// alternative that does not run is passed over, unless none runs.
func (h *harness) compare(ctx context.Context, q question, rows [][]any) (bool, error) {
	h.mu.Lock() // one session a database
	defer h.mu.Unlock()
	ordered := asksOrder(q.Question)
	var errs []error
	alternatives := expandGold(q.GoldSQL)
	for _, alt := range alternatives {
		names, want, err := h.db.Query(ctx, q.Database, alt.SQL)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if matches(gold{Rows: want, Braces: alt.Braces, Order: orderOf(alt.SQL, names)}, rows, ordered) {
			return true, nil
		}
	}
	if len(errs) == len(alternatives) {
		return false, sparkwright.Errorf(sparkwright.CodeInvalid, "no SQL of %s runs: %w", q.ID, errors.Join(errs...))
	}
	return false, nil
}
