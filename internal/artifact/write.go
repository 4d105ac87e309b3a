package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/sparkwright/sparkwright"
)

// Write leaves rows as a job leaves its result: one Parquet part, and last of
// all the manifest. Of m, Schema, RunID, AttemptID, Location and what is said of
// snapshots are given. A cell is text as PostgreSQL writes it; nil is NULL. One
// that is no value of its column's Spark type is an error, and nothing is left.
func Write(ctx context.Context, m *sparkwright.Manifest, rows [][]*string, previewRows int) error {
	part, err := encode(m.Schema, rows)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(part)
	m.Version, m.RowCount = manifestVersion, int64(len(rows))
	m.Parts = []sparkwright.Part{{Path: "data/part-00000.parquet", Rows: m.RowCount, Bytes: int64(len(part)), SHA256: hex.EncodeToString(sum[:])}}
	if err = WriteFile(filepath.Join(m.Location, m.Parts[0].Path), part); err != nil {
		return err
	}
	m.Preview = [][]sparkwright.PreviewValue{}
	err = Rows(ctx, m, func(cells []json.RawMessage) error { // from what was written
		if len(m.Preview) < previewRows {
			m.Preview = append(m.Preview, cells)
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.Truncated = int64(len(m.Preview)) < m.RowCount
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the manifest: %w", err)
	}
	return WriteFile(filepath.Join(m.Location, "manifest.json"), text)
}

// encode is the rows as a Parquet file with the types that Spark writes.
func encode(schema []sparkwright.ResultColumn, rows [][]*string) ([]byte, error) {
	fields := make([]arrow.Field, len(schema))
	for i, c := range schema {
		kind, err := arrowType(c.Type)
		if err != nil {
			return nil, err
		}
		fields[i] = arrow.Field{Name: c.Name, Type: kind, Nullable: true}
	}
	as := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, as)
	defer b.Release()
	for _, row := range rows {
		if len(row) != len(fields) {
			return nil, sparkwright.Errorf(sparkwright.CodeInternal, "a row has %d cells for %d columns", len(row), len(fields))
		}
		for i, cell := range row {
			if err := add(b.Field(i), cell); err != nil {
				return nil, fmt.Errorf("%s, a %s: %w", schema[i].Name, schema[i].Type, err)
			}
		}
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	var out bytes.Buffer
	w, err := pqarrow.NewFileWriter(as, &out, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy)), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("write Parquet: %w", err)
	}
	if err = w.WriteBuffered(rec); err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("write Parquet: %w", err)
	}
	return out.Bytes(), nil
}

func arrowType(spark string) (arrow.DataType, error) {
	switch spark {
	case "boolean":
		return arrow.FixedWidthTypes.Boolean, nil
	case "smallint":
		return arrow.PrimitiveTypes.Int16, nil
	case "int":
		return arrow.PrimitiveTypes.Int32, nil
	case "bigint":
		return arrow.PrimitiveTypes.Int64, nil
	case "double":
		return arrow.PrimitiveTypes.Float64, nil
	case "string":
		return arrow.BinaryTypes.String, nil
	case "date":
		return arrow.FixedWidthTypes.Date32, nil
	case "timestamp":
		return &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, nil
	}
	var precision, scale int32
	if n, err := fmt.Sscanf(spark, "decimal(%d,%d)", &precision, &scale); n != 2 || err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "a column of type %s cannot be written here", spark)
	}
	return &arrow.Decimal128Type{Precision: precision, Scale: scale}, nil
}

// add appends a cell, or says why it is no value of that type in Spark.
func add(b array.Builder, cell *string) error {
	if cell == nil {
		b.AppendNull()
		return nil
	}
	text := *cell
	no := func() error {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "%q is no value of it in Spark", text)
	}
	switch b := b.(type) {
	case *array.BooleanBuilder:
		if text != "t" && text != "f" {
			return no()
		}
		b.Append(text == "t")
	case *array.Int16Builder, *array.Int32Builder, *array.Int64Builder:
		if strings.TrimLeft(text, "-0123456789") != "" || b.AppendValueFromString(text) != nil {
			return no()
		}
	case *array.Float64Builder:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return no()
		}
		b.Append(v)
	case *array.StringBuilder:
		if !utf8.ValidString(text) {
			return no()
		}
		b.Append(text)
	case *array.Date32Builder:
		day, err := time.Parse("2006-01-02", text)
		if err != nil {
			return no()
		}
		b.Append(arrow.Date32FromTime(day))
	case *array.TimestampBuilder:
		at, err := moment(text)
		if err != nil {
			return no()
		}
		b.Append(arrow.Timestamp(at.UnixMicro()))
	case *array.Decimal128Builder:
		v, ok := decimal(text, b.Type().(*arrow.Decimal128Type))
		if !ok {
			return no()
		}
		b.Append(v)
	default:
		return no()
	}
	return nil
}

// moment reads a timestamp of a session in UTC, with its zone or without.
func moment(text string) (time.Time, error) {
	at, err := time.Parse("2006-01-02 15:04:05.999999Z07", text)
	if err != nil {
		at, err = time.Parse("2006-01-02 15:04:05.999999", text)
	}
	return at, err
}

// decimal reads a number that has no digit which the type cannot hold.
func decimal(text string, kind *arrow.Decimal128Type) (decimal128.Num, bool) {
	if strings.TrimLeft(text, "-.0123456789") != "" { // NaN, Infinity
		return decimal128.Num{}, false
	}
	v, ok := new(big.Rat).SetString(text)
	if !ok {
		return decimal128.Num{}, false
	}
	ten := big.NewInt(10)
	v.Mul(v, new(big.Rat).SetInt(new(big.Int).Exp(ten, big.NewInt(int64(kind.Scale)), nil)))
	most := new(big.Int).Exp(ten, big.NewInt(int64(kind.Precision)), nil)
	if !v.IsInt() || v.Num().CmpAbs(most) >= 0 || v.Num().BitLen() > 127 { // 128 bits with a sign
		return decimal128.Num{}, false
	}
	return decimal128.FromBigInt(v.Num()), true
}
