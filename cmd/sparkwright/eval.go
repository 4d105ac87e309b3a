package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/eval"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// evalOptions are the flags of eval.
type evalOptions struct {
	connection, answers, report, html, record, replay, arm, rules, category string
	direct, resume, compare                                                 bool
	parallel                                                                int
}

const (
	armPipeline = "pipeline"
	armNaive    = "naive"
	armDirect   = "direct"
)

func newEvalCommand(app *app) *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use:   "eval SUITE",
		Short: "Measure how often the questions of a suite are answered rightly",
		Long: "Ask every question of a suite and compare the rows with those of hand-written SQL. SUITE\n" +
			"is a file of questions (JSON lines or YAML), or a directory with one and databases/*.sql.\n" +
			"Databases with a script are loaded into a PostgreSQL that lasts as long as the command;\n" +
			"so is the demo data, where the suite asks about \"" + eval.Demo + "\"; others are connections.\n\n" + exitHelp,
		Example: "  sparkwright eval eval/natural-spark\n" +
			"  sparkwright eval questions.yaml --connection app --report app.json --html app.html\n" +
			"  sparkwright eval eval/natural-spark --record replies.jsonl\n" +
			"  sparkwright eval eval/natural-spark --replay replies.jsonl\n" +
			"  sparkwright eval --compare before.json after.json",
		Args: func(cmd *cobra.Command, args []string) error {
			want := 1
			if o.compare {
				want = 2
			}
			return cobra.ExactArgs(want)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.compare {
				return app.compareReports(args[0], args[1])
			}
			return app.runEval(cmd.Context(), args[0], &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.connection, "connection", "", "ask all questions of this connection")
	f.StringVar(&o.arm, "arm", armPipeline, "pipeline, or naive: the whole schema in the prompt, one try")
	f.BoolVar(&o.direct, "direct", false, "hand the built-in planner's SQL to PostgreSQL instead of Spark: quick")
	f.IntVar(&o.parallel, "parallel", 2, "questions at a time; results do not depend on it")
	f.StringVar(&o.category, "category", "", "only the questions of these categories, separated by commas")
	f.StringVar(&o.answers, "answers", "", "write every answer to this file, one JSON object a line")
	f.BoolVar(&o.resume, "resume", false, "keep the answers that the file of --answers has already")
	f.StringVar(&o.report, "report", "", "write the report to this file as JSON, for --compare")
	f.StringVar(&o.html, "html", "", "write the report to this file as a page")
	f.StringVar(&o.record, "record", "", "keep the replies of the model in this file")
	f.StringVar(&o.replay, "replay", "", "take the replies of the model from this file; no model is called")
	f.BoolVar(&o.compare, "compare", false, "compare two reports, question by question")
	f.StringVar(&o.rules, "rules", "", "look through the planner's sources in this directory for names of the suite")
	return cmd
}

func (a *app) compareReports(before, after string) error {
	x, err := eval.ReadReport(before)
	if err != nil {
		return err
	}
	y, err := eval.ReadReport(after)
	if err != nil {
		return err
	}
	return eval.Compare(x, y).WriteText(a.stdout)
}

func (o *evalOptions) check() error {
	wrong := ""
	switch {
	case o.arm != armPipeline && o.arm != armNaive:
		wrong = "--arm is pipeline or naive"
	case o.record != "" && o.replay != "":
		wrong = "--record and --replay exclude each other"
	case o.direct && (o.arm == armNaive || o.record != "" || o.replay != ""):
		wrong = "--direct asks no model"
	case o.resume && o.answers == "":
		wrong = "--resume needs --answers"
	}
	if wrong == "" {
		return nil
	}
	return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: wrong, Remedy: "see sparkwright eval --help"}
}

