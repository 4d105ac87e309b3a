package session_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/session"
	"github.com/sparkwright/sparkwright/internal/store"
)

// noRuns is a service without runs.
type noRuns struct{ sparkwright.Runs }

func (noRuns) List(context.Context, sparkwright.RunFilter) (sparkwright.RunPage, error) {
	return sparkwright.RunPage{}, nil
}

func setup(t *testing.T) (*session.Service, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sparkwright.db")
	return open(t, path), path
}

func open(t *testing.T, path string) *session.Service {
	t.Helper()
	st, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return session.New(st, noRuns{})
}

// TestWireIDs: every name by which a client knows its session finds it.
func TestWireIDs(t *testing.T) {
	t.Parallel()
	s, path := setup(t)
	made, err := s.Open(t.Context(), "ann", "short")
	if err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"spark-session-", "spark-exec-", "fastapi-session-", "exec-session-"} {
		id := session.Wire(made, "short", prefix)
		if len(id) < session.MinID || !strings.HasPrefix(id, prefix) {
			t.Errorf("id %q", id)
		}
		for _, svc := range []*session.Service{s, open(t, path)} { // another server of the same database
			found, err := svc.Open(t.Context(), "ann", id)
			if err != nil || found.ID != "short" {
				t.Errorf("%s finds %+v, %v", id, found, err)
			}
		}
		if other, err := s.Find(t.Context(), "bob", id); err != nil || other != nil {
			t.Errorf("bob finds %+v, %v", other, err)
		}
	}
	const long = "0b8f6a52-92a7-4f0e-9a6b-0c5f2b7e1d11"
	if id := session.Wire(made, long, "spark-exec-"); id != long {
		t.Errorf("a long id became %q", id)
	}
}

func TestIDsThatCannotBe(t *testing.T) {
	t.Parallel()
	s, _ := setup(t)
	for _, id := range []string{"", "a\nb", "a\x00", "caf\xe9", strings.Repeat("x", 257)} {
		if _, err := s.Open(t.Context(), "", id); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	s, path := setup(t)
	ctx := t.Context()
	if err := s.Reset(ctx, "", "new"); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Find(ctx, "", "new"); err != nil || found != nil {
		t.Errorf("a reset made %+v, %v", found, err)
	}
	pg := []sparkwright.SelectedPostgresTable{{ConnectionName: "shop", Schema: "public", Table: "orders"}}
	glue := []sparkwright.SelectedGlueTable{{Database: "lake", Table: "clicks"}}
	for _, do := range []func() error{
		func() error { return s.SelectPostgres(ctx, "", "s", append(pg, pg...)) },
		func() error { return s.SelectGlue(ctx, "", "s", glue) },
		func() error { return s.SelectPostgres(ctx, "", "s", pg) }, // replaces, and leaves Glue alone
		func() error { return s.AddUpload(ctx, "", "s", sparkwright.Upload{Name: "a.csv", Bytes: 1}) },
		func() error { return s.AddUpload(ctx, "", "s", sparkwright.Upload{Name: "b.csv", Bytes: 2}) },
		func() error { return s.AddUpload(ctx, "", "s", sparkwright.Upload{Name: "a.csv", Bytes: 3}) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	want := sparkwright.Selection{Postgres: pg, Glue: glue, Uploads: []sparkwright.Upload{{Name: "b.csv", Bytes: 2}, {Name: "a.csv", Bytes: 3}}}
	found, err := open(t, path).Find(ctx, "", "s") // as after a restart
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, found.Selection); diff != "" {
		t.Error(diff)
	}
	if err = s.Reset(ctx, "", "s"); err != nil {
		t.Fatal(err)
	}
	if found, err = s.Find(ctx, "", "s"); err != nil || !found.Selection.Empty() {
		t.Errorf("%+v, %v", found, err)
	}
}
