package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// generate gets the analysis: the request's own code, or the generator's.
func (j *job) generate(ctx context.Context) error {
	if j.req.Code != "" {
		j.run.Analysis = j.req.Code
		return j.plan(j.s.cfg.ViewsOf(j.req.Code, j.catalog))
	}
	reply, err := j.s.cfg.Generator.Generate(ctx, sparkwright.GenerateRequest{
		Question: j.req.Question, Instructions: j.req.Instructions, Catalog: j.catalog,
	})
	if err != nil {
		return err
	}
	if reply.Declined != nil {
		j.run.Declined = reply.Declined
		return nil
	}
	a := reply.Analysis
	if a == nil {
		return sparkwright.Errorf(sparkwright.CodeInternal, "the generator %s answered nothing", j.s.cfg.GeneratorName)
	}
	j.run.Analysis, j.run.Understood, j.run.Generator = a.Code, a.Understood, a.Generator
	j.event(ctx, sparkwright.Event{Type: sparkwright.EventStep, Step: "understood", Text: a.Understood})
	return j.plan(a.Views)
}

// plan decides how the views that the analysis uses are read.
func (j *job) plan(used []string) error {
	if used == nil {
		used = []string{}
	}
	j.reads = readplan.Plan(j.catalog, used, readplan.Options{Cores: j.s.cfg.Cores, MaxConnections: maxReads})
	j.run.Views = nil
	for i := range j.reads {
		r := &j.reads[i]
		if len(r.Kept()) == 0 {
			return &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: r.Table.QualifiedName() + " has no column that Spark can read",
				Remedy: "make a view in PostgreSQL that casts its columns, and ask about that",
			}
		}
		j.run.Views = append(j.run.Views, sparkwright.TableUse{
			Table: r.Table.QualifiedName(), View: r.View, RowEstimate: r.Table.RowEstimate,
			Bytes: r.Table.Bytes, Partitions: r.Partitions,
		})
	}
	return nil
}

// maxReads is how many connections one table is read over at once.
const maxReads = 8

// place decides where the run goes.
func (j *job) place() {
	var bytes int64
	for _, u := range j.run.Views {
		bytes += u.Bytes
	}
	j.run.Placement = Place(j.req.Batch, bytes, j.s.cfg.PlaceReason)
}

// Place decides which executor carries out a run that reads about so many
// bytes, and says why.
func Place(batch bool, bytes int64, local string) sparkwright.Placement {
	size := fmt.Sprintf("about %d MB", (bytes+1<<20-1)>>20)
	if batch {
		return sparkwright.Placement{Executor: "batch", Reason: "spark-submit, as asked for; " + size}
	}
	return sparkwright.Placement{Executor: "connect", Reason: local + "; " + size}
}

// check judges the analysis before anything runs.
func (j *job) check(ctx context.Context) error {
	var err error
	if j.client, err = j.s.cfg.CheckClient(ctx, j.run.ID); err != nil {
		return err
	}
	rep, err := check.Run(ctx, j.client, j.run.Analysis, j.reads)
	if err != nil {
		return err
	}
	if rep.OK() {
		return nil
	}
	f := rep.Fault
	if f == nil {
		f = violated(rep.Violations)
	}
	j.s.cfg.Explain(f)
	j.hint(f)
	j.run.Fault = f
	return faultError(f)
}

func violated(found []sparkwright.Violation) *sparkwright.Fault {
	var lines []string
	for _, v := range found {
		lines = append(lines, fmt.Sprintf("line %d: %s (%s)", v.Line, v.Message, v.Rule))
	}
	return &sparkwright.Fault{
		Kind: sparkwright.FaultCode, Class: "POLICY_VIOLATION", Line: found[0].Line,
		Message: "the analysis does what an analysis may not do", Because: strings.Join(lines, "\n"),
		Remedy: "write it with spark.sql and the DataFrame API over the run's views, ending in result = …",
	}
}

// hint says so when an unknown column is one that was left out of its view.
func (j *job) hint(f *sparkwright.Fault) {
	for i := range j.reads {
		for _, c := range j.reads[i].Columns {
			if c.Skip != "" && strings.Contains(f.Message, "`"+c.Name+"`") {
				f.Because = fmt.Sprintf("%s of %s was left out: %s", c.Name, j.reads[i].Table.QualifiedName(), c.Skip)
				f.Remedy = "make a view in PostgreSQL that casts the column, and ask about that"
			}
		}
	}
}

// faultError turns a fault into what the caller gets.
func faultError(f *sparkwright.Fault) error {
	code := sparkwright.CodeJobFailed
	switch f.Kind {
	case sparkwright.FaultTimeout:
		code = sparkwright.CodeTimeout
	case sparkwright.FaultCancelled:
		code = sparkwright.CodeCancelled
	default:
	}
	return &sparkwright.Error{
		Code: code, Message: f.Message, Because: f.Because, Remedy: f.Remedy,
		Err: errors.New(f.Class),
	}
}
