package artifact

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/sparkwright/sparkwright"
)

// batchRows is how many rows are in memory at once.
const batchRows = 8192

// Opener opens a part of a result.
type Opener func(ctx context.Context, m *sparkwright.Manifest, part sparkwright.Part) (*os.File, error)

// OpenLocal opens a part that lies in a directory.
func OpenLocal(_ context.Context, m *sparkwright.Manifest, part sparkwright.Part) (*os.File, error) {
	f, err := Open(m.Location, part.Path)
	if err != nil {
		return nil, fmt.Errorf("open a part: %w", err)
	}
	return f, nil
}

// Rows is RowsFrom for results in directories.
func Rows(ctx context.Context, m *sparkwright.Manifest, each func(cells []json.RawMessage) error) error {
	return RowsFrom(ctx, m, OpenLocal, each)
}

// RowsFrom calls each for every row of a result, in the order of its parts.
// Cells have the form of the manifest's preview, with every digit.
func RowsFrom(ctx context.Context, m *sparkwright.Manifest, open Opener, each func(cells []json.RawMessage) error) error {
	for _, p := range m.Parts {
		if p.Rows == 0 {
			continue
		}
		f, err := open(ctx, m, p)
		if err != nil {
			return err
		}
		if err := partRows(ctx, f, filepath.Base(p.Path), each); err != nil {
			return err
		}
	}
	return nil
}

// partRows closes f.
func partRows(ctx context.Context, f *os.File, name string, each func([]json.RawMessage) error) error {
	pf, err := NewParquet(f)
	if err != nil {
		_ = f.Close()
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer pf.Close() //nolint:errcheck // read only
	batches, err := pf.Batches(ctx, batchRows, nil)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	defer batches.Release()
	for batches.Next() {
		rec := batches.RecordBatch()
		for row := range int(rec.NumRows()) {
			cells := make([]json.RawMessage, rec.NumCols())
			for col := range cells {
				if cells[col], err = Cell(rec.Column(col), row); err != nil {
					return err
				}
			}
			if err := each(cells); err != nil {
				return err
			}
		}
	}
	if err := batches.Err(); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// Cell writes one value as the job's script writes it: JSON, with every digit.
func Cell(a arrow.Array, i int) (json.RawMessage, error) {
	if a.IsNull(i) {
		return json.RawMessage("null"), nil
	}
	switch v := a.(type) {
	case *array.Boolean:
		return json.RawMessage(strconv.FormatBool(v.Value(i))), nil
	case *array.Int8, *array.Int16, *array.Int32, *array.Int64:
		return json.RawMessage(a.ValueStr(i)), nil
	case *array.Float32:
		return float(float64(v.Value(i)), 64)
	case *array.Float64:
		return float(v.Value(i), 64)
	case *array.Decimal128:
		return json.RawMessage(v.Value(i).ToString(v.DataType().(*arrow.Decimal128Type).Scale)), nil
	case *array.String:
		return text(v.Value(i))
	case *array.Binary:
		return text(`\x` + hex.EncodeToString(v.Value(i)))
	case *array.Date32:
		return text(v.Value(i).FormattedString())
	case *array.Timestamp:
		return timestamp(v, i)
	case *array.List:
		from, to := v.ValueOffsets(i)
		return list(v.ListValues(), int(from), int(to))
	case *array.Map:
		return object(v, i)
	case *array.Struct:
		return fields(v, i)
	default:
		return nil, fmt.Errorf("a result column has the type %s, which cannot be written", a.DataType())
	}
}

func float(f float64, bits int) (json.RawMessage, error) {
	switch {
	case math.IsNaN(f):
		return json.RawMessage(`"NaN"`), nil
	case math.IsInf(f, 1):
		return json.RawMessage(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return json.RawMessage(`"-Infinity"`), nil
	}
	s := strconv.FormatFloat(f, 'g', -1, bits)
	if f == math.Trunc(f) && math.Abs(f) < 1e16 {
		s = strconv.FormatFloat(f, 'f', 1, bits)
	}
	return json.RawMessage(s), nil
}

func timestamp(v *array.Timestamp, i int) (json.RawMessage, error) {
	kind := v.DataType().(*arrow.TimestampType)
	t := v.Value(i).ToTime(kind.Unit).UTC()
	layout := "2006-01-02T15:04:05"
	if t.Nanosecond() != 0 {
		layout += ".000000"
	}
	s := t.Format(layout)
	if kind.TimeZone != "" {
		s += "Z"
	}
	return text(s)
}

func text(s string) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("write a cell: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func list(values arrow.Array, from, to int) (json.RawMessage, error) {
	out := []byte("[")
	for i := from; i < to; i++ {
		if i > from {
			out = append(out, ", "...)
		}
		v, err := Cell(values, i)
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return append(out, ']'), nil
}

func object(v *array.Map, i int) (json.RawMessage, error) {
	from, to := v.ValueOffsets(i)
	out := []byte("{")
	for k := int(from); k < int(to); k++ {
		key, err := text(v.Keys().ValueStr(k))
		if err != nil {
			return nil, err
		}
		val, err := Cell(v.Items(), k)
		if err != nil {
			return nil, err
		}
		out = pair(out, key, val, k > int(from))
	}
	return append(out, '}'), nil
}

func fields(v *array.Struct, i int) (json.RawMessage, error) {
	kind := v.DataType().(*arrow.StructType)
	out := []byte("{")
	for k := range v.NumField() {
		key, err := text(kind.Field(k).Name)
		if err != nil {
			return nil, err
		}
		val, err := Cell(v.Field(k), i)
		if err != nil {
			return nil, err
		}
		out = pair(out, key, val, k > 0)
	}
	return append(out, '}'), nil
}

func pair(out, key, val []byte, more bool) []byte {
	if more {
		out = append(out, ", "...)
	}
	out = append(out, key...)
	out = append(out, ": "...)
	return append(out, val...)
}
