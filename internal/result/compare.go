package result

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
)

// CompareRows is how many rows each of two results may have to be compared: a
// row takes some 50 bytes of memory meanwhile.
const CompareRows = 1_000_000

// Difference is what two results have in common and what not. Rows are
// compared as what they are made of, whatever their order, by the columns that
// both results have; equal rows count as often as they are there.
type Difference struct {
	Columns  []string // that both have, in the order of the first
	Same     int64    // rows of both
	OnlyA    int64
	OnlyB    int64
	RowsA    []json.RawMessage // the first that only A has, cells as in Columns
	RowsB    []json.RawMessage
	InOrder  bool // the rows are the same ones in the same order
	Types    []TypeChange
	MissingA []string // columns that only B has
	MissingB []string
}

// TypeChange is a column that has another type in the other result.
type TypeChange struct{ Column, A, B string }

// digest stands for a row.
type digest [16]byte

// Compare compares two results and returns at most n rows of each side.
// CodeLimited when one has more than CompareRows rows.
func (r *Reader) Compare(ctx context.Context, a, b *sparkwright.Manifest, n int) (*Difference, error) {
	for _, m := range []*sparkwright.Manifest{a, b} {
		if m.RowCount > CompareRows {
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeLimited, Message: "the results are too large to be compared row by row",
				Because: "at most a million rows of each are", Remedy: "compare answers with fewer rows, such as totals",
			}
		}
	}
	d := columns(a, b)
	d.RowsA, d.RowsB = []json.RawMessage{}, []json.RawMessage{}
	left := make(map[digest]int32, a.RowCount)
	var order []digest // of A, to see whether B has the same
	err := r.rows(ctx, a, d.Columns, func(sum digest, _ func() (json.RawMessage, error)) error {
		left[sum]++
		order = append(order, sum)
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := 0
	d.InOrder = a.RowCount == b.RowCount
	err = r.rows(ctx, b, d.Columns, func(sum digest, row func() (json.RawMessage, error)) error {
		d.InOrder = d.InOrder && at < len(order) && order[at] == sum
		at++
		if left[sum] > 0 {
			left[sum]--
			d.Same++
			return nil
		}
		d.OnlyB++
		return gather(&d.RowsB, n, row)
	})
	if err != nil {
		return nil, err
	}
	if d.OnlyA = a.RowCount - d.Same; d.OnlyA == 0 || n == 0 {
		return d, nil
	}
	err = r.rows(ctx, a, d.Columns, func(sum digest, row func() (json.RawMessage, error)) error {
		if left[sum] == 0 {
			return nil
		}
		left[sum]--
		if failed := gather(&d.RowsA, n, row); failed != nil {
			return failed
		}
		if len(d.RowsA) == n {
			return errEnough
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func gather(to *[]json.RawMessage, n int, row func() (json.RawMessage, error)) error {
	if len(*to) >= n {
		return nil
	}
	text, err := row()
	*to = append(*to, text)
	return err
}

// columns compares the columns of two results, by name.
func columns(a, b *sparkwright.Manifest) *Difference {
	d := &Difference{Columns: []string{}}
	find := func(m *sparkwright.Manifest, name string) *sparkwright.ResultColumn {
		i := slices.IndexFunc(m.Schema, func(c sparkwright.ResultColumn) bool { return c.Name == name })
		if i < 0 {
			return nil
		}
		return &m.Schema[i]
	}
	for _, c := range a.Schema {
		other := find(b, c.Name)
		if other == nil {
			d.MissingB = append(d.MissingB, c.Name)
			continue
		}
		if !slices.Contains(d.Columns, c.Name) {
			d.Columns = append(d.Columns, c.Name)
		}
		if other.Type != c.Type {
			d.Types = append(d.Types, TypeChange{Column: c.Name, A: c.Type, B: other.Type})
		}
	}
	for _, c := range b.Schema {
		if find(a, c.Name) == nil {
			d.MissingA = append(d.MissingA, c.Name)
		}
	}
	return d
}

// rows hands each row's digest to each, in the job's order; the row itself is
// made when it is wanted.
func (r *Reader) rows(ctx context.Context, m *sparkwright.Manifest, names []string, each func(digest, func() (json.RawMessage, error)) error) error {
	var text []byte
	return r.scan(ctx, m, 0, func(rec arrow.RecordBatch) error {
		places := make([]int, 0, len(names))
		for _, name := range names {
			found := rec.Schema().FieldIndices(name)
			if len(found) == 0 {
				return sparkwright.Errorf(sparkwright.CodeInternal, "a file of the result has not the columns that the job names")
			}
			places = append(places, found[0])
		}
		for i := range int(rec.NumRows()) {
			text = append(text[:0], '[')
			for k, c := range places {
				if k > 0 {
					text = append(text, ',')
				}
				cell, err := artifact.Cell(rec.Column(c), i)
				if err != nil {
					return sparkwright.Errorf(sparkwright.CodeInternal, "a cell cannot be written: %w", err)
				}
				text = append(text, cell...)
			}
			text = append(text, ']')
			sum := sha256.Sum256(text)
			if err := each(digest(sum[:16]), func() (json.RawMessage, error) { return slices.Clone(text), nil }); err != nil {
				return err
			}
		}
		return nil
	})
}
