// Package doctor finds before a run what would make it fail, and says how to
// mend it: the cause, the exact command, SQL, policy or Terraform, and how it
// was looked at.
//
// A check looks at one thing, changes nothing, and answers within its limit.
// When what it needs is itself broken, it is skipped and names the check that
// says so: one fault gives one failure. Some checks have a repair that is safe
// to make; it says what it will do before it does it.
package doctor

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Level says how bad a finding is.
type Level string

// The levels, from good to bad. A warning does not keep a run from working.
const (
	OK      Level = "ok"
	Skipped Level = "skipped" // not looked at: see Because
	Warn    Level = "warn"
	Fail    Level = "fail"
)

// FixKind says what a Fix is to be given to.
type FixKind string

// The kinds of fixes.
const (
	Command   FixKind = "command"   // a shell
	SQL       FixKind = "sql"       // the database, as its owner
	IAM       FixKind = "iam"       // a policy document
	Terraform FixKind = "terraform" // the module's directory
	Setting   FixKind = "settings"  // settings.json
)

// Fix is one way to mend what was found.
type Fix struct {
	Kind FixKind `json:"kind"`
	Text string  `json:"text"`
}

// Info is what is known of a check before it runs.
type Info struct {
	ID    string        `json:"id"` // group.name
	Group string        `json:"group"`
	Title string        `json:"title"`
	How   string        `json:"how"`             // how it looks
	About string        `json:"about,omitempty"` // the connection that it looks at
	Cheap bool          `json:"-"`               // quick enough to run before every run
	Needs string        `json:"-"`               // ids of the checks that must be well for this one to tell anything
	Limit time.Duration `json:"-"`               // 0 = defaultLimit
}

// Finding is what a check found.
type Finding struct {
	Info
	Level   Level   `json:"level"`
	Message string  `json:"message"`           // what was found, one sentence
	Because string  `json:"because,omitempty"` // the cause
	Fixes   []Fix   `json:"fixes,omitempty"`
	Fixable bool    `json:"fixable"` // --fix mends it
	Seconds float64 `json:"seconds"`
}

// Repair mends what a check found. Plan says what Do will do.
type Repair struct {
	Plan string
	Do   func(ctx context.Context) error
}

// Check looks at one thing.
type Check struct {
	Info
	// Run fills in Level, Message, Because and Fixes.
	Run func(ctx context.Context) Finding
	// Repair is nil when a person must mend it. It may return nil when, after
	// Run, there is nothing to mend.
	Repair func() *Repair

	done func(ctx context.Context) // gives back what Run has shared with other checks; nil = nothing
}

// Report is what all checks found, in their order.
type Report struct {
	Level    Level     `json:"level"` // the worst
	Findings []Finding `json:"findings"`
	Seconds  float64   `json:"seconds"`
}

const defaultLimit = 5 * time.Second

// Run runs the checks in parallel and returns when all have answered or hit
// their limit. Checks that need a broken one are skipped.
func Run(ctx context.Context, checks []Check) *Report {
	started := time.Now()
	found := make([]Finding, len(checks))
	var group sync.WaitGroup
	for i := range checks {
		group.Go(func() { found[i] = runOne(ctx, &checks[i]) })
	}
	group.Wait()
	for i := range checks {
		if checks[i].done != nil {
			checks[i].done(ctx)
		}
	}
	skipDependents(found)
	return &Report{Level: worst(found), Findings: found, Seconds: time.Since(started).Seconds()}
}

func runOne(ctx context.Context, c *Check) Finding {
	limit := c.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	started := time.Now()
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	f := c.Run(limited)
	if f.Level == Fail && limited.Err() != nil && f.Because == "" {
		f.Because = "it did not answer within " + limit.String()
	}
	f.Info = c.Info
	f.Fixable = c.Repair != nil && (f.Level == Fail || f.Level == Warn)
	f.Seconds = time.Since(started).Seconds()
	return f
}

// skipDependents turns what a broken check makes fail into skipped findings.
// Checks stand after those that they need.
func skipDependents(found []Finding) {
	for i := range found {
		f := &found[i]
		if f.Needs == "" {
			continue
		}
		for _, need := range found[:i] {
			broken := need.Level == Fail || need.Level == Skipped
			concerns := need.About == "" || need.About == f.About
			if slices.Contains(strings.Fields(f.Needs), need.ID) && concerns && broken {
				f.Level, f.Message, f.Because, f.Fixes, f.Fixable = Skipped, "not checked", "it needs "+need.ID, nil, false
			}
		}
	}
}

var badness = []Level{OK, Skipped, Warn, Fail}

func worst(found []Finding) Level {
	level := OK
	for _, f := range found {
		if f.Level != Skipped && slices.Index(badness, f.Level) > slices.Index(badness, level) {
			level = f.Level
		}
	}
	return level
}

// First returns the first failure, which is the one to mend first: checks
// stand in the order in which things depend on one another. Nil when none failed.
func (r *Report) First() *Finding {
	for i := range r.Findings {
		if r.Findings[i].Level == Fail {
			return &r.Findings[i]
		}
	}
	return nil
}

// Err is nil unless a check failed; then it says what the first one says.
func (r *Report) Err() error {
	f := r.First()
	if f == nil {
		return nil
	}
	e := &sparkwright.Error{Code: sparkwright.CodeUnavailable, Message: f.Message, Because: f.Because}
	if len(f.Fixes) > 0 {
		e.Remedy = f.Fixes[0].Text
	}
	return e
}

// Cheap returns the checks that are quick enough to be run before each run.
func Cheap(checks []Check) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return !c.Cheap })
}

// Mend makes the repairs of what the report found, one after the other, and
// runs the checks again. tell is called with each plan before it is carried out;
// when it returns false that repair is left out.
func Mend(ctx context.Context, checks []Check, r *Report, tell func(Finding, string) bool) (*Report, error) {
	done := false
	for i, f := range r.Findings {
		if !f.Fixable {
			continue
		}
		repair := checks[i].Repair()
		if repair == nil || !tell(f, repair.Plan) {
			continue
		}
		if err := repair.Do(ctx); err != nil {
			return nil, err
		}
		done = true
	}
	if !done {
		return r, nil
	}
	return Run(ctx, checks), nil
}

// The short ways to write a finding.
func ok(message string) Finding { return Finding{Level: OK, Message: message} }

func skip(because string) Finding {
	return Finding{Level: Skipped, Message: "not checked", Because: because}
}

func fail(message, because string, fixes ...Fix) Finding {
	return Finding{Level: Fail, Message: message, Because: because, Fixes: fixes}
}

func warn(message, because string, fixes ...Fix) Finding {
	return Finding{Level: Warn, Message: message, Because: because, Fixes: fixes}
}

func command(text string) Fix   { return Fix{Command, text} }
func sql(text string) Fix       { return Fix{SQL, text} }
func iamPolicy(text string) Fix { return Fix{IAM, text} }
func terraform(text string) Fix { return Fix{Terraform, text} }
func setting(text string) Fix   { return Fix{Setting, text} }

// Only returns the checks whose id begins with prefix.
func Only(checks []Check, prefix string) []Check {
	return slices.DeleteFunc(slices.Clone(checks), func(c Check) bool { return !strings.HasPrefix(c.ID, prefix) })
}
