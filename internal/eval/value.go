package eval

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// kind is what a value is compared as.
type kind int

const (
	isNull kind = iota
	isNumber
	isDate
	isText
	isBool
	isTime
	isInterval // in seconds
)

// value is a cell of a result, made comparable.
type value struct {
	kind kind
	num  float64
	text string
	at   time.Time
}

const tolerance = 1e-6

var (
	numberText   = regexp.MustCompile(`(?i)^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$`)
	dateText     = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?)?$`)
	timeText     = regexp.MustCompile(`^\d{2}:\d{2}:\d{2}(\.\d+)?$`)
	intervalText = regexp.MustCompile(`^(?:(-?\d+) (?:days?))?,?\s*(?:(-?)(\d+):(\d{2}):(\d{2}(?:\.\d+)?))?$`)
)

// normalise makes a cell comparable. Cells are what JSON knows, times, and
// durations.
func normalise(v any) value {
	switch x := v.(type) {
	case nil:
		return value{}
	case bool:
		n := 0.0
		if x {
			n = 1
		}
		return value{kind: isBool, num: n}
	case time.Time:
		return value{kind: isDate, at: x.UTC()}
	case time.Duration:
		return value{kind: isInterval, num: x.Seconds()}
	case json.Number:
		f, err := x.Float64()
		if err != nil {
			return value{kind: isText, text: x.String()}
		}
		return normalise(f)
	case float64:
		if math.IsNaN(x) {
			return value{}
		}
		return value{kind: isNumber, num: x}
	case float32:
		return normalise(float64(x))
	case int, int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		f, _ := strconv.ParseFloat(fmt.Sprint(x), 64)
		return normalise(f)
	case string:
		return normaliseText(strings.TrimSpace(x))
	default:
		b, err := json.Marshal(x)
		if err != nil {
			return value{kind: isText, text: fmt.Sprint(x)}
		}
		return value{kind: isText, text: string(b)}
	}
}

func normaliseText(s string) value {
	if dateText.MatchString(s) {
		flat := strings.Replace(s, "T", " ", 1)
		for _, layout := range []string{
			"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04Z07:00", "2006-01-02 15:04:05.999999999Z07:00",
			"2006-01-02 15:04:05.999999999Z0700", "2006-01-02 15:04:05.999999999Z07", "2006-01-02 15:04Z07",
		} {
			if t, err := time.Parse(layout, flat); err == nil {
				return value{kind: isDate, at: t.UTC()}
			}
		}
	}
	if timeText.MatchString(s) {
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return value{kind: isTime, text: s}
	}
	return value{kind: isText, text: s}
}

func parseNumber(s string) (float64, bool) {
	if !numberText.MatchString(s) {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}

func parseInterval(s string) (float64, bool) {
	m := intervalText.FindStringSubmatch(s)
	if m == nil || s == "" || m[1] == "" && m[3] == "" {
		return 0, false
	}
	var x float64
	if m[3] != "" {
		h, _ := strconv.ParseFloat(m[3], 64)
		mi, _ := strconv.ParseFloat(m[4], 64)
		se, _ := strconv.ParseFloat(m[5], 64)
		x = h*3600 + mi*60 + se
		if m[2] != "" {
			x = -x
		}
	}
	d, _ := strconv.ParseFloat(cmp.Or(m[1], "0"), 64)
	return d*86400 + x, true
}

func closeTo(x, y float64) bool {
	return x == y || math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y)) || math.Abs(x) < 1e-12 && math.Abs(y) < 1e-12
}

// equal compares a value of the gold with one of the answer.
func equal(g, c value) bool {
	if g.kind == isNull || c.kind == isNull {
		return g.kind == c.kind
	}
	if g.kind == c.kind {
		switch g.kind {
		case isNumber, isInterval, isBool:
			return closeTo(g.num, c.num)
		case isDate:
			return g.at.Equal(c.at)
		default:
			return g.text == c.text
		}
	}
	if g.kind == isBool || c.kind == isBool {
		b, o := g, c
		if c.kind == isBool {
			b, o = c, g
		}
		if o.kind == isNumber {
			return b.num == o.num
		}
		words := []string{"false", "f", "0"}
		if b.num == 1 {
			words = []string{"true", "t", "1"}
		}
		return o.kind == isText && slices.Contains(words, strings.ToLower(o.text))
	}
	if g.kind == isNumber && c.kind == isText {
		x, ok := parseNumber(c.text)
		return ok && closeTo(g.num, x)
	}
	if g.kind == isText && c.kind == isNumber {
		x, ok := parseNumber(g.text)
		return ok && closeTo(c.num, x)
	}
	if g.kind == isInterval && (c.kind == isText || c.kind == isTime) {
		x, ok := parseInterval(c.text)
		return ok && closeTo(g.num, x)
	}
	return false
}

// sortKey puts equal values next to one another, but for borders of rounding.
func sortKey(v value) string {
	n := v.num
	switch v.kind { //nolint:exhaustive // numbers come after the switch
	case isNull:
		return "0"
	case isDate:
		return "2" + v.at.Format(time.RFC3339Nano)
	case isText:
		x, ok := parseNumber(v.text)
		if !ok {
			return "3" + v.text
		}
		n = x
	case isInterval:
		return "3" + strconv.FormatFloat(n, 'g', 6, 64)
	case isTime:
		return "3" + v.text
	}
	f, _ := strconv.ParseFloat(strconv.FormatFloat(n, 'g', 4, 64), 64)
	return "1" + fmt.Sprintf("%+.6e", f)
}
