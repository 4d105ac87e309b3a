package files_test

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/files"
)

// write writes files into a directory of their own and returns the path of
// the first, or of the directory when there are several.
func write(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if len(texts) == 1 {
			return filepath.Join(dir, name)
		}
	}
	return dir
}

// shape is name and type of every column; ? marks those that may be NULL.
func shape(tab *sparkwright.Table) string {
	var out []string
	for _, c := range tab.Columns {
		s := c.Name + " " + c.Type
		if c.Nullable {
			s += "?"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestSchemaOfCSV(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, want string
		options          map[string]string // that must be set
	}{
		{
			"types", "id,price,day,at,ok,note\n1,2.50,2025-01-31,2025-01-31 10:00:00,true,a\n20,13.5,2025-02-01,2025-02-01T11:00:00,FALSE,b\n",
			"id bigint, price numeric(4,2), day date, at timestamp without time zone, ok boolean, note text",
			map[string]string{"header": "true", "sep": ","},
		},
		{"moments with a zone", "at\n2025-01-31T10:00:00Z\n2025-01-31T10:00:00+02:00\n", "at timestamp with time zone", nil},
		{"zones here and there are text", "at\n2025-01-31T10:00:00Z\n2025-01-31T10:00:00\n", "at text", nil},
		{"empty cells", "a,b\n1,\n,x\n", "a bigint?, b text?", nil},
		{"leading zeros are kept", "plz,n\n01067,1\n80331,2\n", "plz text, n bigint", nil},
		{"whole and broken numbers", "a,b\n1,1.5e3\n2.25,7\n", "a numeric(3,2), b double precision", nil},
		{"more digits than a decimal has", "a\n" + strings.Repeat("9", 39) + "\n", "a text", nil},
		{"more digits than a bigint has", "a\n" + strings.Repeat("9", 20) + "\n", "a numeric(20,0)", nil},
		{"no day of the calendar", "d\n2025-02-30\n", "d text", nil},
		{"semicolons", "a;b\n1,5;x\n", "a text, b text", map[string]string{"sep": ";"}},
		{"tabs", "a\tb\n1\tx\n", "a bigint, b text", map[string]string{"sep": "\t"}},
		{"no header", "1,x\n2,y\n", "column_1 bigint, column_2 text", map[string]string{"header": "false"}},
		{"a byte order mark", "\xef\xbb\xbfa,b\n1,2\n", "a bigint, b bigint", nil},
		{"the same name twice", "a,A,b\n1,2,3\n", "a bigint, A_2 bigint, b bigint", nil},
		{"lines within a cell", "a,b\n1,\"x\ny\"\n", "a bigint, b text", map[string]string{"multiLine": "true"}},
		{"a header alone", "a,b\n", "a text, b text", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tab, err := files.Inspect(t.Context(), write(t, map[string]string{"x.csv": tt.text}), files.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, shape(&tab)); diff != "" {
				t.Error(diff)
			}
			for k, v := range tt.options {
				if tab.Options[k] != v {
					t.Errorf("option %s is %q, want %q", k, tab.Options[k], v)
				}
			}
			if tab.Options["mode"] != "FAILFAST" {
				t.Error("a value that does not fit would become NULL")
			}
		})
	}
}

func TestSchemaOfJSON(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{
			"lines", "{\"id\": 1, \"price\": 2.50, \"day\": \"2025-01-31\", \"ok\": true, \"s\": \"5\"}\n{\"id\": 2, \"extra\": null}\n",
			"id bigint, price numeric(3,2)?, day date?, ok boolean?, s text?, extra text?",
		},
		{"an array", "[{\"a\": 1.5e3}, {\"a\": 2}]", "a double precision"},
		{"nested values are kept as text", `{"a": {"b": 1}, "c": [1, 2]}`, "a text, c text"},
		{"numbers and text", "{\"a\": 1}\n{\"a\": \"x\"}\n", "a text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tab, err := files.Inspect(t.Context(), write(t, map[string]string{"x.jsonl": tt.text}), files.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, shape(&tab)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNotATable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		texts map[string]string
		says  string
	}{
		{"an empty file", map[string]string{"x.csv": ""}, "empty"},
		{"a line that is too short", map[string]string{"x.csv": "a,b\n1,2\n3\n"}, "line 3"},
		{"a quote that is not closed", map[string]string{"x.csv": "a,b\n1,\"x\n"}, "line"},
		{"binary", map[string]string{"x.csv": "a,b\x00\n"}, "binary"},
		{"not JSON", map[string]string{"x.json": "{\"a\": 1}\n{a}\n"}, "line 2"},
		{"JSON that is no object", map[string]string{"x.json": "1\n"}, "not an object"},
		{"not Parquet", map[string]string{"x.parquet": "PAR"}, "not Parquet"},
		{"not gzip", map[string]string{"x.csv.gz": "a,b\n"}, "not gzip"},
		{"an ending that tells nothing", map[string]string{"x.xlsx": "a"}, "format"},
		{"a name that is a pattern", map[string]string{"x[1].csv": "a\n1\n"}, "pattern"},
		{"formats that differ", map[string]string{"x.csv": "a\n1\n", "y.json": "{}"}, "another format"},
		{"headers that differ", map[string]string{"x.csv": "a,b\n1,2\n", "y.csv": "a,c\n1,2\n"}, "column 2"},
		{"an empty directory", map[string]string{".a": "", "_b": ""}, "no file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := files.Inspect(t.Context(), write(t, tt.texts), files.Options{})
			if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
				t.Fatalf("error %v", err)
			}
			e := err.(*sparkwright.Error) //nolint:errorlint,forcetypeassert // the code says so
			if !strings.Contains(e.Message+e.Because, tt.says) || e.Remedy == "" {
				t.Errorf("message %q, because %q, remedy %q", e.Message, e.Because, e.Remedy)
			}
		})
	}
	_, err := files.Inspect(t.Context(), filepath.Join(t.TempDir(), "no.csv"), files.Options{})
	if sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	tab, err := files.Inspect(t.Context(), write(t, map[string]string{"x.csv": "id,kind\n1,red\n2,red\n3,blue\n10,\n"}), files.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id, kind := tab.Column("id").Stats, tab.Column("kind").Stats
	if tab.RowEstimate != 4 || id.Distinct != 4 || id.MostCommon != nil || !cmp.Equal(id.Histogram, []string{"1", "10"}) {
		t.Errorf("rows %d, id %+v", tab.RowEstimate, id)
	}
	want := []sparkwright.ValueCount{{Value: "red", Fraction: 0.5}, {Value: "blue", Fraction: 0.25}}
	if kind.NullFraction != 0.25 || !cmp.Equal(kind.MostCommon, want) {
		t.Errorf("kind %+v", kind)
	}
}

