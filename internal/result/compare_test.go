package result_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/result"
)

// The rows of two results are told apart whatever files they are in, and in
// whatever order.
func TestCompare(t *testing.T) {
	t.Parallel()
	r := reader(t, 0)
	compare := func(a, b *sparkwright.Manifest, n int) *result.Difference {
		t.Helper()
		d, err := r.Compare(t.Context(), a, b, n)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	a := write(t, 3000, 2000)
	same := compare(a, write(t, 500, 4500), 10)
	if same.Same != 5000 || same.OnlyA+same.OnlyB != 0 || !same.InOrder || len(same.Columns) != len(schema.Fields()) || same.Types != nil {
		t.Errorf("the same rows in other files: %+v", same)
	}
	turned := write(t, 3000, 2000)
	slices.Reverse(turned.Parts)
	if d := compare(a, turned, 10); d.Same != 5000 || d.InOrder || len(d.RowsA)+len(d.RowsB) != 0 {
		t.Errorf("the same rows in another order: %+v", d)
	}

	// Row 0 twice on one side, rows 3000 to 4999 on the other only.
	twice := write(t, 3000)
	one := write(t, 1)
	twice.Parts = append(twice.Parts, sparkwright.Part{Path: "one.parquet", Rows: 1, Bytes: one.Parts[0].Bytes, SHA256: one.Parts[0].SHA256})
	twice.RowCount++
	copyFile(t, one.Location+"/part-0.parquet", twice.Location+"/one.parquet")
	d := compare(a, twice, 3)
	first := all(t, a)
	if d.Same != 3000 || d.OnlyA != 2000 || d.OnlyB != 1 || len(d.RowsA) != 3 || len(d.RowsB) != 1 || d.InOrder {
		t.Fatalf("%+v", d)
	}
	for i, row := range d.RowsA {
		if want := fmt.Sprintf("[%d,", 3000+i); string(row[:len(want)]) != want {
			t.Errorf("row %d of the first only is %s", i, row)
		}
	}
	if want := fmt.Sprintf("[%s,", first[0][0]); string(d.RowsB[0][:len(want)]) != want {
		t.Errorf("the repeated row is %s", d.RowsB[0])
	}
	if back := compare(twice, a, 0); back.OnlyA != 1 || back.OnlyB != 2000 || len(back.RowsA)+len(back.RowsB) != 0 {
		t.Errorf("the other way round: %+v", back)
	}

	// Only columns of both count.
	less := write(t, 5000)
	less.Schema = append(slices.Clone(less.Schema[:len(less.Schema)-1]), sparkwright.ResultColumn{Name: "new", Type: "int"})
	less.Schema[1].Type = "bigint"
	d = compare(a, less, 1)
	if diff := cmp.Diff([]result.TypeChange{{Column: "name", A: a.Schema[1].Type, B: "bigint"}}, d.Types); diff != "" {
		t.Error(diff)
	}
	if d.Same != 5000 || !slices.Equal(d.MissingB, []string{"tags"}) || !slices.Equal(d.MissingA, []string{"new"}) || slices.Contains(d.Columns, "tags") {
		t.Errorf("other columns: %+v", d)
	}

	empty := write(t, 0)
	if d = compare(empty, empty, 5); d.Same+d.OnlyA+d.OnlyB != 0 || !d.InOrder || d.RowsA == nil {
		t.Errorf("nothing and nothing: %+v", d)
	}
	huge := write(t, 1)
	huge.RowCount = result.CompareRows + 1
	if _, err := r.Compare(t.Context(), a, huge, 1); sparkwright.ErrorCode(err) != sparkwright.CodeLimited {
		t.Errorf("too many: %v", err)
	}
	gone := write(t, 5)
	gone.Parts[0].Path = "gone.parquet"
	if _, err := r.Compare(t.Context(), a, gone, 1); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("a file that is gone: %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
