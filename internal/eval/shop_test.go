package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	os.Exit(m.Run())
}

// Every answer that the planner gives over the demo data, carried out by Spark,
// has the values of the hand-written SQL; what the data cannot answer is
// declined.
func TestShopEqualsHandWrittenSQL(t *testing.T) { //nolint:paralleltest // sets the environment
	t.Setenv("SPARKWRIGHT_HOME", testkit.Home(t))
	dir := t.TempDir()
	db, err := startServer(t.Context(), filepath.Join(dir, "pg"), filepath.Join(testkit.Home(t), "runtime", "postgres"), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	questions, err := prepareDemo(t.Context(), db, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := startSpark(t.Context(), db, filepath.Join(dir, "results"), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sp.close(context.Background()) })
	var out strings.Builder
	h := &harness{db: db, gen: planner.New(), runner: sp, out: &out, catalogs: map[string]*sparkwright.Catalog{}}
	list, err := h.all(t.Context(), questions, options{parallel: 2})
	if err != nil {
		t.Fatal(err)
	}
	counts := map[bool]map[outcome]int{true: {}, false: {}}
	for _, s := range list {
		counts[s.Answerable][s.Outcome]++
	}
	if counts[true][right] < 30 || counts[true][wrong] > 0 || counts[true][failed] > 0 || counts[false][wrong]+counts[false][failed] > 0 {
		t.Errorf("answerable %v, unanswerable %v\n%s", counts[true], counts[false], out.String())
	}
	t.Logf("answerable %v, unanswerable %v", counts[true], counts[false])
}
