package supervisor_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
	"github.com/sparkwright/sparkwright/internal/model/openai"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// readTwice has a model on the wire answer what the planner understands, too:
// PostgreSQL is asked for the planner's rows on the run's own snapshot.
func readTwice(t *testing.T, b *bundle) {
	t.Helper()
	for _, tt := range []struct {
		name, question, code string
		state                sparkwright.SecondState
		confidence           sparkwright.Confidence
		why                  string
	}{
		{
			"the same rows", "How many orders are there per customer?",
			`spark.table("orders").groupBy("customer").agg(F.count("*").alias("n")).select("n", "customer")`,
			sparkwright.SecondAgrees, sparkwright.ConfidenceHigh, "",
		},
		{
			"other rows", "How many orders are there per customer?",
			`spark.sql("SELECT customer, count(*) AS n FROM orders WHERE id > 500 GROUP BY customer")`,
			sparkwright.SecondDiffers, sparkwright.ConfidenceLow, "other ones",
		},
		{
			"not understood by the planner", "Which way does the wind blow for orders?",
			`spark.sql("SELECT count(*) AS n FROM orders")`, "", sparkwright.ConfidenceMedium, "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			reply := "```python\n# understood: U.\n# columns: orders.customer\nfrom pyspark.sql import functions as F\nresult = " + tt.code + "\n```"
			server := modeltest.New(t, openaitest.Dialect{}, modeltest.Text(reply[:20], reply[20:]))
			m, err := openai.New(openai.Config{BaseURL: server.URL + "/v1", Model: strings.ReplaceAll(tt.name, " ", "-")}) // analyses are kept by model
			if err != nil {
				t.Fatal(err)
			}
			cfg := b.config
			cfg.Generator, cfg.GeneratorName = codegen.Pair(codegen.New(m, codegen.Options{}), planner.New()), "model "+m.Name()
			svc := supervisor.New(cfg)
			t.Cleanup(func() { _ = svc.Close(context.Background()) })
			written := ""
			run, err := svc.Ask(t.Context(), supervisor.Request{
				Question: tt.question, Connection: "t", Tables: []string{"orders"},
				Observe: func(_ *sparkwright.Run, e sparkwright.Event) {
					if e.Type == sparkwright.EventModel {
						written += e.Text
					}
				},
			})
			if err != nil || run.State != sparkwright.RunSucceeded || run.Crosscheck == nil {
				t.Fatalf("%+v, %v", run, err)
			}
			if written != reply || run.Usage.InputTokens != modeltest.InTokens || run.Usage.OutputTokens != modeltest.OutTokens {
				t.Errorf("told %q, used %+v", written, run.Usage)
			}
			stored, err := svc.Run(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			if got := stored.Confidence(); got != tt.confidence {
				t.Errorf("confidence %q, want %q", got, tt.confidence)
			}
			second := stored.Crosscheck.Second
			if tt.state == "" {
				if second != nil {
					t.Errorf("%+v", second)
				}
				return
			}
			if second == nil || second.State != tt.state || second.Understood == "" || !strings.Contains(second.Why, tt.why) {
				t.Errorf("%+v, want %s; cross-check %+v", second, tt.state, stored.Crosscheck)
			}
		})
	}
}
