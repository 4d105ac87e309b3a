package result_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/result"
)

// Many readers of one query make its view once, and a reader that leaves does
// not spoil it for the others.
func TestConcurrentReaders(t *testing.T) {
	t.Parallel()
	m := write(t, 20000)
	r := reader(t, 128<<10)
	q := result.Query{Limit: 10, Sort: []result.Order{{Column: "amount"}}}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := r.Page(ctx, m, q); sparkwright.ErrorCode(err) != sparkwright.CodeCancelled {
		t.Errorf("a reader that has left: %v", err)
	}
	var wg sync.WaitGroup
	pages := make([]*result.Page, 8)
	errs := make([]error, len(pages))
	for i := range pages {
		wg.Go(func() { pages[i], errs[i] = r.Page(t.Context(), m, q) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if diff := cmp.Diff(pages[0], p); diff != "" {
			t.Error(diff)
		}
	}
}

func TestViewsAreEvictedAndForgotten(t *testing.T) {
	t.Parallel()
	m := write(t, 2000)
	dir := filepath.Join(t.TempDir(), "views")
	r := result.New(result.Config{CacheDir: dir, CacheBytes: 300 << 10})
	for _, f := range schema.Fields()[:7] {
		if _, err := r.Page(t.Context(), m, result.Query{Limit: 1, Sort: []result.Order{{Column: f.Name}}}); err != nil {
			t.Fatal(err)
		}
	}
	views, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil || len(views) == 0 || len(views) > 2 {
		t.Errorf("kept %v, %v", views, err)
	}
	if err = r.Forget(m.AttemptID); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
