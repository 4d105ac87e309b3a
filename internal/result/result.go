// Package result serves what jobs have written: pages of rows in the job's own
// order or sorted and filtered by columns, and whole results as CSV, Parquet
// and Arrow.
//
// Values are never rounded or typed again: a cell is what artifact.Cell says
// of the Parquet file. Memory is bounded whatever the size of the result: a
// plain page seeks to its first row, and a sorted or filtered one is read from
// a view, a file of finished rows that is made once by an external merge sort
// and kept in a cache directory.
//
// Files are reached through Files only, so that a result may lie in a
// directory or in an object store.
package result

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
)

// File is one open file of a result.
type File interface {
	io.Reader
	parquet.ReaderAtSeeker
	io.Closer
}

// Files opens the files of results. Implementations are safe for concurrent
// use; a part that is gone or has another size than the manifest says is an
// *sparkwright.Error.
type Files interface {
	Open(ctx context.Context, m *sparkwright.Manifest, part sparkwright.Part) (File, error)
}

// Dir opens results that lie in directories.
type Dir struct{}

var _ Files = Dir{}

// Open implements Files.
func (Dir) Open(_ context.Context, m *sparkwright.Manifest, part sparkwright.Part) (File, error) {
	if !filepath.IsLocal(part.Path) {
		return nil, damaged(part, "it lies outside the result")
	}
	f, err := artifact.Open(m.Location, part.Path)
	if err != nil {
		return nil, damaged(part, "it cannot be read")
	}
	info, err := f.Stat()
	if err != nil || info.Size() != part.Bytes {
		_ = f.Close()
		return nil, damaged(part, "it has another size than the job wrote")
	}
	return f, nil
}

func damaged(part sparkwright.Part, why string) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeNotFound, Message: "the file " + part.Path + " of the result cannot be served", Because: why,
		Remedy: "run the question again",
	}
}

// Config is what a Reader works with.
type Config struct {
	Files       Files
	CacheDir    string // of views; made when missing
	CacheBytes  int64  // views over it are removed, the longest unused first
	MemoryBytes int64  // of rows that are sorted at once; the rest waits on disk
	ViewBytes   int64  // a view may have so many bytes
}

// Reader reads results. It is safe for concurrent use.
type Reader struct {
	cfg    Config
	builds chan struct{} // bounds the views that are made at once

	mu     sync.Mutex
	making map[string]chan struct{} // closed when the view of that path is made, or has failed
}

// New returns a Reader. Zero limits get defaults: 2 GB of views, 64 MB of
// memory for each of two sorts at once, 8 GB for one view.
func New(cfg Config) *Reader {
	if cfg.Files == nil {
		cfg.Files = Dir{}
	}
	for _, d := range []struct {
		value     *int64
		otherwise int64
	}{{&cfg.CacheBytes, 2 << 30}, {&cfg.MemoryBytes, 64 << 20}, {&cfg.ViewBytes, 8 << 30}} {
		if *d.value <= 0 {
			*d.value = d.otherwise
		}
	}
	return &Reader{cfg: cfg, builds: make(chan struct{}, 2), making: map[string]chan struct{}{}}
}

// Query says which rows of a result are wanted.
type Query struct {
	Offset  int64
	Limit   int
	Sort    []Order
	Filters []Filter
}

// Order sorts by one column: by value, text by its bytes, NULL last.
type Order struct {
	Column     string
	Descending bool
}

// Page is a part of the rows.
type Page struct {
	Rows  []json.RawMessage // each a JSON array of the cells
	Total int64             // rows that fit the filters
	Next  int64             // offset of the next page; -1 = this is the last one
}

// pageBytes bounds one page; a page that would be larger ends early.
const pageBytes = 16 << 20

