package result

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/sparkwright/sparkwright"
)

// A view is the answer to one query over one result: a directory with
//
//	rows    the rows as JSON arrays, one after the other
//	index   for each row 8 bytes: where it ends in rows
//
// It is made below another name and then renamed, so it is whole or not there.

// viewPage reads a page of a view, which is made when it is not there.
func (r *Reader) viewPage(ctx context.Context, m *sparkwright.Manifest, q Query) (*Page, error) {
	dir := filepath.Join(r.attemptDir(m.AttemptID), queryName(m, q))
	for {
		v, err := openView(dir)
		if err == nil {
			defer v.close()
			return v.page(q)
		}
		if !errors.Is(err, os.ErrNotExist) {
			return nil, storing(err)
		}
		if err = r.makeOnce(ctx, dir, m, q); err != nil {
			return nil, err
		}
	}
}

// queryName names the query and the files that it reads.
func queryName(m *sparkwright.Manifest, q Query) string {
	h := sha256.New()
	for _, p := range m.Parts {
		_, _ = fmt.Fprintf(h, "%s %s\n", p.Path, p.SHA256)
	}
	_ = json.NewEncoder(h).Encode([]any{q.Sort, q.Filters})
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// makeOnce makes a view, or waits for another request that is making it.
func (r *Reader) makeOnce(ctx context.Context, dir string, m *sparkwright.Manifest, q Query) error {
	r.mu.Lock()
	if made, ok := r.making[dir]; ok {
		r.mu.Unlock()
		select {
		case <-made:
			return nil // the caller looks again
		case <-ctx.Done():
			return left(ctx)
		}
	}
	made := make(chan struct{})
	r.making[dir] = made
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.making, dir)
		r.mu.Unlock()
		close(made)
	}()
	select {
	case r.builds <- struct{}{}:
	case <-ctx.Done():
		return left(ctx)
	}
	defer func() { <-r.builds }()
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return storing(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(dir), "making-")
	if err != nil {
		return storing(err)
	}
	defer os.RemoveAll(work) //nolint:errcheck // nothing is lost with it
	if err = r.makeView(ctx, work, m, q); err != nil {
		return err
	}
	if err = os.Rename(work, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return storing(err)
	}
	r.evict(dir)
	return nil
}

func left(ctx context.Context) error {
	return &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "the reader has left", Err: ctx.Err()}
}

// storing interprets what the cache directory's file system said.
func storing(err error) error {
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		return e
	}
	e := &sparkwright.Error{
		Code: sparkwright.CodeInternal, Message: "the sorted rows cannot be kept", Because: err.Error(), Err: err,
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e.Code, e.Because, e.Remedy = sparkwright.CodeResource, "the disk is full", "free some space, or read the result without sort and filter"
	}
	return e
}

