package supervisor_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/reader"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// ambiguous asks what can be about either of two dates: it is asked back only
// when that makes a difference in the database, as it is.
func ambiguous(t *testing.T, b *bundle) {
	t.Helper()
	const question = "How many calls are there per month?"
	ask := func(t *testing.T, svc *supervisor.Service, question, parent string) *sparkwright.Run {
		t.Helper()
		run, err := svc.Ask(t.Context(), supervisor.Request{Question: question, Tables: []string{"t.public.calls"}, Parent: parent})
		if err != nil {
			t.Fatalf("%v, %+v", err, run)
		}
		return run
	}
	askedBack := func(t *testing.T, run *sparkwright.Run, differ bool) {
		t.Helper()
		d := run.Declined
		if d == nil || d.Reason != sparkwright.DeclineAmbiguous || !slices.Equal(d.Choices, []string{"calls.begun_on", "calls.billed_on"}) {
			t.Fatalf("not asked back: %+v, %+v", d, run.Assumptions)
		}
		if strings.Contains(d.Message, "different results") != differ {
			t.Errorf("%s", d.Message)
		}
	}

	t.Run("which makes no difference", func(t *testing.T) {
		run := ask(t, b.svc, question, "")
		if run.State != sparkwright.RunSucceeded || !strings.Contains(run.Analysis, "begun_on") || run.Result.RowCount != 4 {
			t.Fatalf("%s: %+v\n%s", run.State, run.Declined, run.Analysis)
		}
		if told := strings.Join(run.Assumptions, " "); !strings.Contains(told, "calls.begun_on; calls.billed_on") || !strings.Contains(told, "same result") {
			t.Errorf("the ledger says %q", run.Assumptions)
		}
		var selects []string
		for _, s := range run.Receipt.Statements {
			if s.Error != "" {
				t.Errorf("%+v", s)
			}
			if strings.Contains(s.SQL, "AS q LIMIT") && !s.IsPlan() {
				selects = append(selects, s.SQL)
			}
		}
		if len(selects) != 2 || !strings.Contains(selects[0], "begun_on") || !strings.Contains(selects[1], "billed_on") {
			t.Errorf("the receipt has %q of the readings", selects)
		}
	})
	t.Run("too dear to find out", func(t *testing.T) {
		reads := b.reads
		reads.Limits = func() crosscheck.Limits { return crosscheck.Limits{Cost: 0.01} }
		cfg := b.config
		cfg.Reader = reader.New(reads)
		svc := supervisor.New(cfg)
		t.Cleanup(func() { _ = svc.Close(context.Background()) })
		askedBack(t, ask(t, svc, question, ""), false)
	})
	t.Run("which makes a difference", func(t *testing.T) {
		b.exec(t, "UPDATE calls SET billed_on = '2025-03-31' WHERE id < 10")
		back := ask(t, b.svc, question, "")
		askedBack(t, back, true)
		for i, column := range []string{"begun_on", "billed_on"} {
			run := ask(t, b.svc, fmt.Sprint(i+1), back.ID)
			if run.State != sparkwright.RunSucceeded || !strings.Contains(run.Analysis, column) {
				t.Errorf("choice %d: %s, %+v\n%s", i+1, run.State, run.Declined, run.Analysis)
			}
		}
	})
	t.Run("of which one is another number of rows", func(t *testing.T) {
		b.exec(t, "UPDATE calls SET billed_on = '2024-12-31'")
		askedBack(t, ask(t, b.svc, question, ""), true)
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	left := 0
	if err := b.owner.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sparkwright/%-readings'").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d backends are left, %v", left, err)
	}
}
