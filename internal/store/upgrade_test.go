package store_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

// An older database is refused with the command that upgrades it; a newer one
// is refused for good. Nothing is changed by the refusal.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	for name, where := range map[string]string{"sqlite": filepath.Join(t.TempDir(), "runs.db"), "postgres": postgresURL(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, err := store.OpenAt(t.Context(), where, 2)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = old.Exec(t.Context(), `INSERT INTO runs (id, state, owner, question_json, understood, generator, executor, reason, analysis, created_at)
				VALUES ('r_old', 'succeeded', '', '{"text":"How MANY"}', '', '', '', '', '', 1)`); err != nil {
				t.Fatal(err)
			}
			if err = old.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = store.Open(t.Context(), where)
			if e, ok := errors.AsType[*sparkwright.Error](err); !ok || e.Code != sparkwright.CodeConflict || !strings.Contains(e.Remedy, "sparkwright upgrade") {
				t.Fatalf("opened an older one: %v", err)
			}
			for range 2 {
				if err = store.Upgrade(t.Context(), where); err != nil {
					t.Fatal(err)
				}
			}
			s := open(t, where)
			if page, failed := s.List(t.Context(), sparkwright.RunFilter{}); failed != nil || len(page.Runs) != 1 || page.Runs[0].ID != "r_old" {
				t.Errorf("%+v, %v", page, failed)
			}
			if err = s.SetVersion(t.Context(), 9999); err != nil {
				t.Fatal(err)
			}
			if _, err = store.Open(t.Context(), where); sparkwright.ErrorCode(err) != sparkwright.CodeConflict {
				t.Errorf("opened a newer one: %v", err)
			}
			if err = store.Upgrade(t.Context(), where); sparkwright.ErrorCode(err) != sparkwright.CodeConflict {
				t.Errorf("upgraded a newer one: %v", err)
			}
		})
	}
}