// Page returns rows in the order of the query, else in the job's own.
// CodeInvalid for a column that is not there, cannot be compared, or a value
// that is not of its type.
func (r *Reader) Page(ctx context.Context, m *sparkwright.Manifest, q Query) (*Page, error) {
	if q.Offset < 0 || q.Limit <= 0 {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "offset must be 0 or more, limit 1 or more")
	}
	if len(q.Sort)+len(q.Filters) > 0 {
		return r.viewPage(ctx, m, q)
	}
	page := &Page{Total: m.RowCount, Next: -1, Rows: []json.RawMessage{}}
	bytes := 0
	err := r.scan(ctx, m, q.Offset, func(rec arrow.RecordBatch) error {
		for i := range int(rec.NumRows()) {
			if len(page.Rows) == q.Limit || bytes > pageBytes {
				return errEnough
			}
			row, err := appendRow(nil, rec, i)
			if err != nil {
				return err
			}
			bytes += len(row)
			page.Rows = append(page.Rows, row)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	page.next(q.Offset)
	return page, nil
}

func (p *Page) next(offset int64) {
	if end := offset + int64(len(p.Rows)); end < p.Total && len(p.Rows) > 0 {
		p.Next = end
	}
}

// errEnough ends a scan without an error.
var errEnough = fmt.Errorf("enough")

// batchRows is how many rows of a file are in memory at once.
const batchRows = 4096

// scan hands every batch of rows from row number from on to each, in the order
// of the parts.
func (r *Reader) scan(ctx context.Context, m *sparkwright.Manifest, from int64, each func(arrow.RecordBatch) error) error {
	for _, part := range m.Parts {
		if from >= part.Rows {
			from -= part.Rows
			continue
		}
		err := r.scanPart(ctx, m, part, from, each)
		if err == errEnough { //nolint:errorlint // ours, never wrapped
			return nil
		}
		if err != nil {
			return err
		}
		from = 0
	}
	return nil
}

func (r *Reader) scanPart(ctx context.Context, m *sparkwright.Manifest, part sparkwright.Part, from int64, each func(arrow.RecordBatch) error) error {
	batches, skip, done, err := r.open(ctx, m, part, from)
	if err != nil {
		return err
	}
	defer done()
	for ctx.Err() == nil && batches.Next() {
		rec := batches.RecordBatch()
		if skip >= rec.NumRows() {
			skip -= rec.NumRows()
			continue
		}
		if skip > 0 {
			rec = rec.NewSlice(skip, rec.NumRows())
			skip = 0
			err = each(rec)
			rec.Release()
		} else {
			err = each(rec)
		}
		if err != nil {
			return err
		}
	}
	if err = ctx.Err(); err != nil {
		return left(ctx)
	}
	if err = batches.Err(); err != nil && err != io.EOF { //nolint:errorlint // Parquet's reader ends with the bare value
		return unreadable(part, err)
	}
	return nil
}

// open opens a part at the row group that holds row number from; skip is how
// many rows of the group come before it. They are read and dropped: seeking
// inside a group miscounts lists (arrow-go 18.8).
func (r *Reader) open(ctx context.Context, m *sparkwright.Manifest, part sparkwright.Part, from int64) (batches pqarrow.RecordReader, skip int64, done func(), err error) {
	f, err := r.cfg.Files.Open(ctx, m, part)
	if err != nil {
		return nil, 0, nil, err
	}
	pf, err := artifact.NewParquet(f)
	if err != nil {
		_ = f.Close()
		return nil, 0, nil, unreadable(part, err)
	}
	var groups []int
	skip = from
	for i := range pf.NumRowGroups() {
		if n := pf.RowGroup(i).NumRows(); len(groups) == 0 && skip >= n {
			skip -= n
			continue
		}
		groups = append(groups, i)
	}
	if batches, err = pf.Batches(ctx, batchRows, groups); err == nil {
		return batches, skip, func() { batches.Release(); _ = pf.Close() }, nil
	}
	_ = pf.Close()
	return nil, 0, nil, unreadable(part, err)
}

func unreadable(part sparkwright.Part, err error) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeInternal, Message: "the file " + part.Path + " of the result cannot be read", Because: err.Error(),
		Remedy: "run the question again", Err: err,
	}
}

// appendRow adds one row as a JSON array.
func appendRow(dst []byte, rec arrow.RecordBatch, row int) ([]byte, error) {
	dst = append(dst, '[')
	for c := range int(rec.NumCols()) {
		if c > 0 {
			dst = append(dst, ',')
		}
		cell, err := artifact.Cell(rec.Column(c), row)
		if err != nil {
			return nil, sparkwright.Errorf(sparkwright.CodeInternal, "a cell cannot be written: %w", err)
		}
		dst = append(dst, cell...)
	}
	return append(dst, ']'), nil
}

// Forget removes the views of an attempt.
func (r *Reader) Forget(attemptID string) error {
	if err := os.RemoveAll(r.attemptDir(attemptID)); err != nil {
		return sparkwright.Errorf(sparkwright.CodeInternal, "views of a result could not be removed: %w", err)
	}
	return nil
}

func (r *Reader) attemptDir(attemptID string) string {
	sum := sha256.Sum256([]byte(attemptID))
	return filepath.Join(r.cfg.CacheDir, hex.EncodeToString(sum[:8]))
}
