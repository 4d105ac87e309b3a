package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

func setup(t *testing.T) *store.Store {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "a b?#%é", "runs.db"))
}

// forBoth runs a test on SQLite and on PostgreSQL.
func forBoth(t *testing.T, test func(t *testing.T, s *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, setup(t))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, open(t, postgresURL(t)))
	})
}

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func create(t *testing.T, s *store.Store, id string, state sparkwright.RunState, at time.Time) *sparkwright.Run {
	t.Helper()
	r := &sparkwright.Run{ID: id, State: state, Owner: "host/1/2", CreatedAt: at, Question: sparkwright.Question{Text: "q " + id}}
	if err := s.CreateRun(t.Context(), r, sparkwright.Request{}, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	return r
}

func wantCode(t *testing.T, err error, want sparkwright.Code) {
	t.Helper()
	if got := sparkwright.ErrorCode(err); got != want {
		t.Errorf("error %v has code %q, want %q", err, got, want)
	}
}

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 123456000, time.UTC)

func fullRun(id string) *sparkwright.Run {
	finished := epoch.Add(time.Minute)
	return &sparkwright.Run{
		ID:         id,
		Question:   sparkwright.Question{Text: "größte 🛒 \x00 \"q\"\u2028", Connection: "shop", Tables: []string{`shop.Ä."b.c`}},
		State:      sparkwright.RunFailed,
		Understood: "total ≥ 5",
		Generator:  "planner",
		Placement:  sparkwright.Placement{Executor: "connect", Reason: "small"},
		Views:      []sparkwright.TableUse{{Table: "shop.public.o", View: "o", RowEstimate: -1, Bytes: 1 << 40, Partitions: 3}},
		Analysis:   "result = spark.table('o')\n",
		Declined:   &sparkwright.Declined{Reason: sparkwright.DeclineAmbiguous, Message: "m", Choices: []string{"a"}},
		Fault:      &sparkwright.Fault{Kind: sparkwright.FaultCode, Class: "C", Message: "<&>", Line: 3, Log: "l"},
		Result: &sparkwright.Manifest{
			Version: 1, RunID: id, Schema: []sparkwright.ResultColumn{{Name: "n", Type: "decimal(38,0)"}}, RowCount: 1 << 60,
			Preview: [][]sparkwright.PreviewValue{{json.RawMessage(`12345678901234567890.10`), json.RawMessage(`null`)}},
			Parts:   []sparkwright.Part{{Path: "p", Rows: 1, Bytes: 2, SHA256: "x"}}, Snapshot: &sparkwright.Snapshot{Time: epoch},
		},
		Timings:    []sparkwright.Timing{{Step: "s", Seconds: 0.25}},
		Owner:      "host/12/34",
		CreatedAt:  epoch,
		FinishedAt: &finished,
	}
}

func TestRunRoundTrip(t *testing.T) {
	t.Parallel()
	forBoth(t, testRunRoundTrip)
}

func testRunRoundTrip(t *testing.T, s *store.Store) {
	want := fullRun(store.NewRunID())
	if err := s.CreateRun(t.Context(), want, sparkwright.Request{}, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	finished := epoch.Add(time.Hour)
	for n := 2; n >= 1; n-- {
		a := sparkwright.Attempt{
			ID: fmt.Sprintf("%s-%d", want.ID, n), RunID: want.ID, Number: n, State: sparkwright.AttemptLost, Analysis: "a", Script: "# ü\n",
			Handle: &sparkwright.Handle{Version: 1, Executor: "connect", Data: json.RawMessage(`{"pid":1}`)}, Fault: want.Fault,
			StartedAt: epoch, FinishedAt: &finished,
		}
		if err := s.PutAttempt(t.Context(), &a); err != nil {
			t.Fatal(err)
		}
		want.Attempts = append([]sparkwright.Attempt{a}, want.Attempts...)
	}
	for _, id := range []string{want.ID, want.ID[:5]} {
		got, err := s.Run(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Run(%q):\n%s", id, diff)
		}
	}
	minimal := create(t, s, "r_minimal", sparkwright.RunQueued, time.Time{})
	got, err := s.Run(t.Context(), minimal.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(minimal, got); diff != "" {
		t.Error(diff)
	}
}

func TestFinalStatesNeverChange(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, s *store.Store) {
		for _, state := range []sparkwright.RunState{
			sparkwright.RunQueued, sparkwright.RunGenerating, sparkwright.RunChecking, sparkwright.RunAwaitingApproval, sparkwright.RunRunning,
			sparkwright.RunSucceeded, sparkwright.RunFailed, sparkwright.RunDeclined, sparkwright.RunCancelled,
		} {
			id := "r_" + string(state)
			r := create(t, s, id, sparkwright.RunQueued, epoch)
			held, err := s.Take(t.Context(), "s_1", id, 0)
			if err != nil {
				t.Fatal(err)
			}
			r.State = state
			if err = s.Commit(t.Context(), held.Lease, &store.Change{Run: r, Step: "x"}); err != nil {
				t.Fatal(err)
			}
			r.State, r.Understood = sparkwright.RunRunning, "changed"
			err = s.Commit(t.Context(), held.Lease, &store.Change{Run: r, Step: "x"})
			got, readErr := s.Run(t.Context(), id)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if state.Final() {
				wantCode(t, err, sparkwright.CodeConflict)
				if got.State != state || got.Understood != "" {
					t.Errorf("stored: %+v", got)
				}
				continue
			}
			wantCode(t, err, "")
			if got.State != sparkwright.RunRunning || got.Understood != "changed" {
				t.Errorf("stored: %+v", got)
			}
		}
		open, err := s.OpenRuns(t.Context())
		if err != nil || len(open) != 5 {
			t.Errorf("open: %+v, error %v", open, err)
		}
	})
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	forBoth(t, testAttempts)
}