// parquetFile writes a small Parquet file.
func parquetFile(t *testing.T, path string) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 12, Scale: 2}, Nullable: true},
		{Name: "kind", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "tags", Type: arrow.ListOf(arrow.PrimitiveTypes.Int32), Nullable: true},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.Int64Builder).AppendValues([]int64{1, 2}, nil)
	b.Field(1).(*array.Decimal128Builder).AppendValues([]decimal128.Num{decimal128.FromI64(1250), decimal128.FromI64(1)}, nil)
	b.Field(2).(*array.StringBuilder).AppendValues([]string{"red", ""}, []bool{true, false})
	list := b.Field(3).(*array.ListBuilder)
	list.Append(true)
	list.ValueBuilder().(*array.Int32Builder).Append(7)
	list.AppendNull()
	b.Field(4).(*array.TimestampBuilder).AppendValues([]arrow.Timestamp{1735689600000000, 0}, nil)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(b.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSchemaOfParquet(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.parquet")
	parquetFile(t, path)
	tab, err := files.Inspect(t.Context(), path, files.Options{Name: "things"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("id bigint, price numeric(12,2)?, kind text?, tags integer[]?, at timestamp with time zone?", shape(&tab)); diff != "" {
		t.Error(diff)
	}
	if tab.RowEstimate != 2 || tab.QualifiedName() != "files.local.things" || tab.Column("kind").Stats.NullFraction != 0.5 {
		t.Errorf("%d rows of %s, kind %+v", tab.RowEstimate, tab.QualifiedName(), tab.Column("kind").Stats)
	}
}

func TestCompressed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.csv.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	_, _ = z.Write([]byte("a\n1\n"))
	if err = z.Close(); err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	tab, err := files.Inspect(t.Context(), path, files.Options{})
	if err != nil || shape(&tab) != "a bigint" || tab.Name != "x" {
		t.Errorf("%s: %s, %v", tab.Name, shape(&tab), err)
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	reg := files.Registry{Path: filepath.Join(t.TempDir(), "files.json")}
	a := write(t, map[string]string{"x.csv": "a\n1\n"})
	b := write(t, map[string]string{"x.csv": "b\n1\n"})
	for range 2 { // the same file twice is one table
		for i, path := range []string{a, b} {
			tab, err := reg.Add(t.Context(), path, files.Options{})
			if want := []string{"x", "x_2"}[i]; err != nil || tab.Name != want {
				t.Fatalf("%s is %q, want %q: %v", path, tab.Name, want, err)
			}
		}
	}
	if err := os.WriteFile(a, []byte("changed,z\n1,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tables, err := reg.Tables(t.Context())
	if err != nil || len(tables) != 2 || shape(&tables[0]) != "changed bigint, z bigint" {
		t.Fatalf("%v, %v", tables, err)
	}
	if err = os.Remove(b); err != nil {
		t.Fatal(err)
	}
	if tables, err = reg.Tables(t.Context()); err != nil || len(tables) != 1 {
		t.Errorf("a file that is gone: %v, %v", tables, err)
	}
	if err := reg.Remove(t.Context(), "x"); err != nil {
		t.Error(err)
	}
	if err := reg.Remove(t.Context(), "x"); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("removed twice: %v", err)
	}
}
