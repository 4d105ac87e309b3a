package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

func TestDatabasesThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, statement string
		code            sparkwright.Code
	}{
		{"newer program", "PRAGMA user_version = 999", sparkwright.CodeConflict},
		{"another program", "PRAGMA application_id = 1", sparkwright.CodeInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "runs.db")
			s := open(t, path)
			if _, err := s.Exec(t.Context(), tt.statement); err != nil {
				t.Fatal(err)
			}
			_, err := store.Open(t.Context(), path)
			wantCode(t, err, tt.code)
		})
	}
	t.Run("no database", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "runs.db")
		text := strings.Repeat("not a database ", 1000)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := store.Open(t.Context(), path)
		if e, ok := errors.AsType[*sparkwright.Error](err); !ok || !strings.Contains(e.Because, "not a database") {
			t.Errorf("Open: %#v", err)
		}
		if got, _ := os.ReadFile(path); string(got) != text {
			t.Error("the file was changed")
		}
	})
	t.Run("a directory", func(t *testing.T) {
		t.Parallel()
		_, err := store.Open(t.Context(), t.TempDir())
		wantCode(t, err, sparkwright.CodeInvalid)
	})
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := setup(t)
	create(t, s, "r_x", sparkwright.RunRunning, epoch)
	if _, err := s.Exec(t.Context(), "PRAGMA max_page_count = 1"); err != nil { // SQLite takes the present size as the least
		t.Fatal(err)
	}
	e := &sparkwright.Event{RunID: "r_x", Type: sparkwright.EventLog, Text: strings.Repeat("x", 1<<20)}
	wantCode(t, s.AppendEvent(t.Context(), e), sparkwright.CodeResource)
	if _, err := s.Exec(t.Context(), "PRAGMA max_page_count = 1000000"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.AppendEvent(t.Context(), e), "")
	if e.Seq != 1 {
		t.Errorf("the refused event took number 1: this one got %d", e.Seq)
	}
}

func TestInterpretError(t *testing.T) {
	t.Parallel()
	own := sparkwright.Errorf(sparkwright.CodeDeclined, "own")
	tests := []struct {
		err  error
		want sparkwright.Code
	}{
		{fmt.Errorf("x: %w", context.Canceled), sparkwright.CodeCancelled},
		{context.DeadlineExceeded, sparkwright.CodeTimeout},
		{&os.PathError{Err: syscall.ENOSPC}, sparkwright.CodeResource},
		{&os.PathError{Err: syscall.EACCES}, sparkwright.CodeInvalid},
		{&os.PathError{Err: syscall.EROFS}, sparkwright.CodeInvalid},
		{errors.New("else"), sparkwright.CodeInternal},
		{own, sparkwright.CodeDeclined},
	}
	for _, tt := range tests {
		wantCode(t, store.InterpretError("do it", tt.err), tt.want)
	}
}

func TestCancelledContext(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, s.CreateRun(ctx, &sparkwright.Run{ID: "r_x", State: sparkwright.RunQueued}, sparkwright.Request{}, store.Admission{}), sparkwright.CodeCancelled)
	_, err := s.Run(ctx, "r_x")
	wantCode(t, err, sparkwright.CodeCancelled)
}
