package supervisor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/check"
)

// checkStep judges the analysis before anything runs.
func (j *job) checkStep(ctx context.Context) (next, error) {
	if err := j.needReads(ctx); err != nil {
		return next{}, err
	}
	j.letGo(ctx)
	var err error
	if j.client, err = j.s.cfg.CheckClient(ctx, j.run.ID); err != nil {
		return next{}, err
	}
	rep, err := check.Run(ctx, j.client, j.run.Analysis, j.reads)
	if err != nil {
		return next{}, err
	}
	if !rep.OK() {
		f := rep.Fault
		if f == nil {
			f = violated(rep.Violations)
		}
		j.s.cfg.Explain(f)
		j.hint(f)
		return next{}, &faultError{f}
	}
	if f := j.weigh(rep.Findings); f != nil {
		return next{}, &faultError{f}
	}
	j.work.Schema, j.work.NotDirect = rep.Schema, false
	j.remember(ctx)
	switch {
	case j.req.CodeOnly:
		return j.ended(nil), nil
	case j.req.Review || j.approve != nil:
		if j.work.Approved == "" || j.work.Approved != codeHash(j.run.Analysis) {
			return j.awaitApproval()
		}
	}
	return j.approved(), nil
}

// remember keeps an analysis that has passed, for the same question. A lost
// one costs nothing but another call.
func (j *job) remember(ctx context.Context) {
	if j.work.Cached == "" || j.run.Usage.Cached || j.run.Repairs > 0 {
		return
	}
	a := &sparkwright.Analysis{
		Code: j.run.Analysis, Understood: j.run.Understood, Assumptions: j.run.Assumptions, Generator: j.run.Generator, Views: []string{},
		Second: j.second(),
	}
	for _, v := range j.run.Views {
		a.Views = append(a.Views, v.View)
	}
	if err := j.s.cfg.Store.CacheAnalysis(ctx, j.work.Cached, a); err != nil {
		j.s.cfg.Log.WarnContext(ctx, "analysis not kept", "run_id", j.run.ID, "error", err)
	}
}

// codeHash names one version of an analysis in an approval.
func codeHash(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

// awaitApproval has a person decide.
func (j *job) awaitApproval() (next, error) {
	if j.approve != nil && !j.req.Review {
		if !j.approve(j.run) {
			return j.ended(&sparkwright.Fault{Kind: sparkwright.FaultCancelled, Class: "REJECTED", Message: "the run was not approved"}), nil
		}
		j.work.Approved = codeHash(j.run.Analysis)
		return j.approved(), nil
	}
	j.enter(sparkwright.RunAwaitingApproval)
	return next{step: stepApproval, until: true}, nil
}

// approvalStep goes on after a decision.
func (j *job) approvalStep(context.Context) (next, error) {
	if j.work.Approved != codeHash(j.run.Analysis) {
		return next{step: stepApproval, until: true}, nil
	}
	return j.approved(), nil
}

func (j *job) approved() next {
	j.enter(sparkwright.RunRunning)
	return next{step: stepSubmit}
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
