package supervisor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/crashtest"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
	"github.com/sparkwright/sparkwright/internal/model/openai"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// linting finds two ways of being wrong in code that says so.
type linting struct{ crashtest.Checker }

func (linting) Lint(_ context.Context, code string, _ []check.Facts) ([]sparkwright.Finding, error) {
	var out []sparkwright.Finding
	if strings.Contains(code, "FAN") {
		out = append(out, sparkwright.Finding{Rule: "fan-out-join", Line: 4, Message: "it counts twice", Repair: true})
	}
	if strings.Contains(code, "CUT") {
		out = append(out, sparkwright.Finding{Rule: "time-zone-cut", Line: 1, Message: "days are of UTC"})
	}
	return out, nil
}

// A model repairs what the lint finds, once; what is left is told with the
// answer. A person's code is told about and runs as it is.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		codes   []string
		req     sparkwright.Request
		repairs int // allowed
		calls   int
		rules   string // told with the answer
	}{
		{"nothing", []string{"a"}, sparkwright.Request{Question: "q"}, 3, 1, ""},
		{"a warning is told", []string{"a CUT"}, sparkwright.Request{Question: "q"}, 3, 1, "time-zone-cut"},
		{"an error is repaired", []string{"a FAN", "b CUT"}, sparkwright.Request{Question: "q"}, 3, 2, "time-zone-cut"},
		{"it stays", []string{"a FAN", "b FAN"}, sparkwright.Request{Question: "q"}, 3, 2, "fan-out-join"},
		{"the same code again", []string{"a FAN"}, sparkwright.Request{Question: "q"}, 3, 2, "fan-out-join"},
		{"no repair is allowed", []string{"a FAN"}, sparkwright.Request{Question: "q"}, 0, 1, "fan-out-join"},
		{"a person's code", []string{"-"}, sparkwright.Request{Code: "a FAN CUT"}, 3, 0, "fan-out-join time-zone-cut"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := play(t, tt.codes, func(c *supervisor.Config) {
				c.CheckClient = func(context.Context, string) (check.Client, error) { return linting{}, nil }
				c.Limits.Repairs = tt.repairs
			})
			run := p.end(t, p.submit(t, tt.req))
			if run.State != sparkwright.RunSucceeded {
				t.Fatalf("%s: %+v", run.State, run.Fault)
			}
			var rules []string
			for _, f := range run.Findings {
				rules = append(rules, f.Rule)
				if f.Repair {
					t.Errorf("%+v is told with the answer", f)
				}
			}
			if got := strings.Join(rules, " "); got != tt.rules || p.model.calls() != tt.calls {
				t.Errorf("told %q after %d calls, want %q after %d", got, p.model.calls(), tt.rules, tt.calls)
			}
			if tt.calls > 1 {
				if f := p.model.asked[1].Repair.Fault; f.Class != "LINT" || !strings.Contains(f.Message, "line 4: it counts twice") {
					t.Errorf("the repair was asked for with %+v", f)
				}
			}
		})
	}
}

// repairedFrames has a model on the wire sum what a join of DataFrames
// multiplies: the real lint finds it from the keys, and the repair is run.
func repairedFrames(t *testing.T, b *bundle) {
	t.Helper()
	const head = "```python\n# understood: U.\nfrom pyspark.sql import functions as F\nwords = spark.table(\"words\")\norders = spark.table(\"orders\")\n"
	const days = "days = orders.groupBy(F.to_date(\"created_at\").alias(\"day\")).agg(F.count(\"*\").alias(\"n\"))\n"
	server := modeltest.New(t, openaitest.Dialect{},
		modeltest.Text(head+"result = (words\n  .join(orders, words[\"c\"] == orders[\"customer\"])\n  .agg(F.sum(\"n\").alias(\"n\")))\n```"),
		modeltest.Text(head+days+"result = days.agg(F.sum(\"n\").alias(\"n\"))\n```"))
	m, err := openai.New(openai.Config{BaseURL: server.URL + "/v1", Model: "multiplies"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := b.config
	cfg.Generator, cfg.GeneratorName = codegen.New(m, codegen.Options{}), "model "+m.Name()
	svc := supervisor.New(cfg)
	t.Cleanup(func() { _ = svc.Close(context.Background()) })
	run, err := svc.Ask(t.Context(), supervisor.Request{Question: "What is the sum?", Connection: "t", Tables: []string{"orders", "words"}})
	if err != nil || run.Repairs != 1 || preview(t, run) != "[[1000]]" {
		t.Fatalf("%+v, %v", run, err)
	}
	asked := server.Requests()
	if len(asked) != 2 || !strings.Contains(string(asked[1].Body), "line 7: SUM(words.n) counts a row of words once for every row of orders") {
		t.Errorf("asked %d times, at last %s", len(asked), asked[len(asked)-1].Body)
	}
	at := 1 + strings.Count(run.Analysis[:strings.Index(run.Analysis, "days =")], "\n")
	if f := run.Findings; len(f) != 1 || f[0].Rule != "time-zone-cut" || f[0].Line != at {
		t.Errorf("told %+v, want a cut of days on line %d", f, at)
	}
}

// A verified answer is used as it is: no generator, no repair, and labelled.
func TestVerifiedAnswer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, code string
		state      sparkwright.RunState
	}{
		{"it holds", "verified", sparkwright.RunSucceeded},
		{"it no longer fits", "verified FAULT", sparkwright.RunFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := play(t, []string{"of the model"}, func(c *supervisor.Config) {
				c.Limits.Repairs = 3
				c.Definitions = func(context.Context, *sparkwright.Catalog) (*sparkwright.Definitions, []string, error) {
					return &sparkwright.Definitions{Verified: []sparkwright.Verified{{Question: "How many?", Code: tt.code, By: "Ada"}}}, []string{"A note."}, nil
				}
			})
			run := p.end(t, p.submit(t, sparkwright.Request{Question: "how  many"}))
			if run.State != tt.state || run.Analysis != tt.code || !run.Verified || run.Generator != sparkwright.GeneratorVerified || p.model.calls() != 0 {
				t.Errorf("%s after %d calls: %+v", run.State, p.model.calls(), run)
			}
			if got := strings.Join(run.Assumptions, " "); got != "The code was verified by Ada. A note." {
				t.Errorf("assumed %q", got)
			}
			if run.Fault != nil && !strings.Contains(run.Fault.Because, "definitions check") {
				t.Errorf("%+v", run.Fault)
			}
			other := p.end(t, p.submit(t, sparkwright.Request{Question: "how many others"}))
			if other.Verified || other.Analysis != "of the model" || p.model.asked[0].Definitions == nil {
				t.Errorf("%+v", other)
			}
		})
	}
}
