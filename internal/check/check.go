// Package check judges an analysis before anything runs: the policy on
// Python's own syntax tree and on the SQL in it, then a dry run on empty
// frames that finds unknown columns and type errors, then the lint, which looks
// for what runs and may be wrong: joins that multiply, averages of averages,
// NULL in NOT IN. All happen in a Spark client process; no data and no
// credentials are touched.
//
// The policy is a quality gate with exact lines, not a security boundary.
package check

import (
	"context"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// Client does the work; each one is used for one check.
type Client interface {
	Policy(ctx context.Context, code string, views []string) ([]sparkwright.Violation, error)
	DryRun(ctx context.Context, code string, views []sparkwright.EmptyView) ([]sparkwright.ResultColumn, *sparkwright.Fault, error)
	Close(ctx context.Context)
}

// Linter is a Client that also looks for ways in which an answer may be
// silently wrong.
type Linter interface {
	Lint(ctx context.Context, code string, views []Facts) ([]sparkwright.Finding, error)
}

// Report is what was found. It passes without violations and fault.
type Report struct {
	Violations []sparkwright.Violation
	Fault      *sparkwright.Fault         // of the dry run
	Schema     []sparkwright.ResultColumn // of the result, when it passes
	Findings   []sparkwright.Finding      // of the lint, when it passes
}

// OK reports whether the analysis may run.
func (r *Report) OK() bool { return len(r.Violations) == 0 && r.Fault == nil }

// Run judges code against the views that reads define. An error means that
// the check itself could not be made.
func Run(ctx context.Context, client Client, code string, reads []readplan.Read) (*Report, error) {
	names := make([]string, 0, len(reads))
	views := make([]sparkwright.EmptyView, 0, len(reads))
	for i := range reads {
		v := sparkwright.EmptyView{Name: reads[i].View}
		for _, c := range reads[i].Kept() {
			v.Columns = append(v.Columns, sparkwright.ResultColumn{Name: c.Name, Type: c.Type})
		}
		names = append(names, v.Name)
		views = append(views, v)
	}
	rep := &Report{}
	var err error
	if rep.Violations, err = client.Policy(ctx, code, names); err != nil || len(rep.Violations) > 0 {
		return rep, err
	}
	rep.Schema, rep.Fault, err = client.DryRun(ctx, code, views)
	if l, ok := client.(Linter); ok && err == nil && rep.Fault == nil {
		rep.Findings, err = l.Lint(ctx, code, FactsOf(reads))
	}
	return rep, err
}
