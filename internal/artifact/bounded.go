package artifact

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
)

// What a part may take of this process's memory, in bytes. A job wrote the part:
// it may be forged.
var (
	maxPage  int64 = 256 << 20 // one page, unpacked, by its header
	maxBatch int64 = 1 << 30   // the rows that are in memory at once, with what unpacks them
)

// ErrTooLarge is of a part that unpacks to more than this process gives it.
var ErrTooLarge = errors.New("it unpacks to more than is taken")

// Parquet is a part that a job has written, opened for reading by rows.
type Parquet struct {
	*file.Reader
	mem *limited
}

// NewParquet opens a part. Closing the part closes f.
func NewParquet(f parquet.ReaderAtSeeker) (*Parquet, error) {
	mem := &limited{Allocator: memory.DefaultAllocator}
	props := parquet.NewReaderProperties(mem)
	props.BufferSize, props.BufferedStreamEnabled = 1<<20, true
	props.MaxCompressedPageSize, props.MaxUncompressedPageSize = maxPage, maxPage
	pf, err := file.NewParquetReader(f, file.WithReadProps(props))
	if err != nil {
		return nil, err
	}
	return &Parquet{pf, mem}, nil
}

// Batches reads the row groups (nil = all) so many rows at a time.
func (p *Parquet) Batches(ctx context.Context, rows int64, groups []int) (_ pqarrow.RecordReader, err error) {
	defer refused(&err)
	rd, err := pqarrow.NewFileReader(p.Reader, pqarrow.ArrowReadProperties{BatchSize: rows}, p.mem)
	if err != nil {
		return nil, err
	}
	batches, err := rd.GetRecordReader(ctx, nil, groups)
	if err != nil {
		return nil, err
	}
	return &bounded{RecordReader: batches, mem: p.mem}, nil
}

// bounded reads batches until one needs too much memory.
type bounded struct {
	pqarrow.RecordReader
	mem *limited
	err error
}

// Next implements array.RecordReader.
func (b *bounded) Next() (more bool) {
	if b.err != nil {
		return false
	}
	defer refused(&b.err) // more is false then
	b.mem.used.Store(0)   // what the batches before have left is for the collector
	return b.RecordReader.Next()
}

// Err implements array.RecordReader.
func (b *bounded) Err() error {
	if b.err != nil {
		return b.err
	}
	return b.RecordReader.Err()
}

// refused makes an error of the allocator's panic.
func refused(err *error) {
	switch r := recover(); {
	case r == ErrTooLarge: //nolint:errorlint // the allocator's own
		*err = fmt.Errorf("%w: one batch of rows needs more than %d MB", ErrTooLarge, maxBatch>>20)
	case r != nil:
		panic(r)
	}
}

// limited is an allocator that ends the reading of a batch by a panic: an
// allocator has no other way to refuse.
type limited struct {
	memory.Allocator
	used atomic.Int64
}

func (l *limited) take(n int) {
	if l.used.Add(int64(n)) > maxBatch {
		panic(ErrTooLarge)
	}
}

// Allocate implements memory.Allocator.
func (l *limited) Allocate(size int) []byte {
	l.take(size)
	return l.Allocator.Allocate(size)
}

// Reallocate implements memory.Allocator.
func (l *limited) Reallocate(size int, b []byte) []byte {
	l.take(size - len(b))
	return l.Allocator.Reallocate(size, b)
}

// Free implements memory.Allocator.
func (l *limited) Free(b []byte) {
	l.used.Add(-int64(len(b)))
	l.Allocator.Free(b)
}

// Of the codecs that Spark writes, Parquet's reader lets these two unpack a page
// to more than its header says: no limit on the header would hold. These stop
// at what the header says. They count for everything that this process reads.
func init() { //nolint:gochecknoinits // before anything is read: the library has one table of codecs
	decoder, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err) // the option is valid
	}
	for codec, decode := range map[compress.Compression]func(dst, src []byte) ([]byte, error){
		compress.Codecs.Zstd: func(dst, src []byte) ([]byte, error) { return decoder.DecodeAll(src, dst[:0:len(dst)]) },
		compress.Codecs.Snappy: func(dst, src []byte) ([]byte, error) {
			if n, err := snappy.DecodedLen(src); err != nil || n > len(dst) {
				return nil, errors.Join(ErrTooLarge, err)
			}
			return snappy.Decode(dst, src)
		},
	} {
		original, err := compress.GetCodec(codec)
		if err != nil {
			panic(err) // both are part of the library
		}
		compress.RegisterCodec(codec, exact{original, decode})
	}
}

// exact unpacks into the buffer that it is given, or not at all.
type exact struct {
	compress.Codec
	decode func(dst, src []byte) ([]byte, error)
}

// DecodeWithError implements compress.ErrorCodec.
func (e exact) DecodeWithError(dst, src []byte) ([]byte, error) {
	out, err := e.decode(dst, src)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = fmt.Errorf("%w: a page is larger than its header says", ErrTooLarge)
	}
	return out, err
}
