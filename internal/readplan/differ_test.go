package readplan_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// differ says how two answers differ; "" when they are the same: the same types
// and the same rows in any order, or both an error. Numbers of doubles may differ
// in their last digits, since sums depend on their order.
func differ(want, got answer) string {
	switch {
	case want.Error != "" && got.Error != "", strings.Contains(want.Error, "OVERFLOW"), strings.Contains(want.Error, "OUT_OF_RANGE"):
		return "" // whether a number that is too large is met depends on the order of conditions
	case got.Error != "":
		return "fails: " + got.Error
	case want.Error != "":
		return fmt.Sprintf("answers %s, where the values themselves give %.300s", show(got.Rows), want.Error)
	case !slices.Equal(want.Types, got.Types):
		return fmt.Sprintf("types %v, want %v", got.Types, want.Types)
	case len(want.Rows) != len(got.Rows):
		return fmt.Sprintf("%d rows %s, want %d %s", len(got.Rows), show(got.Rows), len(want.Rows), show(want.Rows))
	}
	a, b := sorted(want), sorted(got)
	for i := range a {
		for j := range a[i] {
			if !same(want.Types[j], a[i][j], b[i][j]) {
				return fmt.Sprintf("%s, want %s", show(b), show(a))
			}
		}
	}
	return ""
}

func same(kind string, a, b *string) bool {
	if a == nil || b == nil {
		return a == b
	}
	if *a == *b {
		return true
	}
	if kind != "double" && kind != "float" {
		return false
	}
	x, errX := strconv.ParseFloat(*a, 64)
	y, errY := strconv.ParseFloat(*b, 64)
	if errX != nil || errY != nil || math.IsNaN(x) != math.IsNaN(y) {
		return false
	}
	return math.IsNaN(x) || x == y || math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y))
}

// sorted are the rows in an order of their own; doubles come last, since those
// that are nearly the same must not change it.
func sorted(a answer) [][]*string {
	rows := slices.Clone(a.Rows)
	key := func(row []*string) string {
		var exact, near strings.Builder
		for j, v := range row {
			to, text := &exact, "\x01NULL"
			if v != nil {
				text = "\x02" + *v
			}
			if a.Types[j] == "double" || a.Types[j] == "float" {
				to = &near
				if v != nil {
					if x, err := strconv.ParseFloat(*v, 64); err == nil {
						text = fmt.Sprintf("\x02%.7e", x+0) // -0 is 0
					}
				}
			}
			to.WriteString(text)
		}
		return exact.String() + near.String()
	}
	slices.SortFunc(rows, func(x, y []*string) int { return cmp.Compare(key(x), key(y)) })
	return rows
}

func show(rows [][]*string) string {
	var b strings.Builder
	for i, row := range rows {
		if i == 20 {
			b.WriteString(" …")
			break
		}
		b.WriteString("(")
		for j, v := range row {
			if j > 0 {
				b.WriteString(", ")
			}
			if v == nil {
				b.WriteString("NULL")
			} else {
				fmt.Fprintf(&b, "%q", *v)
			}
		}
		b.WriteString(")")
	}
	return b.String()
}
