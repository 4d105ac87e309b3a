package result

import (
	"bufio"
	"bytes"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
)

// sorter is an external merge sort: rows are gathered until they fill the
// memory, sorted, and written to a file each time; the files are merged.
type sorter struct {
	dir    string
	memory int64
	out    *viewWriter

	arena []byte // keys and rows of what is in memory
	items []item
	runs  []*os.File
}

// item is where a key and its row lie in the arena.
type item struct{ key, row, end int }

// itemBytes is what an item itself takes.
const itemBytes = 24

func (s *sorter) add(key, row []byte) error {
	if len(s.items) > 0 && int64(len(s.arena)+len(key)+len(row)+len(s.items)*itemBytes) > s.memory {
		if err := s.spill(); err != nil {
			return err
		}
	}
	at := item{key: len(s.arena)}
	s.arena = append(s.arena, key...)
	at.row = len(s.arena)
	s.arena = append(s.arena, row...)
	at.end = len(s.arena)
	s.items = append(s.items, at)
	return nil
}

func (s *sorter) order() {
	slices.SortFunc(s.items, func(a, b item) int {
		return bytes.Compare(s.arena[a.key:a.row], s.arena[b.key:b.row])
	})
}

// spill writes what is in memory to a file of its own, in order.
func (s *sorter) spill() error {
	s.order()
	f, err := os.CreateTemp(s.dir, "run-")
	if err != nil {
		return err
	}
	s.runs = append(s.runs, f)
	if err = os.Remove(f.Name()); err != nil { // it lives as long as it is open
		return err
	}
	w := bufio.NewWriterSize(f, 256<<10)
	var lengths [2 * binary.MaxVarintLen64]byte
	for _, it := range s.items {
		n := binary.PutUvarint(lengths[:], uint64(it.row-it.key))  //nolint:gosec // G115: never negative
		n += binary.PutUvarint(lengths[n:], uint64(it.end-it.row)) //nolint:gosec // G115: never negative
		if _, err = w.Write(lengths[:n]); err != nil {
			return err
		}
		if _, err = w.Write(s.arena[it.key:it.end]); err != nil {
			return err
		}
	}
	s.arena, s.items = s.arena[:0], s.items[:0]
	if err = w.Flush(); err != nil {
		return err
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// finish writes everything to the view, in order.
func (s *sorter) finish(ctx context.Context) error {
	if len(s.runs) == 0 {
		s.order()
		for _, it := range s.items {
			if err := s.out.add(s.arena[it.row:it.end]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(s.items) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	s.arena, s.items = nil, nil
	// The memory is shared among the runs' buffers.
	size := int(min(256<<10, max(4<<10, s.memory/int64(len(s.runs)))))
	var h runHeap
	for _, f := range s.runs {
		r := &run{r: bufio.NewReaderSize(f, size)}
		if more, err := r.next(); err != nil {
			return err
		} else if more {
			h = append(h, r)
		}
	}
	heap.Init(&h)
	for n := 0; len(h) > 0; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return left(ctx)
		}
		if err := s.out.add(h[0].row); err != nil {
			return err
		}
		more, err := h[0].next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&h, 0)
		default:
			heap.Pop(&h)
		}
	}
	return nil
}

func (s *sorter) close() {
	for _, f := range s.runs {
		_ = f.Close()
	}
}

// run reads one spilled file.
type run struct {
	r        *bufio.Reader
	key, row []byte
}

func (r *run) next() (bool, error) {
	keyLen, err := binary.ReadUvarint(r.r)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	rowLen, err := binary.ReadUvarint(r.r)
	if err != nil {
		return false, err
	}
	if r.key, err = fill(r.r, r.key, int(keyLen)); err != nil { //nolint:gosec // G115: a length of ours
		return false, err
	}
	r.row, err = fill(r.r, r.row, int(rowLen)) //nolint:gosec // G115: a length of ours
	return err == nil, err
}

func fill(r io.Reader, buf []byte, n int) ([]byte, error) {
	buf = slices.Grow(buf[:0], n)[:n]
	_, err := io.ReadFull(r, buf)
	return buf, err
}

// runHeap has the run with the smallest key first.
type runHeap []*run

// Len implements heap.Interface.
func (h runHeap) Len() int { return len(h) }

// Less implements heap.Interface.
func (h runHeap) Less(i, j int) bool { return bytes.Compare(h[i].key, h[j].key) < 0 }

// Swap implements heap.Interface.
func (h runHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *runHeap) Push(x any) { *h = append(*h, x.(*run)) }

// Pop implements heap.Interface.
func (h *runHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
