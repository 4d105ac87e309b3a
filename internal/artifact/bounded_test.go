package artifact_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
)

// liar packs any page as the same bytes: the header has the size of the page,
// the bytes unpack to another.
type liar struct {
	compress.Codec
	packed []byte
}

func (l liar) Encode(_, _ []byte) []byte             { return l.packed }
func (l liar) EncodeLevel(_, _ []byte, _ int) []byte { return l.packed }
func (l liar) CompressBound(int64) int64             { return int64(len(l.packed)) }

// zeros are that many bytes, packed.
func zeros(t *testing.T, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	for chunk := make([]byte, 1<<20); err == nil && n > 0; n -= len(chunk) {
		_, err = w.Write(chunk)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// forged writes a part with one column of text. lie is what is in the place of
// every page; nil = the truth.
func forged(t *testing.T, codec compress.Compression, lie []byte, values ...string) (dir string, rows int64) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	b.Field(0).(*array.StringBuilder).AppendValues(values, nil)
	rec := b.NewRecordBatch()
	defer rec.Release()
	if lie != nil {
		honest, err := compress.GetCodec(codec)
		if err != nil {
			t.Fatal(err)
		}
		compress.RegisterCodec(codec, liar{honest, lie})
		defer compress.RegisterCodec(codec, honest)
	}
	dir = t.TempDir()
	f, err := os.Create(filepath.Join(dir, "p.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(parquet.WithCompression(codec), parquet.WithDataPageSize(64<<20)), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(rec)
	}
	if err == nil {
		err = w.Close() // closes the file
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir, int64(len(values))
}

// A small file that unpacks to a lot is refused before the memory is taken.
func TestForgedPages(t *testing.T) { //nolint:paralleltest // the limits, and the codec that lies, are of the whole process
	const half = 512 << 20
	long := strings.Repeat("x", 64<<10)
	many := make([]string, 4096) // 256 MB of text, which the file has once
	different := make([]string, 128)
	for i := range many {
		many[i] = long
	}
	for i := range different {
		different[i] = string(rune('a'+i%26)) + string(rune('a'+i/26)) + long
	}
	for _, tt := range []struct {
		name        string
		codec       compress.Compression
		lie         []byte
		values      []string
		page, batch int64
		want        string // "" = it can be read
	}{
		{"what is as large as it says", compress.Codecs.Zstd, nil, different, 16 << 20, 64 << 20, ""},
		{"a header over the limit", compress.Codecs.Zstd, nil, different, 1 << 20, 64 << 20, "exceeds configured limit"},
		{"zstd", compress.Codecs.Zstd, zeros(t, half), []string{"x"}, 16 << 20, 64 << 20, "larger than its header"},
		{"snappy", compress.Codecs.Snappy, append(binary.AppendUvarint(nil, half), 0, 'x'), []string{"x"}, 16 << 20, 64 << 20, artifact.ErrTooLarge.Error()},
		{"one text in every row", compress.Codecs.Zstd, nil, many, 16 << 20, 64 << 20, "one batch of rows"},
	} {
		t.Run(tt.name, func(t *testing.T) { //nolint:paralleltest // as above
			dir, rows := forged(t, tt.codec, tt.lie, tt.values...)
			if info, err := os.Stat(filepath.Join(dir, "p.parquet")); err != nil || info.Size() > 2<<20 {
				t.Fatalf("%v, %d bytes: that is no small file", err, info.Size())
			}
			defer artifact.SetLimits(tt.page, tt.batch)()
			m := &sparkwright.Manifest{Location: dir, Parts: []sparkwright.Part{{Path: "p.parquet", Rows: rows}}}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var read int64
			err := artifact.Rows(t.Context(), m, func([]json.RawMessage) error { read++; return nil })
			runtime.ReadMemStats(&after)
			if tt.want == "" {
				if err != nil || read != rows {
					t.Errorf("%d rows of %d: %v", read, rows, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(tt.want, "exceeds") && !errors.Is(err, artifact.ErrTooLarge) {
				t.Errorf("%v; want %q", err, tt.want)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > half/2 {
				t.Errorf("it took %d MB to find that out", took>>20)
			}
		})
	}
}
