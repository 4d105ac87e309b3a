package localruntime_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// testBundle is a machine of its own: a data directory, a PATH with a fake
// java and a fake python3, and a Maven repository that holds the real driver.
// The fake python3 makes an environment whose python plays pip.
type testBundle struct {
	opt       localruntime.Options
	bin       string // the PATH
	downloads *atomic.Int64
}

const fakeJava = `echo 'openjdk version "17.0.15" 2025-04-15' >&2`

// fakePython makes environments with a python whose behaviour is fakePip.
const fakePython = `
case "$*" in
*version_info*) echo 3.12 ;;
*"-m venv"*)
	for dir; do :; done
	rm -rf "$dir" && mkdir -p "$dir/bin" && cp "$0.pip" "$dir/bin/python" && chmod 755 "$dir/bin/python" ;;
esac`

// fakePip refuses to run twice at a time, and to install over what is there.
const fakePip = `
venv=$(dirname "$(dirname "$0")")
case "$*" in
*"-m pip install"*)
	mkdir "$venv/pip-runs" || { echo "ERROR: two at once, or over a broken install"; exit 1; }
	echo "Collecting pyspark"
	sleep 0.2
	mkdir -p "$venv/pyspark/bin" && touch "$venv/pyspark/bin/spark-submit" ;;
*import*) echo "$venv/pyspark" ;;
esac`

func setup(t *testing.T) *testBundle {
	t.Helper()
	jar, err := os.ReadFile(testkit.Runtime(t).Driver)
	if err != nil {
		t.Fatal(err)
	}
	downloads := &atomic.Int64{}
	maven := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/postgresql-"+localruntime.DriverVersion+".jar") {
			http.NotFound(w, r)
			return
		}
		downloads.Add(1)
		_, _ = w.Write(jar)
	}))
	t.Cleanup(maven.Close)
	b := &testBundle{bin: t.TempDir(), downloads: downloads}
	b.program(t, "java", fakeJava)
	b.program(t, "python3", fakePython)
	b.program(t, "python3.pip", fakePip)
	b.opt = localruntime.Options{
		Home: t.TempDir(), MavenURL: maven.URL, Progress: func(text string) { t.Log(text) },
		Getenv: func(key string) string {
			if key == "PATH" {
				return b.bin
			}
			return ""
		},
	}
	return b
}

// program puts a shell script on the bundle's PATH.
func (b *testBundle) program(t *testing.T, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// install installs, and fails the test when that fails.
func (b *testBundle) install(t *testing.T) *localruntime.Runtime {
	t.Helper()
	rt, err := localruntime.Install(t.Context(), b.opt)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// checkComplete looks at the runtime with Inspect.
func (b *testBundle) checkComplete(t *testing.T, want bool) *localruntime.Status {
	t.Helper()
	st, err := localruntime.Inspect(t.Context(), b.opt)
	if err != nil {
		t.Fatal(err)
	}
	if st.Complete != want {
		t.Errorf("complete = %v, want %v: %+v", st.Complete, want, st.Steps)
	}
	return st
}

// checkError wants one *sparkwright.Error of one line, with a cause that
// contains because and a remedy that contains remedy.
func checkError(t *testing.T, err error, code sparkwright.Code, because, remedy string) {
	t.Helper()
	e, ok := err.(*sparkwright.Error) //nolint:errorlint // not wrapped: it is what a person reads
	if !ok {
		t.Fatalf("error is %T: %v", err, err)
	}
	if e.Code != code {
		t.Errorf("code %q, want %q (%v)", e.Code, code, err)
	}
	if !strings.Contains(e.Because, because) {
		t.Errorf("cause %q, want one with %q", e.Because, because)
	}
	if e.Message == "" || strings.Contains(e.Error(), "\n") {
		t.Errorf("not one line: %q", e.Error())
	}
	if e.Remedy == "" || !strings.Contains(e.Remedy, remedy) {
		t.Errorf("remedy %q, want one with %q", e.Remedy, remedy)
	}
}
