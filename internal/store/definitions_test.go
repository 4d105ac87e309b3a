package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

// TestDefinitions: one list takes the place of another as a whole, or not at all.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		want := []store.Definition{{Name: "a.yaml", Body: "connection: a\n"}, {Name: "b.yaml", Body: "connection: b\n"}}
		for _, list := range [][]store.Definition{{{Name: "old.yaml", Body: "x"}}, want} {
			if err := s.ReplaceDefinitions(ctx, list); err != nil {
				t.Fatal(err)
			}
		}
		twice := []store.Definition{{Name: "c.yaml", Body: "1"}, {Name: "c.yaml", Body: "2"}}
		if err := s.ReplaceDefinitions(ctx, twice); err == nil {
			t.Error("two files of one name are kept")
		}
		bad := []store.Definition{{Name: "c.yaml", Body: "a\x00b"}}
		if err := s.ReplaceDefinitions(ctx, bad); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("NUL: %v", err)
		}
		got, err := s.Definitions(ctx)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}