func (r *Reader) makeView(ctx context.Context, work string, m *sparkwright.Manifest, q Query) error {
	out, err := createView(work, r.cfg.ViewBytes)
	if err != nil {
		return storing(err)
	}
	defer out.close()
	s := &sorter{dir: work, memory: r.cfg.MemoryBytes, out: out}
	defer s.close()
	var p *plan
	row, number := []byte(nil), uint64(0)
	var key []byte
	err = r.scan(ctx, m, 0, func(rec arrow.RecordBatch) error {
		if p == nil {
			if p, err = compile(rec.Schema(), q); err != nil {
				return err
			}
		}
		for i := range int(rec.NumRows()) {
			number++
			keep, problem := p.keeps(rec, i)
			if problem == nil && keep {
				row, problem = appendRow(row[:0], rec, i)
			}
			if problem != nil {
				return problem
			}
			if !keep {
				continue
			}
			if len(p.sort) == 0 {
				if err = out.add(row); err != nil {
					return err
				}
				continue
			}
			key = key[:0]
			for k, col := range p.sort {
				key = sortKey(key, rec.Column(col), i, p.desc[k])
			}
			// The row's own number last: equal rows keep their order.
			if err = s.add(binary.BigEndian.AppendUint64(key, number), row); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && p == nil { // no rows: the names are still to be right
		err = r.checkEmpty(m, q)
	}
	if err == nil {
		err = s.finish(ctx)
	}
	if err == nil {
		err = out.finish()
	}
	if err != nil {
		return storing(err)
	}
	return nil
}

// checkEmpty refuses columns that an empty result does not have.
func (r *Reader) checkEmpty(m *sparkwright.Manifest, q Query) error {
	names := map[string]bool{}
	for _, c := range m.Schema {
		names[c.Name] = true
	}
	for _, o := range q.Sort {
		if !names[o.Column] {
			return sparkwright.Errorf(sparkwright.CodeInvalid, "the result has no column of the name that was given")
		}
	}
	for _, f := range q.Filters {
		if !names[f.Column] {
			return sparkwright.Errorf(sparkwright.CodeInvalid, "the result has no column of the name that was given")
		}
	}
	return nil
}

// viewWriter writes a view.
type viewWriter struct {
	rows, index *os.File
	rw, iw      *bufio.Writer
	end, most   int64
}

func createView(dir string, most int64) (*viewWriter, error) {
	rows, err := os.OpenFile(filepath.Join(dir, "rows"), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600) //nolint:gosec // G304: in the cache
	if err != nil {
		return nil, err
	}
	index, err := os.OpenFile(filepath.Join(dir, "index"), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600) //nolint:gosec // G304: in the cache
	if err != nil {
		_ = rows.Close()
		return nil, err
	}
	return &viewWriter{rows: rows, index: index, rw: bufio.NewWriterSize(rows, 256<<10), iw: bufio.NewWriterSize(index, 64<<10), most: most}, nil
}

func (w *viewWriter) add(row []byte) error {
	w.end += int64(len(row))
	if w.end > w.most {
		return &sparkwright.Error{
			Code: sparkwright.CodeLimited, Message: "the rows are too many to be sorted or filtered here",
			Because: fmt.Sprintf("they have more than %d MB", w.most>>20), Remedy: "filter more, or ask a question that sorts and filters in Spark",
		}
	}
	if _, err := w.rw.Write(row); err != nil {
		return err
	}
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(w.end)) //nolint:gosec // G115: never negative
	_, err := w.iw.Write(at[:])
	return err
}

func (w *viewWriter) finish() error {
	return errors.Join(w.rw.Flush(), w.iw.Flush())
}

func (w *viewWriter) close() {
	_ = w.rows.Close()
	_ = w.index.Close()
}

// view is an open view.
type view struct {
	rows, index *os.File
	count       int64
}

func openView(dir string) (*view, error) {
	index, err := os.Open(filepath.Join(dir, "index")) //nolint:gosec // G304: in the cache
	if err != nil {
		return nil, err
	}
	rows, err := os.Open(filepath.Join(dir, "rows")) //nolint:gosec // G304: in the cache
	if err != nil {
		_ = index.Close()
		return nil, err
	}
	v := &view{rows: rows, index: index}
	info, err := index.Stat()
	if err != nil {
		v.close()
		return nil, err
	}
	v.count = info.Size() / 8
	now := time.Now()
	_ = os.Chtimes(dir, now, now) // used: goes last
	return v, nil
}

func (v *view) close() {
	_ = v.rows.Close()
	_ = v.index.Close()
}

func (v *view) page(q Query) (*Page, error) {
	page := &Page{Total: v.count, Next: -1, Rows: []json.RawMessage{}}
	n := min(int64(q.Limit), v.count-q.Offset)
	if n <= 0 {
		return page, nil
	}
	// One entry before the first tells where it begins.
	first := max(0, q.Offset-1)
	ends := make([]byte, (q.Offset+n-first)*8)
	if _, err := v.index.ReadAt(ends, first*8); err != nil {
		return nil, storing(err)
	}
	begin := int64(0)
	if q.Offset > 0 {
		begin, ends = int64(binary.LittleEndian.Uint64(ends)), ends[8:] //nolint:gosec // G115: a size of ours
	}
	start := begin
	for len(ends) > 0 && (begin-start < pageBytes) {
		end := int64(binary.LittleEndian.Uint64(ends)) //nolint:gosec // G115: a size of ours
		row := make([]byte, end-begin)
		if _, err := v.rows.ReadAt(row, begin); err != nil {
			return nil, storing(err)
		}
		page.Rows = append(page.Rows, row)
		begin, ends = end, ends[8:]
	}
	page.next(q.Offset)
	return page, nil
}

// evict removes the longest unused views over the cache's size, but not keep.
func (r *Reader) evict(keep string) {
	type entry struct {
		dir  string
		used time.Time
		size int64
	}
	var views []entry
	total := int64(0)
	dirs, _ := filepath.Glob(filepath.Join(r.cfg.CacheDir, "*", "*"))
	for _, dir := range dirs {
		if strings.HasPrefix(filepath.Base(dir), "making-") {
			continue
		}
		e := entry{dir: dir}
		for _, name := range []string{"rows", "index"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
				e.size += info.Size()
			}
		}
		if info, err := os.Stat(dir); err == nil {
			e.used = info.ModTime()
		}
		total += e.size
		views = append(views, e)
	}
	slices.SortFunc(views, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, e := range views {
		if total <= r.cfg.CacheBytes {
			return
		}
		if e.dir != keep && os.RemoveAll(e.dir) == nil {
			total -= e.size
		}
	}
}
