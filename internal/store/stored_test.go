package store_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

// The stored form outlives the program: a field that is renamed in the API
// must not make old runs unreadable.
func TestStoredFormIsRead(t *testing.T) {
	t.Parallel()
	forBoth(t, testStoredFormIsRead)
}

func testStoredFormIsRead(t *testing.T, s *store.Store) {
	_, err := s.Exec(t.Context(), `INSERT INTO runs (id, state, owner, question_json, understood, generator, executor, reason, views_json,
		analysis, declined_json, fault_json, result_json, timings_json, created_at, finished_at, cancel_wanted) VALUES ('r_old', 'succeeded', 'o', '{"text":"q","connection":"c","tables":["t"]}', 'u', 'g', 'e', 'r',
		'[{"table":"t","view":"v","row_estimate":1,"bytes":2,"partitions":3}]', 'a', '{"reason":"ambiguous","message":"m"}',
		'{"kind":"code","class":"c","sql_state":"s","message":"m","line":1,"log":"l"}',
		'{"version":1,"run_id":"r_old","schema":[{"name":"n","type":"t"}],"row_count":5,"preview":[[1.10]],"location":"d"}',
		'[{"step":"s","seconds":1}]', 1000000, 2000000, 0)`)
	if err != nil {
		t.Fatal(err)
	}
	finished := time.Unix(2, 0).UTC()
	want := &sparkwright.Run{
		ID: "r_old", Question: sparkwright.Question{Text: "q", Connection: "c", Tables: []string{"t"}},
		State: sparkwright.RunSucceeded, Understood: "u", Generator: "g", Placement: sparkwright.Placement{Executor: "e", Reason: "r"},
		Views: []sparkwright.TableUse{{Table: "t", View: "v", RowEstimate: 1, Bytes: 2, Partitions: 3}}, Analysis: "a",
		Declined: &sparkwright.Declined{Reason: sparkwright.DeclineAmbiguous, Message: "m"},
		Fault:    &sparkwright.Fault{Kind: sparkwright.FaultCode, Class: "c", SQLState: "s", Message: "m", Line: 1, Log: "l"},
		Result: &sparkwright.Manifest{
			Version: 1, RunID: "r_old", Schema: []sparkwright.ResultColumn{{Name: "n", Type: "t"}}, RowCount: 5,
			Preview: [][]sparkwright.PreviewValue{{json.RawMessage("1.10")}}, Location: "d",
		},
		Timings: []sparkwright.Timing{{Step: "s", Seconds: 1}}, Owner: "o", CreatedAt: time.Unix(1, 0).UTC(), FinishedAt: &finished,
	}
	got, err := s.Run(t.Context(), "r_old")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCancelIsSeenByTheOwner(t *testing.T) {
	t.Parallel()
	forBoth(t, testCancelIsSeenByTheOwner)
}

func testCancelIsSeenByTheOwner(t *testing.T, s *store.Store) {
	run := &sparkwright.Run{ID: store.NewRunID(), State: sparkwright.RunQueued, Owner: "o", CreatedAt: time.Now().UTC()}
	if err := s.CreateRun(t.Context(), run, sparkwright.Request{}, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	if wanted, err := s.CancelRequested(t.Context(), run.ID); wanted || err != nil {
		t.Errorf("wanted %v, error %v before the request", wanted, err)
	}
	if err := s.RequestCancel(t.Context(), run.ID, nil); err != nil {
		t.Fatal(err)
	}
	if wanted, err := s.CancelRequested(t.Context(), run.ID); !wanted || err != nil {
		t.Errorf("wanted %v, error %v after the request", wanted, err)
	}
	if err := s.RequestCancel(t.Context(), "r_nobody", nil); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("an unknown run: %v", err)
	}
}
