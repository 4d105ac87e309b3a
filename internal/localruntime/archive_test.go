package localruntime_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// fakeSpark is a runtime whose spark-submit is a shell script, told where the
// archive belongs as $made.
func fakeSpark(t *testing.T, script string) *localruntime.Runtime {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "spark")
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := "#!/bin/sh\nfor a; do case $a in *ArchiveClassesAtExit=*) made=${a#*ArchiveClassesAtExit=}; made=${made%% *};; esac; done\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "bin", "spark-submit"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return &localruntime.Runtime{Dir: dir, SparkHome: dir, Python: "/usr/bin/python3"}
}

// An archive is there whole or not at all, is made once, and Spark runs without it.
func TestArchive(t *testing.T) {
	t.Parallel()
	made := fakeSpark(t, `echo made >> "$made"`)
	if made.JavaOptions() != "" || made.Archived() != nil {
		t.Error("options without an archive")
	}
	for range 2 {
		if err := made.Archive(t.Context(), localruntime.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	paths := made.Archived()
	if len(paths) != 1 || !strings.Contains(made.JavaOptions(), "-XX:SharedArchiveFile="+paths[0]+" ") {
		t.Fatalf("%q, %q", paths, made.JavaOptions())
	}
	if text, err := os.ReadFile(paths[0]); err != nil || string(text) != "made\n" {
		t.Errorf("%q, %v", text, err)
	}

	broken := fakeSpark(t, `echo half > "$made"; echo no such option >&2; exit 1`)
	err := broken.Archive(t.Context(), localruntime.Options{})
	if sparkwright.ErrorCode(err) != sparkwright.CodeUnavailable || !strings.Contains(err.Error(), "no such option") || left(t, broken) != 0 || broken.JavaOptions() != "" {
		t.Errorf("%v, %d files left", err, left(t, broken))
	}
}

func TestArchiveIsInterrupted(t *testing.T) {
	t.Parallel()
	slow := fakeSpark(t, `echo half > "$made"; sleep 60`)
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	if err := slow.Archive(ctx, localruntime.Options{}); sparkwright.ErrorCode(err) != sparkwright.CodeCancelled || left(t, slow) != 0 {
		t.Errorf("%v, %d files left", err, left(t, slow))
	}
}

// left are the archives, whole or not.
func left(t *testing.T, rt *localruntime.Runtime) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(rt.Dir, "classes*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}