// runEval asks the questions of a suite.
func (a *app) runEval(ctx context.Context, path string, o *evalOptions) (err error) {
	if err = o.check(); err != nil {
		return err
	}
	suite, err := eval.ReadSuite(path)
	if err != nil {
		return err
	}
	if suite.Questions = o.chosen(suite.Questions); len(suite.Questions) == 0 {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "no question is of the category %s", o.category)
	}
	dbs, end, err := a.evalDatabases(ctx, suite, o.connection)
	if err != nil {
		return err
	}
	defer func() {
		if r := a.measured.recorder; r != nil {
			err = errors.Join(err, r.Close())
		}
		err = errors.Join(err, end())
	}()
	var ask eval.Asker
	gold := eval.NewDatabases(func(ctx context.Context, database string) (sparkwright.Connection, sparkwright.Credentials, error) {
		l, e := dbs.opened(ctx, database)
		return l.conn, l.cred, e
	})
	defer gold.Close(context.WithoutCancel(ctx))
	direct := &eval.Direct{DB: gold, Generator: planner.New(), Definitions: a.defined}
	if o.direct {
		ask = direct
	} else if ask, err = a.pipeline(ctx, o); err != nil {
		return err
	}
	began := time.Now()
	list, err := eval.Run(ctx, suite, ask, gold, eval.Options{
		Answers: o.answers, Resume: o.resume, Parallel: o.parallel, Told: func(done, all int, s *eval.Scored) {
			a.say(fmt.Sprintf("%d/%d", done, all), fmt.Sprintf("%s %s", s.ID, s.Answer.Outcome))
		},
	})
	if err != nil {
		return err
	}
	r := eval.NewReport(list)
	r.Suite, r.Arm, r.Began, r.Wall = suite.Name, o.arm, began.UTC(), time.Since(began).Seconds()
	if o.direct {
		r.Arm = armDirect
	}
	if o.rules != "" {
		if err = a.sayRules(ctx, o.rules, suite, direct); err != nil {
			return err
		}
	}
	return a.writeReport(r, o)
}

func (o *evalOptions) chosen(list []eval.Question) []eval.Question {
	if o.connection != "" {
		for i := range list {
			list[i].Database = o.connection
		}
	}
	if o.category == "" {
		return list
	}
	of := strings.Split(o.category, ",")
	return slices.DeleteFunc(list, func(q eval.Question) bool { return !slices.Contains(of, q.Category) })
}

// evalDatabases makes the databases of the suite known as connections. end
// stops what it has started.
func (a *app) evalDatabases(ctx context.Context, suite *eval.Suite, connection string) (dbs *databases, end func() error, err error) {
	end = func() error { return nil }
	if dbs, err = a.openDatabases(ctx); err != nil {
		return nil, end, err
	}
	dir, err := os.MkdirTemp("", "sparkwright-eval-")
	if err != nil {
		return nil, end, sparkwright.Errorf(sparkwright.CodeResource, "cannot make a directory: %w", err)
	}
	end = func() error { return os.RemoveAll(dir) }
	// The runs of a measurement are not those of the user.
	a.settings.Results.Dir = filepath.Join(dir, "results")
	if a.store, err = store.Open(ctx, filepath.Join(dir, "eval.db")); err != nil {
		return nil, end, errors.Join(err, end())
	}
	if connection != "" || len(suite.Scripts) == 0 && !slices.Contains(suite.Databases(), eval.Demo) {
		return dbs, end, nil
	}
	say := func(text string) { a.say("suite", text) }
	srv, err := eval.Start(ctx, pgembed.Options{
		Dir: filepath.Join(dir, "pg"), CacheDir: filepath.Join(a.home, "runtime", "postgres"), RepositoryURL: dbs.settings.Runtime.MavenURL, Progress: say,
	})
	if err != nil {
		return nil, end, errors.Join(err, end())
	}
	end = func() error {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return errors.Join(srv.Close(last), os.RemoveAll(dir))
	}
	names, err := srv.Prepare(ctx, suite, say)
	if err != nil {
		return nil, end, errors.Join(err, end())
	}
	for _, name := range names {
		conn, cred, e := srv.Login(ctx, name)
		if e != nil {
			return nil, end, errors.Join(e, end())
		}
		dbs.extra[name] = login{conn: conn, cred: cred}
	}
	return dbs, end, nil
}

