package result

import (
	"bytes"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
)

// Op compares the cells of a column with a value.
type Op string

// The comparisons. NULL fits OpNull only.
const (
	OpEqual    Op = "eq"
	OpNot      Op = "ne"
	OpLess     Op = "lt"
	OpAtMost   Op = "le"
	OpMore     Op = "gt"
	OpAtLeast  Op = "ge"
	OpContains Op = "contains" // the cell's text holds the value, whatever the case of letters
	OpNull     Op = "null"
	OpNotNull  Op = "notnull"
)

// Filter keeps the rows whose cell compares so.
type Filter struct {
	Column string
	Op     Op
	Value  string
}

// test reports whether a row of a batch is kept.
type test func(rec arrow.RecordBatch, row int) (bool, error)

// plan is a query whose columns have been found.
type plan struct {
	tests []test
	sort  []int // columns
	desc  []bool
}

func compile(schema *arrow.Schema, q Query) (*plan, error) {
	p := &plan{}
	for _, o := range q.Sort {
		i, err := find(schema, o.Column)
		if err != nil {
			return nil, err
		}
		if !hasKey(schema.Field(i).Type) {
			return nil, incomparable(o.Column, schema.Field(i).Type)
		}
		p.sort, p.desc = append(p.sort, i), append(p.desc, o.Descending)
	}
	for _, f := range q.Filters {
		t, err := compileFilter(schema, f)
		if err != nil {
			return nil, err
		}
		p.tests = append(p.tests, t)
	}
	return p, nil
}

func find(schema *arrow.Schema, column string) (int, error) {
	at := schema.FieldIndices(column)
	if len(at) == 1 {
		return at[0], nil
	}
	e := &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "the result has no column of the name that was given"}
	if len(at) > 1 {
		e.Message = "the result has several columns of the name that was given"
	}
	var names []string
	for _, f := range schema.Fields() {
		names = append(names, f.Name)
	}
	e.Remedy = "its columns are " + strings.Join(names[:min(50, len(names))], ", ")
	return 0, e
}

func incomparable(column string, t arrow.DataType) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "the column " + column + " cannot be compared", Because: "it holds " + t.String(),
		Remedy: "sort and filter by a column of single values",
	}
}

func compileFilter(schema *arrow.Schema, f Filter) (test, error) {
	i, err := find(schema, f.Column)
	if err != nil {
		return nil, err
	}
	typ := schema.Field(i).Type
	switch f.Op {
	case OpNull, OpNotNull:
		want := f.Op == OpNull
		return func(rec arrow.RecordBatch, row int) (bool, error) { return rec.Column(i).IsNull(row) == want, nil }, nil
	case OpContains:
		want := strings.ToLower(f.Value)
		return func(rec arrow.RecordBatch, row int) (bool, error) {
			text, problem := cellText(rec.Column(i), row)
			return !rec.Column(i).IsNull(row) && strings.Contains(strings.ToLower(text), want), problem
		}, nil
	default:
	}
	fits := map[Op]func(cmp int) bool{
		OpEqual: func(c int) bool { return c == 0 }, OpNot: func(c int) bool { return c != 0 },
		OpLess: func(c int) bool { return c < 0 }, OpAtMost: func(c int) bool { return c <= 0 },
		OpMore: func(c int) bool { return c > 0 }, OpAtLeast: func(c int) bool { return c >= 0 },
	}[f.Op]
	if fits == nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "a filter compares in a way that is not known",
			Remedy: "use eq, ne, lt, le, gt, ge, contains, null or notnull",
		}
	}
	if !hasKey(typ) {
		return nil, incomparable(f.Column, typ)
	}
	want, err := valueKey(typ, f.Value)
	if err != nil {
		return nil, err
	}
	return func(rec arrow.RecordBatch, row int) (bool, error) {
		if rec.Column(i).IsNull(row) {
			return false, nil
		}
		var room [32]byte
		return fits(bytes.Compare(appendKey(room[:0], rec.Column(i), row), want)), nil
	}, nil
}

// cellText is a cell as plain text.
func cellText(a arrow.Array, i int) (string, error) {
	if s, ok := a.(*array.String); ok {
		return s.Value(i), nil
	}
	cell, err := artifact.Cell(a, i)
	if err != nil {
		return "", sparkwright.Errorf(sparkwright.CodeInternal, "a cell cannot be written: %w", err)
	}
	return plain(cell), nil
}

func (p *plan) keeps(rec arrow.RecordBatch, row int) (bool, error) {
	for _, t := range p.tests {
		if ok, err := t(rec, row); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}
