package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	forBoth(t, sessions)
}

func sessions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	if _, err := s.Session(ctx, "ann", "s", ""); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Fatalf("a session that is not there: %v", err)
	}
	made, err := s.UpdateSession(ctx, "ann", "s", "h1", func(sess *sparkwright.Session) error {
		sess.Selection.Glue = []sparkwright.SelectedGlueTable{{Database: "d", Table: "t"}}
		return nil
	})
	if err != nil || made.Handle != "h1" || made.CreatedAt.IsZero() {
		t.Fatalf("%+v, %v", made, err)
	}
	refused := errors.New("refused")
	_, err = s.UpdateSession(ctx, "ann", "s", "h2", func(sess *sparkwright.Session) error {
		sess.Selection.Glue = nil
		return refused
	})
	if err == nil {
		t.Error("a change that failed was stored")
	}
	changed, err := s.UpdateSession(ctx, "ann", "s", "h3", func(sess *sparkwright.Session) error {
		sess.Selection.Uploads = []sparkwright.Upload{{Name: "x.csv", Path: "/x", Table: "files.x", Bytes: 3}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range [][3]string{{"ann", "s", ""}, {"ann", "s", "other"}, {"ann", "spark-session-h1", "h1"}} {
		got, err := s.Session(ctx, key[0], key[1], key[2])
		if err != nil {
			t.Fatalf("%v: %v", key, err)
		}
		if diff := cmp.Diff(changed, got); diff != "" || got.Handle != "h1" || len(got.Selection.Glue) != 1 {
			t.Errorf("%v (-stored +read)\n%s", key, diff)
		}
	}
	for _, key := range [][3]string{{"bob", "s", ""}, {"bob", "x", "h1"}, {"ann", "x", ""}} {
		if got, err := s.Session(ctx, key[0], key[1], key[2]); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
			t.Errorf("%v finds %+v, %v", key, got, err)
		}
	}
	if n, err := s.ForgetSessions(ctx, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("%d sessions forgotten, %v", n, err)
	}
	run := sparkwright.Run{ID: store.NewRunID(), User: "ann", Session: "s", State: sparkwright.RunSucceeded, CreatedAt: time.Now()}
	if err := s.CreateRun(ctx, &run, sparkwright.Request{}, store.Admission{}); err != nil {
		t.Fatal(err)
	}
	if n, err := s.ForgetSessions(ctx, time.Now().Add(time.Hour)); n != 0 || err != nil {
		t.Errorf("%d sessions forgotten that have a run, %v", n, err)
	}
	if err := s.Delete(ctx, run.ID); err != nil {
		t.Fatal(err)
	}
	known, failed := s.Handles(ctx, []string{"h1", "h2"})
	if diff := cmp.Diff(map[string]bool{"h1": true}, known); diff != "" || failed != nil {
		t.Error(diff, failed)
	}
	if n, err := s.ForgetSessions(ctx, time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("%d sessions forgotten, %v", n, err)
	}
}

// TestSessionChangesFollowOneAnother: no change is lost.
func TestSessionChangesFollowOneAnother(t *testing.T) {
	t.Parallel()
	forBoth(t, sessionChanges)
}

func sessionChanges(t *testing.T, s *store.Store) {
	const changes = 20
	var all sync.WaitGroup
	for i := range changes {
		all.Go(func() {
			_, err := s.UpdateSession(t.Context(), "", "s", fmt.Sprint(i), func(sess *sparkwright.Session) error {
				sess.Selection.Uploads = append(sess.Selection.Uploads, sparkwright.Upload{Name: fmt.Sprint(i)})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := s.Session(t.Context(), "", "s", "")
	if err != nil || len(got.Selection.Uploads) != changes {
		t.Errorf("%+v, %v", got, err)
	}
}
