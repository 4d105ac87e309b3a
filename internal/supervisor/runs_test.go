package supervisor_test

import (
	"context"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
)

// follow reads the events of a run until it is final.
func follow(t *testing.T, runs sparkwright.Runs, id string) (events []sparkwright.Event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	after := int64(0)
	for {
		if err := runs.Changed(ctx, id, after); err != nil || ctx.Err() != nil {
			t.Fatalf("error %v, context %v, after %d events", err, ctx.Err(), len(events))
		}
		more, err := runs.Events(ctx, id, after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(more) > 0 {
			events, after = append(events, more...), more[len(more)-1].Seq
			continue
		}
		run, err := runs.Run(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if run.State.Final() {
			return events
		}
	}
}

// inBackground is a run that nobody waits for.
func inBackground(t *testing.T, b *bundle) {
	req := sparkwright.Request{
		Question: "How many Orders are there", Connection: "t", Tables: []string{"orders"}, Session: "s1", User: "u", IdempotencyKey: "k",
	}
	run, err := b.svc.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.svc.Submit(t.Context(), req)
	if err != nil || again.ID != run.ID {
		t.Fatalf("the same key made %v, error %v", again, err)
	}
	events := follow(t, b.svc, run.ID)
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has number %d", i+1, e.Seq)
		}
	}
	if last := events[len(events)-1]; last.State != sparkwright.RunSucceeded {
		t.Errorf("last event %+v", last)
	}
	got, err := b.svc.Run(t.Context(), run.ID)
	if err != nil || got.State != sparkwright.RunSucceeded || got.Session != "s1" || preview(t, got) != "[[1000]]" {
		t.Errorf("run %+v, error %v", got, err)
	}
	revisions, err := b.svc.Revisions(t.Context(), run.ID)
	if err != nil || len(revisions) != 1 || revisions[0].Code != got.Analysis {
		t.Errorf("revisions %+v, error %v", revisions, err)
	}
	if _, err = b.svc.Pin(t.Context(), run.ID, true); err != nil {
		t.Error(err)
	}
	page, err := b.svc.List(t.Context(), sparkwright.RunFilter{Session: "s1", User: "u", Text: "MANY orders", Pinned: true})
	if err != nil || len(page.Runs) != 1 || page.Runs[0].ID != run.ID {
		t.Errorf("listed %+v, error %v", page, err)
	}
	if page, err = b.svc.List(t.Context(), sparkwright.RunFilter{Session: "s1", Text: "many%orders"}); err != nil || len(page.Runs) != 0 {
		t.Errorf("a pattern matched: %+v, error %v", page, err)
	}
	if err = b.svc.Delete(t.Context(), run.ID); err != nil {
		t.Error(err)
	}
	if _, err = b.svc.Run(t.Context(), run.ID); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("after the delete: %v", err)
	}
}

// cancelledInBackground ends a run through the service.
func cancelledInBackground(t *testing.T, b *bundle) {
	run, err := b.svc.Submit(t.Context(), sparkwright.Request{Code: slow, Tables: []string{"t.public.slow"}})
	if err != nil {
		t.Fatal(err)
	}
	if err = b.svc.Delete(t.Context(), run.ID); sparkwright.ErrorCode(err) != sparkwright.CodeConflict {
		t.Errorf("a run under way was deleted: %v", err)
	}
	eventually(t, "a backend is active", func() bool { return b.backends(t, run.ID) > 0 })
	if _, err = b.svc.Cancel(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	follow(t, b.svc, run.ID)
	ended(t, b, run.ID, sparkwright.Errorf(sparkwright.CodeCancelled, "as wanted"))
}
