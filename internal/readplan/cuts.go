package readplan

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// point is a value of a column with the share of the rows that have it, or lie
// between the value before and it.
type point struct {
	text  string
	at    float64 // where it lies on the column's own scale
	share float64
}

// points are what pg_stats knows of a column, in its order: the ends of the
// histogram's buckets, which hold equally many rows, and the most common values,
// which are not in it. ok is false for types without a scale of their own here.
func points(col *sparkwright.Column) (list []point, ok bool) {
	st := col.Stats
	common := 0.0
	for _, v := range st.MostCommon {
		p := point{text: v.Value, share: v.Fraction}
		if p.at, ok = scale(col.BaseType, v.Value); !ok {
			return nil, false
		}
		common += v.Fraction
		list = append(list, p)
	}
	if n := len(st.Histogram) - 1; n > 0 {
		each := max(0, 1-st.NullFraction-common) / float64(n)
		for i, text := range st.Histogram {
			p := point{text: text, share: each}
			if i == 0 {
				p.share = 0
			}
			if p.at, ok = scale(col.BaseType, text); !ok {
				return nil, false
			}
			list = append(list, p)
		}
	}
	slices.SortStableFunc(list, func(a, b point) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return list, len(list) > 1
}

// scale places a value of pg_stats on a line.
func scale(base, text string) (float64, bool) {
	switch base {
	case "int2", "int4", "int8", "oid", "float4", "float8", "numeric":
		v, err := strconv.ParseFloat(text, 64)
		return v, err == nil && !math.IsNaN(v)
	case "date", "timestamp", "timestamptz":
		switch text {
		case "infinity":
			return math.Inf(1), true
		case "-infinity":
			return math.Inf(-1), true
		}
		layout := time.DateOnly
		if base != "date" {
			layout = time.DateTime
			if len(text) < len(layout) {
				return 0, false
			}
			text = text[:len(layout)]
		}
		t, err := time.Parse(layout, text)
		return float64(t.Unix()), err == nil
	default:
		return 0, false
	}
}

// cutsOf are at most n-1 values, as literals, that part the rows into about
// equal shares. A single value that many rows have cannot be parted.
func cutsOf(col *sparkwright.Column, n int) []string {
	list, ok := points(col)
	if !ok {
		return nil
	}
	total := 0.0
	for _, p := range list {
		total += p.share
	}
	var cuts []string
	sum, last := 0.0, math.Inf(-1)
	for i, p := range list {
		if i > 0 && p.at > last && !math.IsInf(p.at, 0) && sum >= total*float64(len(cuts)+1)/float64(n) && len(cuts) < n-1 {
			cuts, last = append(cuts, literal(col.BaseType, p.text)), p.at
		}
		sum += p.share
	}
	return cuts
}

func literal(base, text string) string {
	switch base {
	case "int2", "int4", "int8", "oid":
		return text
	default:
		return "'" + strings.ReplaceAll(text, "'", "''") + "'::" + base
	}
}

// even reports whether equal steps of the column hold about equally many rows:
// none more than twice its share.
func even(col *sparkwright.Column, n int) bool {
	lower, upper, ok := bounds(col)
	if !ok {
		return false
	}
	lo, _ := scale(col.BaseType, lower)
	hi, _ := scale(col.BaseType, upper)
	list, ok := points(col)
	if !ok {
		return false
	}
	steps := make([]float64, n)
	step := (hi - lo) / float64(n)
	place := func(at float64) int { return max(0, min(n-1, int((at-lo)/step))) }
	previous := lo
	for _, p := range list {
		from, to := place(previous), place(p.at)
		for i := from; i <= to; i++ { // a bucket's rows lie somewhere in it
			steps[i] += p.share / float64(to-from+1)
		}
		previous = p.at
	}
	steps[0] += col.Stats.NullFraction
	return slices.Max(steps) <= 2/float64(n)
}

// bounds are the ends of the histogram, as Spark's lowerBound and upperBound
// want them. They only place the cuts: rows outside them, and nulls, are read
// by the first and the last partition.
func bounds(col *sparkwright.Column) (lower, upper string, ok bool) {
	h := col.Stats.Histogram
	if len(h) < 2 {
		return "", "", false
	}
	lower, upper = h[0], h[len(h)-1]
	switch col.BaseType {
	case "int2", "int4", "int8":
		a, errA := strconv.ParseInt(lower, 10, 64)
		b, errB := strconv.ParseInt(upper, 10, 64)
		return lower, upper, errA == nil && errB == nil && a < b
	case "date":
		return timeBounds(lower, upper, time.DateOnly)
	case "timestamp", "timestamptz":
		// Text of pg_stats: 2025-01-02 03:04:05.678+00 in a UTC session.
		cut := len(time.DateTime)
		if len(lower) < cut || len(upper) < cut {
			return "", "", false
		}
		return timeBounds(lower[:cut], upper[:cut], time.DateTime)
	default:
		return "", "", false
	}
}

func timeBounds(lower, upper, layout string) (lo, hi string, ok bool) {
	a, errA := time.Parse(layout, lower)
	b, errB := time.Parse(layout, upper)
	return lower, upper, errA == nil && errB == nil && a.Before(b)
}