// sayRules tells which names of the suite the planner's rules have.
func (a *app) sayRules(ctx context.Context, dir string, suite *eval.Suite, d *eval.Direct) error {
	var all []*sparkwright.Catalog
	for _, name := range suite.Databases() {
		c, err := d.Catalog(ctx, name)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	named, err := eval.RulesNaming(dir, all)
	if err != nil {
		return err
	}
	a.printf("names of this suite's tables and columns in the rules of the planner: %d %s\n\n", len(named), strings.Join(named, " "))
	return nil
}

func (a *app) writeReport(r *eval.Report, o *evalOptions) error {
	for _, out := range []struct {
		path  string
		write func(io.Writer) error
	}{{o.report, r.WriteJSON}, {o.html, r.WriteHTML}} {
		if out.path == "" {
			continue
		}
		var b bytes.Buffer
		if err := out.write(&b); err != nil {
			return err
		}
		if err := artifact.WriteFile(out.path, b.Bytes()); err != nil {
			return err
		}
	}
	if a.json {
		return r.WriteJSON(a.stdout)
	}
	return r.WriteText(a.stdout)
}

// measured is what eval puts between the generator and its model.
type measured struct {
	replay   *eval.Player
	record   string // file
	resume   bool   // it has replies already
	recorder *eval.Recorder
	naive    bool
	used     bool // a model writes the analyses
}

// generatorOf is the generator that asks the model.
func (a *app) generatorOf(s *settings.Settings, model sparkwright.Model) (sparkwright.Generator, string, error) {
	m := &a.measured
	m.used = true
	if m.record != "" {
		var err error
		if m.recorder == nil { // settings that change make another generator, and no other recording
			m.recorder, err = eval.Record(model, m.record, m.resume)
		}
		if err != nil {
			return nil, "", err
		}
		model = m.recorder
	}
	if m.naive {
		return &eval.Naive{Model: model, Views: codegen.Views, Cost: s.Model.Cost}, "naive " + model.Name(), nil
	}
	opt := codegenOptions(s)
	if a.store != nil && m.record == "" && m.replay == nil { // what is measured is asked
		opt.Cache = a.store
	}
	return codegen.Pair(codegen.New(model, opt), planner.New()), "model " + model.Name(), nil
}

// pipeline is an Asker that does all that a question goes through: the
// generator, the check, Spark, repairs.
type pipeline struct {
	app *app
	svc *supervisor.Service
}

var _ eval.Asker = (*pipeline)(nil)

func (a *app) pipeline(ctx context.Context, o *evalOptions) (eval.Asker, error) {
	s, err := a.loadSettings()
	if err != nil {
		return nil, err
	}
	if o.replay != "" {
		if a.measured.replay, err = eval.Replay(o.replay); err != nil {
			return nil, err
		}
	}
	a.measured.record, a.measured.resume, a.measured.naive = o.record, o.resume, o.arm == armNaive
	if a.measured.naive {
		s.Spark.MaxRetries = 0
	}
	a.oneRun = true
	svc, err := a.service(ctx)
	if err != nil {
		return nil, err
	}
	if (a.measured.naive || o.record != "") && !a.measured.used {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "this needs a model, and none is configured",
			Remedy: "set OPENAI_BASE_URL and OPENAI_MODEL, or give --replay FILE",
		}
	}
	go func() { _ = a.connect.Warm(ctx) }()
	return &pipeline{app: a, svc: svc}, nil
}

// Ask implements eval.Asker. Each question is a run; those before it only
// make its conversation and are not carried out.
func (p *pipeline) Ask(ctx context.Context, q *eval.Question) (*eval.Reply, error) {
	parent := ""
	for _, text := range q.Previous {
		run, err := p.svc.Ask(ctx, supervisor.Request{Question: text, Instructions: q.Glossary(), Connection: q.Database, Parent: parent, CodeOnly: true})
		if run == nil {
			return nil, err
		}
		parent = run.ID
	}
	run, err := p.svc.Ask(ctx, supervisor.Request{Question: q.Question, Instructions: q.Glossary(), Connection: q.Database, Parent: parent, Engine: placement.EngineSpark})
	if run == nil || ctx.Err() != nil {
		return nil, errors.Join(err, ctx.Err())
	}
	r := &eval.Reply{
		Declined: run.Declined, Understood: run.Understood, Code: run.Analysis, Generator: run.Generator, Usage: run.Usage, Repairs: run.Repairs, Findings: len(run.Findings),
	}
	switch {
	case err != nil:
		r.Failed = err.Error()
	case run.Declined == nil:
		r.Rows, err = p.rows(ctx, run.Result)
	default:
		err = nil
	}
	if r.Failed != "" {
		err = nil // it is in the reply
	}
	return r, err
}

// rows reads every row of a result; numbers keep their digits.
func (p *pipeline) rows(ctx context.Context, m *sparkwright.Manifest) (rows [][]any, err error) {
	err = artifact.RowsFrom(ctx, m, p.app.openPart, func(cells []json.RawMessage) error {
		row := make([]any, len(cells))
		for i, c := range cells {
			dec := json.NewDecoder(bytes.NewReader(c))
			dec.UseNumber()
			if e := dec.Decode(&row[i]); e != nil {
				return fmt.Errorf("decode a cell: %w", e)
			}
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}