func testAttempts(t *testing.T, s *store.Store) {
	create(t, s, "r_x", sparkwright.RunRunning, epoch)
	a := &sparkwright.Attempt{ID: "r_x-1", RunID: "r_x", Number: 1, State: sparkwright.AttemptSubmitting, StartedAt: epoch}
	for _, state := range []sparkwright.AttemptState{sparkwright.AttemptSubmitting, sparkwright.AttemptRunning, sparkwright.AttemptFailed} {
		a.State = state
		wantCode(t, s.PutAttempt(t.Context(), a), "")
	}
	a.State = sparkwright.AttemptSucceeded
	wantCode(t, s.PutAttempt(t.Context(), a), sparkwright.CodeConflict)
	other := &sparkwright.Attempt{ID: "r_x-other", RunID: "r_x", Number: 1, State: sparkwright.AttemptRunning}
	wantCode(t, s.PutAttempt(t.Context(), other), sparkwright.CodeConflict)
	orphan := &sparkwright.Attempt{ID: "r_y-1", RunID: "r_y", Number: 1, State: sparkwright.AttemptRunning}
	wantCode(t, s.PutAttempt(t.Context(), orphan), sparkwright.CodeNotFound)
	got, err := s.Run(t.Context(), "r_x")
	if err != nil || len(got.Attempts) != 1 || got.Attempts[0].State != sparkwright.AttemptFailed {
		t.Errorf("stored: %+v, %v", got, err)
	}
}

func TestFinding(t *testing.T) {
	t.Parallel()
	forBoth(t, testFinding)
}

func testFinding(t *testing.T, s *store.Store) {
	_, err := s.Run(t.Context(), "r_abc")
	wantCode(t, err, sparkwright.CodeNotFound)
	for _, id := range []string{"r_abcdefghij", "r_abcxyz2345", "r_abc", "r_%", "r_zzzzzzzzzz"} {
		create(t, s, id, sparkwright.RunQueued, epoch)
	}
	tests := []struct {
		id, want string
		code     sparkwright.Code
		because  string
	}{
		{"r_abcd", "r_abcdefghij", "", ""},
		{"r_abc", "r_abc", "", ""}, // a whole id is never ambiguous
		{"r_%", "r_%", "", ""},     // no pattern
		{"r_ab", "", sparkwright.CodeInvalid, "r_abc, r_abcdefghij, r_abcxyz2345"},
		{"", "", sparkwright.CodeInvalid, ""},
		{"r_zzzzzzyyzz", "", sparkwright.CodeNotFound, "the nearest are r_zzzzzzzzzz"},
		{"R_ABC", "", sparkwright.CodeNotFound, "the nearest are"},
		{"something else", "", sparkwright.CodeNotFound, "the newest are r_zzzzzzzzzz"},
		{strings.Repeat("x", 1<<16), "", sparkwright.CodeNotFound, "the newest are"},
		{"\xff\x00", "", sparkwright.CodeNotFound, ""},
	}
	for _, tt := range tests {
		got, err := s.Run(t.Context(), tt.id)
		wantCode(t, err, tt.code)
		if err == nil && got.ID != tt.want {
			t.Errorf("Run(%q) = %s, want %s", tt.id, got.ID, tt.want)
		}
		if e, ok := errors.AsType[*sparkwright.Error](err); ok && !strings.Contains(e.Because, tt.because) {
			t.Errorf("Run(%.20q): because %q, want %q in it", tt.id, e.Because, tt.because)
		}
	}
	wantCode(t, s.CreateRun(t.Context(), &sparkwright.Run{ID: "r_abc", State: sparkwright.RunQueued}, sparkwright.Request{}, store.Admission{}), sparkwright.CodeConflict)
	wantCode(t, s.Commit(t.Context(), store.Lease{RunID: "r_no"}, &store.Change{Run: &sparkwright.Run{}}), sparkwright.CodeNotFound)
	wantCode(t, s.CreateRun(t.Context(), &sparkwright.Run{}, sparkwright.Request{}, store.Admission{}), sparkwright.CodeInvalid)
}

