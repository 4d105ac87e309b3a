package result_test

import (
	"runtime"
	"testing"

	"github.com/sparkwright/sparkwright/internal/result"
)

// BenchmarkMillion measures what pages of a million rows cost: the first page
// of a sorted view, which makes it, a page of a made view, and a plain page
// near the end.
func BenchmarkMillion(b *testing.B) {
	m := write(b, 600_000, 400_000)
	order := []result.Order{{Column: "name"}, {Column: "amount", Descending: true}}
	page := func(b *testing.B, r *result.Reader, q result.Query) {
		b.Helper()
		p, err := r.Page(b.Context(), m, q)
		if err != nil || p.Total != 1_000_000 || len(p.Rows) != q.Limit {
			b.Fatalf("%d rows of %d, %v", len(p.Rows), p.Total, err)
		}
	}
	b.Run("sorted, first", func(b *testing.B) {
		var peak uint64
		for b.Loop() {
			r := reader(b, 0)
			page(b, r, result.Query{Limit: 100, Sort: order})
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			peak = max(peak, s.HeapSys)
		}
		b.ReportMetric(float64(peak>>20), "MB-heap")
	})
	b.Run("sorted, again", func(b *testing.B) {
		r := reader(b, 0)
		page(b, r, result.Query{Limit: 100, Sort: order})
		for b.Loop() {
			page(b, r, result.Query{Offset: 777_777, Limit: 100, Sort: order})
		}
	})
	b.Run("plain, near the end", func(b *testing.B) {
		r := reader(b, 0)
		for b.Loop() {
			page(b, r, result.Query{Offset: 999_000, Limit: 100})
		}
	})
}
