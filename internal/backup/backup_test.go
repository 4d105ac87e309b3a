package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/backup"
	"github.com/sparkwright/sparkwright/internal/store"
)

// A backup is taken while somebody writes; what it holds is of one moment.
func TestBackUpWhileInUse(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	results := filepath.Join(home, "results")
	st, err := store.Open(t.Context(), filepath.Join(home, "sparkwright.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() //nolint:errcheck // nothing is lost
	add := func(i int) {
		id := fmt.Sprintf("r_%d", i)
		run := &sparkwright.Run{ID: id, State: sparkwright.RunSucceeded}
		failed := st.CreateRun(t.Context(), run, sparkwright.Request{}, store.Admission{})
		path := filepath.Join(results, id, "1", "part-0")
		failed = errors.Join(failed, os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte("rows of "+id), 0o600))
		if failed != nil {
			t.Error(failed)
		}
	}
	for i := range 5 {
		add(i)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 5; ctx.Err() == nil; i++ {
			add(i)
		}
	}()
	var archive bytes.Buffer
	err = backup.Write(t.Context(), st, backup.Dirs{"results": results, "uploads": filepath.Join(home, "none")}, &archive)
	stop()
	<-done
	if err != nil {
		t.Fatal(err)
	}
	text := archive.Bytes()
	other := t.TempDir()
	path := filepath.Join(other, "sparkwright.db")
	dirs := backup.Dirs{"results": filepath.Join(other, "elsewhere")}
	if err = backup.Restore(t.Context(), bytes.NewReader(text[:len(text)/2]), path, dirs); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("half a backup: %v", err)
	}
	if err = backup.Restore(t.Context(), bytes.NewReader(text), path, dirs); err != nil {
		t.Fatal(err)
	}
	if err = backup.Restore(t.Context(), bytes.NewReader(text), path, dirs); sparkwright.ErrorCode(err) != sparkwright.CodeConflict {
		t.Errorf("over a database: %v", err)
	}
	restored, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer restored.Close() //nolint:errcheck // nothing is lost
	page, err := restored.List(t.Context(), sparkwright.RunFilter{Limit: 1000})
	if err != nil || len(page.Runs) < 5 {
		t.Fatalf("%d runs, %v", len(page.Runs), err)
	}
	for i := range 5 {
		id := fmt.Sprintf("r_%d", i)
		if got, err := os.ReadFile(filepath.Join(other, "elsewhere", id, "1", "part-0")); err != nil || string(got) != "rows of "+id {
			t.Errorf("%s: %q, %v", id, got, err)
		}
	}
}