func TestRunsPages(t *testing.T) {
	t.Parallel()
	forBoth(t, testRunsPages)
}

func testRunsPages(t *testing.T, s *store.Store) {
	var want []string
	for i := range 7 { // two of each instant: the id decides
		state := sparkwright.RunQueued
		if i%3 == 0 {
			state = sparkwright.RunFailed
		}
		id := fmt.Sprintf("r_%d", i)
		create(t, s, id, state, epoch.Add(time.Duration(i/2)*time.Microsecond))
		want = append([]string{id}, want...)
	}
	var got []string
	for before := ""; ; before = got[len(got)-1] {
		page, err := s.List(t.Context(), sparkwright.RunFilter{Limit: 3, Cursor: before})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Runs {
			got = append(got, r.ID)
		}
		if page.Next == "" {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	failed, err := s.List(t.Context(), sparkwright.RunFilter{State: sparkwright.RunFailed})
	if err != nil || len(failed.Runs) != 3 || failed.Runs[0].ID != "r_6" || failed.Runs[2].ID != "r_0" {
		t.Errorf("failed runs: %v, %v", failed, err)
	}
	_, err = s.List(t.Context(), sparkwright.RunFilter{Cursor: "r_none"})
	wantCode(t, err, sparkwright.CodeNotFound)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	forBoth(t, testEvents)
}

func testEvents(t *testing.T, s *store.Store) {
	create(t, s, "r_a", sparkwright.RunSucceeded, epoch)
	create(t, s, "r_b", sparkwright.RunQueued, epoch)
	want := []sparkwright.Event{
		{Type: sparkwright.EventState, State: sparkwright.RunRunning},
		{Type: sparkwright.EventLog, Stream: "stderr", Text: "größe 🛒\n" + strings.Repeat("x", 1<<20)},
		{Type: sparkwright.EventProgress, Progress: &sparkwright.Progress{Tasks: 3, BytesRead: 1 << 50, Seconds: 0.5}},
		{Type: sparkwright.EventStep, Step: "read", Text: "reading"},
	}
	for i := range want {
		want[i].RunID, want[i].At = "r_a", epoch.Add(-time.Duration(i)*time.Second) // the number orders, not the clock
		if err := s.AppendEvent(t.Context(), &want[i]); err != nil {
			t.Fatal(err)
		}
		if want[i].Seq != int64(i+1) {
			t.Errorf("event %d got number %d", i+1, want[i].Seq)
		}
	}
	other := &sparkwright.Event{RunID: "r_b", Type: sparkwright.EventLog, Text: "bad \xff end"}
	if err := s.AppendEvent(t.Context(), other); err != nil || other.Seq != 1 || other.At.IsZero() {
		t.Errorf("event of the other run: %+v, %v", other, err)
	}
	got, err := s.Events(t.Context(), "r_a", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got, err = s.Events(t.Context(), "r_a", 1, 2)
	if err != nil || len(got) != 2 || got[0].Seq != 2 || got[1].Seq != 3 {
		t.Errorf("Events after 1, at most 2: %d, %v", len(got), err)
	}
	if got, err = s.Events(t.Context(), "r_b", 0, 0); err != nil || got[0].Text != "bad \uFFFD end" {
		t.Errorf("invalid UTF-8: %v, %v", got, err)
	}
	if got, err = s.Events(t.Context(), "r_b", 1, 0); err != nil || len(got) != 0 {
		t.Errorf("Events after the last: %v, %v", got, err)
	}
	_, err = s.Events(t.Context(), "r_c", 0, 0)
	wantCode(t, err, sparkwright.CodeNotFound)
	wantCode(t, s.AppendEvent(t.Context(), &sparkwright.Event{RunID: "r_c", Type: sparkwright.EventLog}), sparkwright.CodeNotFound)
}

func TestNewRunID(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := store.NewRunID()
		if !regexp.MustCompile(`^r_[a-z2-7]{10}$`).MatchString(id) || seen[id] {
			t.Fatalf("NewRunID() = %q", id)
		}
		seen[id] = true
	}
}
