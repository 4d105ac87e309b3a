package files_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/executortest"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/source/files"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	sandbox.HelperMain()
	os.Exit(m.Run())
}

// Spark reads with the schema that was found, and every value is the file's.
func TestSparkReadsWhatWasFound(t *testing.T) { //nolint:tparallel // the cases share one server
	t.Parallel()
	e := connect.New(connect.Config{Runtime: testkit.Runtime(t), Master: "local[2]", DriverMemory: "1g"})
	t.Cleanup(func() { e.Close(context.Background()) })
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	parquetFile(t, filepath.Join(dir, "p.parquet"))
	late := put("late.csv", "a\n1\n2\n")
	tests := []struct {
		name, path, schema, rows string
		spoil                    string // written after the schema was found
	}{
		{
			"CSV", put("a b.csv", "id,price,day,at,ok,plz,note\n1,2.50,2025-01-31,2025-01-31 10:00:00,true,01067,\"x, \"\"y\"\"\nz\"\n20,13.5,,,FALSE,,\n"),
			"bigint decimal(4,2) date timestamp boolean string string",
			`[[1,2.50,"2025-01-31","2025-01-31T10:00:00Z",true,"01067","x, \"y\"\nz"],[20,13.50,null,null,false,null,null]]`, "",
		},
		{"CSV without a header", put("b.csv", "1;x\n2;y\n"), "bigint string", `[[1,"x"],[2,"y"]]`, ""},
		{
			"JSON lines", put("c.jsonl", "{\"id\": 1, \"price\": 2.50, \"at\": \"2025-01-31T10:00:00+02:00\", \"n\": {\"b\": [1]}, \"s\": \"01\"}\n{\"id\": 2, \"price\": null}\n"),
			"bigint decimal(3,2) timestamp string string",
			`[[1,2.50,"2025-01-31T08:00:00Z","{\"b\":[1]}","01"],[2,null,null,null,null]]`, "",
		},
		{"an array of JSON", put("d.json", "[{\"a\": 1.5e3},\n {\"a\": 2}]"), "double", `[[1500.0],[2.0]]`, ""},
		{
			"Parquet", filepath.Join(dir, "p.parquet"), "bigint decimal(12,2) string array<int> timestamp",
			`[[1,12.50,"red",[7],"2025-01-01T00:00:00Z"],[2,0.01,null,null,"1970-01-01T00:00:00Z"]]`, "",
		},
		{"a value that does not fit fails the job", late, "bigint", "", "a\n1\nx\n"},
	}
	for _, tt := range tests { //nolint:paralleltest // one after the other on one server
		t.Run(tt.name, func(t *testing.T) {
			tab, err := files.Inspect(t.Context(), tt.path, files.Options{Name: "t"})
			if err != nil {
				t.Fatal(err)
			}
			if tt.spoil != "" {
				if err = os.WriteFile(tt.path, []byte(tt.spoil), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c := &sparkwright.Catalog{Tables: []sparkwright.Table{tab}}
			readplan.NameViews(c)
			spec := jobscript.Spec{
				RunID: "r_files", AttemptID: "r_files-" + strings.ReplaceAll(tt.name, " ", ""), Location: filepath.Join(t.TempDir(), "r"),
				Analysis: "result = spark.table('t').orderBy(spark.table('t').columns[0])", PreviewRows: 10, Reads: readplan.Plan(c, nil, readplan.Options{}),
			}
			if strings.Contains(tt.schema, "double") {
				spec.Analysis = "result = spark.table('t').orderBy('a', ascending=False)"
			}
			script, err := jobscript.Render(spec)
			if err != nil {
				t.Fatal(err)
			}
			h, err := e.Submit(t.Context(), sparkwright.Job{Attempt: sparkwright.Attempt{ID: spec.AttemptID, RunID: spec.RunID, Script: script}, Location: spec.Location, Files: []string{tt.path}})
			if err != nil {
				t.Fatal(err)
			}
			out := executortest.Finish(t, e, h, &executortest.Sink{})
			if tt.rows == "" {
				if out.State != sparkwright.AttemptFailed || !strings.HasPrefix(out.Fault.Class, "FAILED_READ_FILE") {
					t.Errorf("state %s, fault %+v", out.State, out.Fault)
				}
				return
			}
			if out.State != sparkwright.AttemptSucceeded {
				t.Fatalf("fault %+v", out.Fault)
			}
			m, err := artifact.Load(spec.Location, spec.RunID, spec.AttemptID)
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			for _, c := range m.Schema {
				types = append(types, c.Type)
			}
			if diff := cmp.Diff(tt.schema, strings.Join(types, " ")); diff != "" {
				t.Error(diff)
			}
			got, err := json.Marshal(m.Preview)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.rows, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
