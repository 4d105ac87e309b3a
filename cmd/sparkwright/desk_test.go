package main

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/sparkwright/sparkwright/internal/doctor"
)

// The desk looks at this very machine; full looks at more, and nobody waits for
// another's look longer than he wants.
func TestDeskExamines(t *testing.T) {
	t.Setenv("SPARKWRIGHT_HOME", t.TempDir())
	d := &desk{app: &app{}, looking: make(chan struct{}, 1)}
	quick, err := d.Examine(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	full, err := d.Examine(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(quick.Findings) == 0 || len(full.Findings) <= len(quick.Findings) {
		t.Errorf("%d quick findings, %d in all", len(quick.Findings), len(full.Findings))
	}
	missing := func(f doctor.Finding) bool { return f.ID == "local.runtime" && f.Level == doctor.Warn && f.Fixable }
	if !slices.ContainsFunc(full.Findings, missing) {
		t.Errorf("an empty home has no runtime; found %+v", full.Findings)
	}
	d.looking <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Examine(ctx, false); !errors.Is(err, context.Canceled) {
		t.Errorf("while another looks: %v", err)
	}
}
