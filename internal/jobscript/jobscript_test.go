package jobscript_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func spec() jobscript.Spec {
	catalog := &sparkwright.Catalog{Tables: []sparkwright.Table{
		{
			Connection: "shop", Schema: "sales", Name: `od"d.t`, View: "od_d_t", Bytes: 1 << 30, PrimaryKey: []string{"id"},
			Columns: []sparkwright.Column{
				{Name: "id", BaseType: "int8", Stats: &sparkwright.ColumnStats{Histogram: []string{"1", "9"}}},
				{Name: "tz", BaseType: "timetz"},
			},
		},
		{
			Connection: "Other DB", Schema: "public", Name: "prices", View: "prices",
			Columns: []sparkwright.Column{{Name: "a", BaseType: "int4"}, {Name: "m", BaseType: "_money"}},
		},
		{
			Source: sparkwright.SourceFiles, Location: "file:///data/a b.csv", Format: "csv", Options: map[string]string{"header": "true", "sep": ","},
			Connection: "files", Schema: "local", Name: "a b", View: "a_b",
			Columns: []sparkwright.Column{{Name: "x`y", BaseType: "int8"}, {Name: "price", Type: "numeric(4,2)", BaseType: "numeric"}},
		},
	}}
	return jobscript.Spec{
		RunID: "r_golden", AttemptID: "r_golden-1", Location: "/results/r_golden/1", PreviewRows: 100,
		Analysis: "x = 1\nresult = spark.table(\"od_d_t\")\n",
		Connections: []jobscript.Connection{
			{Name: "Other DB", URL: "jdbc:postgresql://db:5432/other?ApplicationName=sparkwright%2Fr_golden"},
			{Name: "shop", URL: "jdbc:postgresql://localhost:5432/shop"},
		},
		Reads: readplan.Plan(catalog, nil, readplan.Options{Cores: 2}),
		Snapshots: []sparkwright.Snapshot{
			{Connection: "Other DB", None: "the server is a standby", Time: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)},
			{Connection: "shop", ID: "00000003-0000001B-1", LSN: "0/1A2B3C", Time: time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC)},
		},
	}
}

func TestRenderGolden(t *testing.T) {
	t.Parallel()
	got, err := jobscript.Render(spec())
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "script.py.golden"), got)
}

// EMR 7 ships Python 3.9.
func TestScriptIsPython39(t *testing.T) {
	t.Parallel()
	script, err := jobscript.Render(spec())
	if err != nil {
		t.Fatal(err)
	}
	python39(t, script)
}

func python39(t *testing.T, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", "-c", "import ast, sys; ast.parse(sys.stdin.read(), feature_version=(3, 9))")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func TestAnalysisLines(t *testing.T) {
	t.Parallel()
	script, err := jobscript.Render(spec())
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(script, "\n")
	var first int
	for i, l := range lines {
		if l == "x = 1" {
			first = i + 1
		}
	}
	if want := "ANALYSIS_LINES = (" + itoa(first) + ", " + itoa(first+1) + ")"; !strings.Contains(script, want) {
		t.Errorf("the script does not say %s", want)
	}
}

func itoa(n int) string {
	return strings.TrimLeft(string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)}), "0")
}

func TestExtract(t *testing.T) {
	t.Parallel()
	s := spec()
	script, err := jobscript.Render(s)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"as written": script, "with CRLF": strings.ReplaceAll(script, "\n", "\r\n")} {
		got, ok := jobscript.Extract(text)
		if !ok || got != strings.TrimRight(s.Analysis, "\n") {
			t.Errorf("%s: got %q, %v", name, got, ok)
		}
	}
	if diff := cmp.Diff([]string{`shop.sales.od"d.t`, "Other DB.public.prices", "files.local.a b"}, jobscript.Tables(script)); diff != "" {
		t.Error(diff)
	}
	if _, ok := jobscript.Extract("from pyspark.sql import SparkSession\n"); ok {
		t.Error("a foreign program was taken for ours")
	}
}

func TestMarkersAreRefused(t *testing.T) {
	t.Parallel()
	s := spec()
	script, err := jobscript.Render(s)
	if err != nil {
		t.Fatal(err)
	}
	s.Analysis = script // holds both markers
	if _, err := jobscript.Render(s); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("error %v; want invalid", err)
	}
}

func TestCatalogNamesDiffer(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, name := range []string{"shop", "Shop", "shop/other", "shop_other", "shöp", "shop-other"} {
		c := jobscript.CatalogName(name)
		if seen[c] != "" {
			t.Errorf("%s and %s share the catalog %s", name, seen[c], c)
		}
		seen[c] = name
	}
}

// The script names where credentials are, and holds none.
func TestNoCredentials(t *testing.T) {
	t.Parallel()
	script, err := jobscript.Render(spec())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(script, jobscript.PasswordEnv(0)) || !strings.Contains(script, "os.environ.pop") {
		t.Error("the script does not take its login from the environment")
	}
}
