package result

import (
	"encoding/binary"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/sparkwright/sparkwright"
)

// Keys are byte strings that compare as their values do. A filter's value that
// lies between two values of its column (2.5 for whole numbers) is the key of
// the lower one with a byte more.

// hasKey reports whether values of the type have keys.
func hasKey(t arrow.DataType) bool {
	switch t.ID() {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.FLOAT32, arrow.FLOAT64,
		arrow.DECIMAL128, arrow.STRING, arrow.BINARY, arrow.DATE32, arrow.TIMESTAMP:
		return true
	default:
		return false
	}
}

// appendKey adds the key of a value that is not null.
func appendKey(dst []byte, a arrow.Array, i int) []byte {
	switch v := a.(type) {
	case *array.Boolean:
		if v.Value(i) {
			return append(dst, 1)
		}
		return append(dst, 0)
	case *array.Int8:
		return intKey(dst, int64(v.Value(i)))
	case *array.Int16:
		return intKey(dst, int64(v.Value(i)))
	case *array.Int32:
		return intKey(dst, int64(v.Value(i)))
	case *array.Int64:
		return intKey(dst, v.Value(i))
	case *array.Date32:
		return intKey(dst, int64(v.Value(i)))
	case *array.Timestamp:
		return intKey(dst, int64(v.Value(i)))
	case *array.Float32:
		return floatKey(dst, float64(v.Value(i)))
	case *array.Float64:
		return floatKey(dst, v.Value(i))
	case *array.Decimal128:
		n := v.Value(i)
		dst = intKey(dst, n.HighBits())
		return binary.BigEndian.AppendUint64(dst, n.LowBits())
	case *array.String:
		return textKey(dst, v.Value(i))
	case *array.Binary:
		return textKey(dst, string(v.Value(i)))
	default:
		return dst // hasKey has refused it
	}
}

func intKey(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)^(1<<63)) //nolint:gosec // G115: the bits are what is wanted
}

// floatKey orders -Infinity … Infinity, NaN; the two zeros are equal.
func floatKey(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return binary.BigEndian.AppendUint64(dst, math.MaxUint64)
	case f == 0:
		f = 0
	}
	bits := math.Float64bits(f)
	if bits>>63 == 1 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return binary.BigEndian.AppendUint64(dst, bits)
}

// textKey ends in two zeros, so that keys of several columns can follow one
// another; a zero inside is escaped.
func textKey(dst []byte, s string) []byte {
	for i := range len(s) {
		if dst = append(dst, s[i]); s[i] == 0 {
			dst = append(dst, 0xff)
		}
	}
	return append(dst, 0, 0)
}

// sortKey adds the key of a cell in an order: NULL last in both directions.
func sortKey(dst []byte, a arrow.Array, i int, descending bool) []byte {
	if a.IsNull(i) {
		return append(dst, 2)
	}
	begin := len(dst) + 1
	dst = appendKey(append(dst, 1), a, i)
	if descending {
		for k := begin; k < len(dst); k++ {
			dst[k] = ^dst[k]
		}
	}
	return dst
}

var numeral = regexp.MustCompile(`^[+-]?[0-9]+(\.[0-9]+)?$`)

// valueKey is the key of a filter's value for a column of that type.
func valueKey(t arrow.DataType, value string) ([]byte, error) {
	bad := func(want string) error {
		return &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the value of a filter does not fit its column", Because: "the column holds " + t.String(),
			Remedy: "give " + want,
		}
	}
	switch typ := t.(type) {
	case *arrow.StringType:
		return textKey(nil, value), nil
	case *arrow.BinaryType:
		return nil, bad("another column: binary ones can only be asked for null")
	case *arrow.BooleanType:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return nil, bad("true or false")
		}
		if b {
			return []byte{1}, nil
		}
		return []byte{0}, nil
	case *arrow.Float32Type, *arrow.Float64Type:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, bad("a number, NaN, Infinity or -Infinity")
		}
		return floatKey(nil, f), nil
	case *arrow.Decimal128Type:
		if !numeral.MatchString(value) || len(value) > 200 {
			return nil, bad("a number like -12.50")
		}
		return wholeKey(value, int(typ.Scale), 16), nil
	case *arrow.Date32Type:
		day, err := time.Parse(time.DateOnly, value)
		if err != nil {
			return nil, bad("a date like 2025-12-31")
		}
		return intKey(nil, floorDiv(day.Unix(), 24*3600)), nil
	case *arrow.TimestampType:
		return timeKey(typ, value, bad)
	default:
		if !numeral.MatchString(value) || len(value) > 200 {
			return nil, bad("a number")
		}
		return wholeKey(value, 0, 8), nil
	}
}

// wholeKey is the key of a numeral for a column of that scale whose keys have
// so many bytes.
func wholeKey(value string, scale, size int) []byte {
	negative := strings.HasPrefix(value, "-")
	whole, fraction, _ := strings.Cut(strings.TrimLeft(value, "+-"), ".")
	exact := true
	if len(fraction) > scale {
		exact = strings.Trim(fraction[scale:], "0") == ""
		fraction = fraction[:scale]
	}
	n, _ := new(big.Int).SetString(whole+fraction+strings.Repeat("0", scale-len(fraction)), 10)
	if negative {
		n.Neg(n)
		if !exact { // the lower neighbour
			n.Sub(n, big.NewInt(1))
		}
	}
	// Shifted into the positive, as intKey shifts.
	n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(size*8-1)))
	switch {
	case n.Sign() < 0:
		return nil // below every key
	case n.BitLen() > size*8:
		return []byte(strings.Repeat("\xff", size) + "\x01") // above every key
	}
	key := n.FillBytes(make([]byte, size))
	if !exact {
		key = append(key, 1)
	}
	return key
}

func timeKey(t *arrow.TimestampType, value string, bad func(string) error) ([]byte, error) {
	var at time.Time
	err := strconv.ErrSyntax
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if at, err = time.Parse(layout, value); err == nil {
			break
		}
	}
	if err != nil {
		return nil, bad("a time like 2025-12-31T23:59:59Z")
	}
	unit := int64(t.Unit.Multiplier())
	perSecond := int64(time.Second) / unit
	ticks := at.Unix()*perSecond + int64(at.Nanosecond())/unit
	key := intKey(nil, ticks)
	if int64(at.Nanosecond())%unit != 0 {
		key = append(key, 1)
	}
	return key, nil
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
