package files

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// kind is what a value may be read as. A column keeps the set of those it saw.
type kind uint16

const (
	boolean kind = 1 << iota
	integer
	decimal
	double
	date
	timestamp // without a zone
	instant   // with one
	text
)

const (
	mostValues   = 500     // a column with more has no most-common values
	mostDistinct = 200_000 // hashes that are kept of one column
)

// column is what is known of one column while it is read.
type column struct {
	name   string
	fixed  *sparkwright.Column // when the file itself tells the type
	kinds  kind
	nulls  int64
	seen   int64
	width  int64
	digits int // before the point
	scale  int // after it

	counts   map[string]int64 // nil when there are too many
	hashes   map[uint64]struct{}
	least    string
	most     string
	overflow int64 // values seen after hashes were full
	seed     maphash.Seed
}

func newColumn(name string) *column {
	return &column{name: name, counts: map[string]int64{}, hashes: map[uint64]struct{}{}, seed: maphash.MakeSeed()}
}

var (
	wholeNumber  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	fixedPoint   = regexp.MustCompile(`^-?(0|[1-9][0-9]*)\.[0-9]+$`)
	floatNumber  = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{1,3}$`)
	dateText     = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	moment       = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?$`)
	maxPrecision = 38 // of Spark's decimal
)

// observe takes note of a value that was written as text.
func (c *column) observe(v string) {
	if v == "" {
		c.nulls++
		return
	}
	k := kindOf(v)
	if k == integer || k == decimal {
		c.number(v)
	}
	c.note(v, k)
}

// number widens the column's decimal by v.
func (c *column) number(v string) {
	before, after, _ := strings.Cut(strings.TrimPrefix(v, "-"), ".")
	c.digits, c.scale = max(c.digits, len(before)), max(c.scale, len(after))
}

func (c *column) note(v string, k kind) {
	c.kinds |= k
	c.seen++
	c.width += int64(len(v))
	if c.counts != nil {
		c.counts[v]++
		if len(c.counts) > mostValues || len(v) > 200 {
			c.counts = nil
		}
	}
	if len(c.hashes) < mostDistinct {
		c.hashes[maphash.String(c.seed, v)] = struct{}{}
	} else {
		c.overflow++
	}
	if c.least == "" || less(v, c.least) {
		c.least = v
	}
	if c.most == "" || less(c.most, v) {
		c.most = v
	}
}

// less orders numbers by value and everything else as text, which is right
// for dates.
func less(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX == nil && errY == nil {
		return x < y
	}
	return a < b
}

func kindOf(v string) kind {
	switch c := v[0]; {
	case c == '-' || c >= '0' && c <= '9':
		if k := momentKind(v); k != text {
			return k
		}
		return numberKind(v)
	case strings.EqualFold(v, "true") || strings.EqualFold(v, "false"):
		return boolean
	default:
		return text
	}
}

func momentKind(v string) kind {
	if len(v) < 10 {
		return text
	}
	if _, err := time.Parse(time.DateOnly, v[:10]); err != nil {
		return text
	}
	m := moment.FindStringSubmatch(v)
	switch {
	case dateText.MatchString(v):
		return date
	case m == nil || v[11:13] > "23" || v[14:16] > "59" || len(v) > 18 && v[16] == ':' && v[17:19] > "59":
		return text
	case m[3] != "":
		return instant
	default:
		return timestamp
	}
}

func numberKind(v string) kind {
	switch {
	case wholeNumber.MatchString(v):
		return integer
	case fixedPoint.MatchString(v):
		return decimal
	case floatNumber.MatchString(v):
		return double
	default:
		return text
	}
}

// column is the finished column of a table with so many rows.
func (c *column) column(rows int64) sparkwright.Column {
	var out sparkwright.Column
	if c.fixed != nil {
		out = *c.fixed
	} else {
		out.Type, out.BaseType = c.types()
		out.Nullable = c.nulls > 0 || c.seen < rows
	}
	out.Name = c.name
	if c.seen == 0 {
		return out
	}
	of := float64(max(c.seen, rows)) // a key that a JSON object does not have is NULL
	if c.fixed != nil {
		of = float64(c.seen + c.nulls) // of the sample
	}
	st := &sparkwright.ColumnStats{
		NullFraction: 1 - float64(c.seen)/of, Distinct: c.distinct(), AvgWidth: int(c.width / c.seen),
	}
	for v, n := range c.counts {
		st.MostCommon = append(st.MostCommon, sparkwright.ValueCount{Value: v, Fraction: float64(n) / of})
	}
	slices.SortFunc(st.MostCommon, func(a, b sparkwright.ValueCount) int {
		return cmp.Or(cmp.Compare(b.Fraction, a.Fraction), cmp.Compare(a.Value, b.Value))
	})
	if len(st.MostCommon) == int(c.seen) && c.seen > 1 { // every value once: none is common
		st.MostCommon = nil
	}
	if out.BaseType != "text" && out.BaseType != "bool" && c.least != "" {
		st.Histogram = []string{c.least, c.most}
	}
	out.Stats = st
	return out
}

// distinct is exact up to mostDistinct values, and an estimate beyond.
func (c *column) distinct() float64 {
	n := float64(len(c.hashes))
	if c.overflow == 0 {
		return n
	}
	before := float64(c.seen - c.overflow)
	return n + float64(c.overflow)*n/before
}

// types are PostgreSQL's names for what the column holds.
func (c *column) types() (name, base string) {
	only := func(k kind) bool { return c.kinds != 0 && c.kinds&^k == 0 }
	switch {
	case only(boolean):
		return "boolean", "bool"
	case only(integer) && c.digits <= 18:
		return "bigint", "int8"
	case only(integer|decimal) && c.digits+c.scale <= maxPrecision:
		return fmt.Sprintf("numeric(%d,%d)", c.digits+c.scale, c.scale), "numeric"
	case only(integer|decimal|double) && c.kinds&double != 0 && c.digits <= 15:
		return "double precision", "float8"
	case only(date):
		return "date", "date"
	case only(date | timestamp):
		return "timestamp without time zone", "timestamp"
	case only(instant):
		return "timestamp with time zone", "timestamptz"
	default:
		return "text", "text"
	}
}
