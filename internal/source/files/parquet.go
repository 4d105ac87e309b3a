package files

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/sparkwright/sparkwright"
)

// sampleRows is how many rows of a Parquet table are looked at for the
// statistics of its text columns.
const sampleRows = 200_000

// parquet reads the schema of one file, its number of rows, and a sample.
func (s *scan) parquet(ctx context.Context, path string) error {
	f, err := os.Open(path) //nolint:gosec // G304: the user's own file
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "%s cannot be read: %w", path, err)
	}
	pf, err := file.NewParquetReader(f)
	if err != nil {
		_ = f.Close()
		return notATable(path, "it is not Parquet: "+err.Error(), "check the file")
	}
	defer pf.Close() //nolint:errcheck // read only
	rd, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: 8192}, memory.DefaultAllocator)
	if err != nil {
		return notATable(path, err.Error(), "check the file")
	}
	schema, err := rd.Schema()
	if err != nil {
		return notATable(path, err.Error(), "check the file")
	}
	s.whole = true
	if err := s.parquetColumns(schema, path); err != nil {
		return err
	}
	s.rows += pf.NumRows()
	return s.sample(ctx, rd, path)
}

func (s *scan) parquetColumns(schema *arrow.Schema, path string) error {
	first := s.columns == nil
	if !first && len(s.columns) != schema.NumFields() {
		return notATable(path, "it has other columns than the first file", "keep files of one schema in the directory")
	}
	for i, f := range schema.Fields() {
		name, base, err := arrowType(f.Type)
		if err != nil {
			return notATable(path, fmt.Sprintf("column %q: %s", f.Name, err), "write the column as another type")
		}
		if first {
			c := newColumn(f.Name)
			c.fixed = &sparkwright.Column{Type: name, BaseType: base, Nullable: f.Nullable}
			s.columns = append(s.columns, c)
			continue
		}
		if c := s.columns[i]; c.name != f.Name || c.fixed.Type != name {
			return notATable(path, fmt.Sprintf("its column %q is %s, in the first file it is %q, %s", f.Name, name, c.name, c.fixed.Type), "keep files of one schema in the directory")
		}
	}
	return nil
}

// sample takes note of text, so that questions can name values.
func (s *scan) sample(ctx context.Context, rd *pqarrow.FileReader, path string) error {
	var text []int
	for i, c := range s.columns {
		if c.fixed.BaseType == "text" && c.seen+c.nulls < sampleRows {
			text = append(text, i)
		}
	}
	if len(text) == 0 {
		return nil
	}
	batches, err := rd.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return notATable(path, err.Error(), "check the file")
	}
	defer batches.Release()
	for rows := 0; rows < sampleRows && batches.Next(); {
		rec := batches.RecordBatch()
		rows += int(rec.NumRows())
		for _, i := range text {
			s.columns[i].observeArrow(rec.Column(i))
		}
	}
	if err := batches.Err(); err != nil {
		return notATable(filepath.Base(path), err.Error(), "check the file")
	}
	return nil
}

func (c *column) observeArrow(col arrow.Array) {
	for row := range col.Len() {
		switch {
		case col.IsNull(row):
			c.nulls++
		default:
			if a, ok := col.(array.StringLike); ok {
				c.note(a.Value(row), text)
			}
		}
	}
}

// arrowType are PostgreSQL's names for a Parquet type.
func arrowType(t arrow.DataType) (name, base string, err error) {
	switch x := t.(type) {
	case *arrow.BooleanType:
		return "boolean", "bool", nil
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Uint8Type:
		return "smallint", "int2", nil
	case *arrow.Int32Type, *arrow.Uint16Type:
		return "integer", "int4", nil
	case *arrow.Int64Type, *arrow.Uint32Type:
		return "bigint", "int8", nil
	case *arrow.Float32Type:
		return "real", "float4", nil
	case *arrow.Float64Type:
		return "double precision", "float8", nil
	case *arrow.Decimal128Type:
		return fmt.Sprintf("numeric(%d,%d)", x.Precision, x.Scale), "numeric", nil
	case *arrow.StringType, *arrow.LargeStringType:
		return "text", "text", nil
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.FixedSizeBinaryType:
		return "bytea", "bytea", nil
	case *arrow.Date32Type:
		return "date", "date", nil
	case *arrow.TimestampType:
		if x.TimeZone == "" {
			return "timestamp without time zone", "timestamp", nil
		}
		return "timestamp with time zone", "timestamptz", nil
	case *arrow.ListType:
		name, base, err = arrowType(x.Elem())
		if err == nil && base[0] == '_' {
			err = fmt.Errorf("arrays of arrays cannot be read")
		}
		return name + "[]", "_" + base, err
	default:
		return "", "", fmt.Errorf("%s cannot be read", t)
	}
}
