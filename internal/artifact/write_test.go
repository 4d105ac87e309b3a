package artifact_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
)

func cells(values ...string) []*string {
	out := make([]*string, len(values))
	for i := range values {
		if values[i] != "NULL" {
			out[i] = &values[i]
		}
	}
	return out
}

var everyType = []sparkwright.ResultColumn{
	{Name: "b", Type: "boolean"},
	{Name: "s", Type: "smallint"},
	{Name: "i", Type: "int"},
	{Name: "l", Type: "bigint"},
	{Name: "d", Type: "decimal(38,4)"},
	{Name: "f", Type: "double"},
	{Name: "t", Type: "string"},
	{Name: "day", Type: "date"},
	{Name: "at", Type: "timestamp"},
}

// What PostgreSQL writes becomes what Spark would have written.
func TestWrite(t *testing.T) {
	t.Parallel()
	m := &sparkwright.Manifest{RunID: "r_1", AttemptID: "r_1-1", Location: t.TempDir(), Schema: everyType}
	rows := [][]*string{
		cells("t", "-32768", "2147483647", "-9223372036854775808", "9999999999999999999999999999999999.9999", "NaN", "ünï<\"c", "2024-02-29", "2025-01-02 03:04:05+00"),
		cells("f", "0", "-1", "7", "-0.5", "1e-07", "", "0001-01-01", "2025-01-02 03:04:05.6"),
		cells("NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"),
	}
	if err := artifact.Write(t.Context(), m, rows, 2); err != nil {
		t.Fatal(err)
	}
	got, err := artifact.Load(m.Location, "r_1", "r_1-1")
	if err != nil {
		t.Fatal(err)
	}
	if got.RowCount != 3 || !got.Truncated || len(got.Preview) != 2 {
		t.Errorf("%+v", got)
	}
	var all []string
	err = artifact.Rows(t.Context(), got, func(row []json.RawMessage) error {
		text, e := json.Marshal(row)
		all = append(all, string(text))
		return e
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`[true,-32768,2147483647,-9223372036854775808,9999999999999999999999999999999999.9999,"NaN","ünï\u003c\"c","2024-02-29","2025-01-02T03:04:05Z"]`,
		`[false,0,-1,7,-0.5000,1e-07,"","0001-01-01","2025-01-02T03:04:05.600000Z"]`,
		`[null,null,null,null,null,null,null,null,null]`,
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}

// A value that Spark would not have is no result at all.
func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for kind, values := range map[string][]string{
		"int": {"2147483648", "1.0", "+1", "x"}, "bigint": {"9223372036854775808"}, "decimal(4,2)": {"100", "0.125", "NaN", "Infinity", "1e1"},
		"date": {"infinity", "0044-03-15 BC", "12025-01-01"}, "timestamp": {"-infinity"}, "boolean": {"true"}, "string": {"\xff"}, "binary": {"x"},
	} {
		for _, v := range values {
			m := &sparkwright.Manifest{RunID: "r_1", AttemptID: "r_1-1", Location: t.TempDir(), Schema: []sparkwright.ResultColumn{{Name: "c", Type: kind}}}
			if err := artifact.Write(t.Context(), m, [][]*string{{&v}}, 1); err == nil {
				t.Errorf("%s is taken as %s: %s", v, kind, m.Preview)
			}
			if _, err := os.Stat(filepath.Join(m.Location, "manifest.json")); err == nil {
				t.Errorf("%s of %s leaves a manifest", v, kind)
			}
		}
	}
}
