package planner

import (
	"fmt"
	"strings"
	"time"
)

func monthOf(low string) int {
	if len(low) < 3 {
		return 0
	}
	for m := time.January; m <= time.December; m++ {
		name := strings.ToLower(m.String())
		if low == name || low == name[:3] || low == "sept" && m == time.September {
			return int(m)
		}
	}
	return 0
}

func unitOf(low string) string {
	switch strings.TrimSuffix(low, "s") {
	case "day", "week", "month", "quarter", "year":
		return strings.TrimSuffix(low, "s")
	default:
		return ""
	}
}

// point is a date or a span named by itself: a day, month, quarter or year.
type point struct {
	from, to time.Time // half open
	year     int
	text     string
}

// point reads an absolute date.
func (p *parser) point() *point {
	save := p.i
	start := p.i
	t := p.cur()
	if t.kind == tokDate || t.kind == tokQuoted && len(t.text) == 10 && isISODate(t.text) {
		d, err := time.Parse(time.DateOnly, t.text)
		if err == nil {
			p.i++
			return &point{from: d, to: d.AddDate(0, 0, 1), text: t.text}
		}
		return nil
	}
	if y, ok := p.yearNumber(); ok {
		return &point{from: date(y, 1), to: date(y+1, 1), year: y, text: fmt.Sprint(y)}
	}
	if q := p.quarter(); q > 0 {
		p.any("of", ",", "in")
		p.any("the year")
		if y, ok := p.yearNumber(); ok {
			m := 3*q - 2
			return &point{from: date(y, m), to: date(y, m+3), text: p.text(start, p.i)}
		}
		p.i = save
		return nil
	}
	day := 0
	if t.kind == tokNumber && t.num >= 1 && t.num <= 31 && (monthOf(p.at(p.i+1).low) > 0 || p.at(p.i+1).low == "of" && monthOf(p.at(p.i+2).low) > 0) {
		day = int(t.num)
		p.i++
		p.any("of")
	}
	m := 0
	if p.cur().kind == tokWord {
		m = monthOf(p.cur().low)
	}
	if m == 0 {
		p.i = save
		return nil
	}
	p.i++
	if day == 0 && p.cur().kind == tokNumber && p.cur().num >= 1 && p.cur().num <= 31 {
		day = int(p.cur().num)
		p.i++
	}
	p.any(",", "of", "in")
	y, ok := p.yearNumber()
	if !ok {
		p.i = save
		return nil
	}
	if day > 0 {
		d := time.Date(y, time.Month(m), day, 0, 0, 0, 0, time.UTC)
		return &point{from: d, to: d.AddDate(0, 0, 1), text: p.text(start, p.i)}
	}
	return &point{from: date(y, m), to: date(y, m+1), text: p.text(start, p.i)}
}

func date(y, m int) time.Time { return time.Date(y, time.Month(m), 1, 0, 0, 0, 0, time.UTC) }

func (p *parser) yearNumber() (int, bool) {
	t := p.cur()
	if t.kind == tokNumber && len(t.text) == 4 && t.num >= 1000 && t.num <= 2999 && t.num == float64(int(t.num)) {
		p.i++
		return int(t.num), true
	}
	return 0, false
}

func (p *parser) quarter() int {
	for q, ph := range []string{"q1|1st|first", "q2|2nd|second", "q3|3rd|third", "q4|4th|fourth|last"} {
		save := p.i
		if strings.HasPrefix(p.cur().low, "q") {
			if p.words(strings.Split(ph, "|")[0]) {
				return q + 1
			}
			continue
		}
		if p.words(ph) && p.any("quarter") {
			return q + 1
		}
		p.i = save
	}
	return 0
}

func lit(t time.Time) string { return "DATE '" + t.Format(time.DateOnly) + "'" }

// date reads a date condition with its preposition.
func (p *parser) date() *dateRange {
	save := p.i
	r := p.dateRange()
	if r == nil {
		p.i = save
		return nil
	}
	r.text = strings.TrimSpace(p.text(save, p.i))
	return r
}

func (p *parser) dateRange() *dateRange {
	prep := ""
	for _, w := range []string{"on or after", "on or before", "prior to", "starting from", "starting in", "as of", "up to", "in", "during", "for", "from", "on", "since", "after", "before", "until", "between", "of", "over", "within", "through", "throughout", "by"} {
		if p.any(w) {
			prep = w
			break
		}
	}
	p.any("the whole of", "the period", "all of")
	p.any("the year of", "the year", "year", "the month of", "the")
	if r := p.relative(); r != nil && oneOf(prep, "in during for of from over within on through throughout ") || r != nil && prep == "" {
		return r
	} else if r != nil {
		return nil
	}
	a := p.point()
	if a == nil {
		return nil
	}
	r := &dateRange{}
	switch prep {
	case "between", "from":
		joined := prep == "between" && p.any("and") || prep == "from" && p.any("to", "through", "until", "till", "-")
		if !joined {
			if prep == "between" {
				return nil
			}
			r.lo, r.hi, r.year, r.yearTo = lit(a.from), lit(a.to), a.year, a.year
			if p.any("onwards", "onward", "on") {
				r.hi, r.yearTo = "", 9999
			}
			return r
		}
		p.any("the year", "the")
		b := p.point()
		if b == nil || !b.to.After(a.from) {
			return nil
		}
		r.lo, r.hi = lit(a.from), lit(b.to)
		if a.year > 0 && b.year > 0 {
			r.year, r.yearTo = a.year, b.year
		}
		p.inclusive()
		return r
	case "in", "during", "on", "for", "of", "within", "over", "through", "throughout", "":
		if prep == "" && a.year > 0 && p.at(p.i-2).low != "year" {
			return nil
		}
		r.lo, r.hi, r.year, r.yearTo = lit(a.from), lit(a.to), a.year, a.year
	case "since", "on or after", "starting from", "starting in", "as of":
		r.lo, r.year, r.yearTo = lit(a.from), a.year, 9999
	case "after":
		r.lo, r.year, r.yearTo = lit(a.to), a.year+1, 9999
	case "before", "prior to":
		r.hi, r.year, r.yearTo = lit(a.from), 1, a.year-1
	case "until", "up to", "on or before", "by":
		if prep == "by" && a.year > 0 {
			return nil
		}
		r.hi, r.year, r.yearTo = lit(a.to), 1, a.year
	default:
		return nil
	}
	if a.year == 0 {
		r.year, r.yearTo = 0, 0
	}
	return r
}

// inclusive reads a note on the ends of a range; both ends belong to it anyway.
func (p *parser) inclusive() {
	save := p.i
	p.any(",", "(")
	p.any("both")
	if !p.any("inclusive") {
		p.i = save
		return
	}
	if p.any("of") {
		p.any("both", "the")
		if !p.any("start and end dates", "start and end date", "both dates", "end dates", "ends") {
			p.i = save
			return
		}
	}
	p.any(")")
}

// relative reads a range that depends on today.
func (p *parser) relative() *dateRange {
	switch {
	case p.any("today"):
		return &dateRange{lo: "current_date", hi: "current_date + INTERVAL '1' DAY"}
	case p.any("yesterday"):
		return &dateRange{lo: "current_date - INTERVAL '1' DAY", hi: "current_date"}
	}
	save := p.i
	word := ""
	for _, w := range []string{"last", "past", "previous", "preceding", "this", "current", "prior"} {
		if p.any(w) {
			word = w
			break
		}
	}
	if word == "" {
		return nil
	}
	n := 0
	if p.cur().kind == tokNumber {
		n = int(p.cur().num)
		if n < 1 || float64(n) != p.cur().num {
			p.i = save
			return nil
		}
		p.i++
	}
	p.any("calendar", "iso", "full")
	unit := unitOf(p.cur().low)
	if unit == "" {
		p.i = save
		return nil
	}
	p.i++
	if y := p.at(p.i + 1); n == 0 && oneOf(p.cur().low, "of in") && y.kind == tokNumber && len(y.text) == 4 {
		p.i = save // "the last quarter of 2024" is not the last one before today
		return nil
	}
	switch {
	case n == 0 && oneOf(word, "this current"):
		lo := trunc(unit)
		return &dateRange{lo: lo, hi: lo + " + " + interval(1, unit)}
	case n == 0 && oneOf(word, "last previous prior"):
		p.notCurrent(unit)
		return &dateRange{lo: trunc(unit) + " - " + interval(1, unit), hi: trunc(unit)}
	case oneOf(word, "this current"):
		p.i = save
		return nil
	}
	if n == 0 {
		n = 1
	}
	if p.notCurrent(unit) {
		return &dateRange{lo: trunc(unit) + " - " + interval(n, unit), hi: trunc(unit)}
	}
	if p.ofToday() && unit == "day" {
		n--
	}
	return &dateRange{lo: "current_date - " + interval(n, unit), hi: "current_date + INTERVAL '1' DAY"}
}

func trunc(unit string) string { return "date_trunc('" + strings.ToUpper(unit) + "', current_date)" }

func interval(n int, unit string) string {
	switch unit {
	case "week":
		return fmt.Sprintf("INTERVAL '%d' DAY", 7*n)
	case "quarter":
		return fmt.Sprintf("INTERVAL '%d' MONTH", 3*n)
	default:
		return fmt.Sprintf("INTERVAL '%d' %s", n, strings.ToUpper(unit))
	}
}

// notCurrent reads "(excluding the current week)".
func (p *parser) notCurrent(unit string) bool {
	save := p.i
	p.any(",", "(")
	if p.any("excluding", "exclusive of", "not including", "without") && p.any("the current", "this", "current") && unitOf(p.cur().low) == unit {
		p.i++
		p.any(")")
		return true
	}
	p.i = save
	return false
}

// ofToday reads "inclusive of today"; other notes on the far end of the range
// are read too, they change nothing.
func (p *parser) ofToday() bool {
	save := p.i
	p.any(",", "(")
	if p.any("inclusive of", "including") {
		if p.words("today") {
			if p.at(p.i - 1).poss {
				p.any("date")
			}
			p.any("date")
			p.any(")")
			return true
		}
		if p.cur().kind == tokNumber && unitOf(p.at(p.i+1).low) != "" && p.at(p.i+2).low == "ago" {
			p.i += 3
			p.any(")")
			return false
		}
	}
	p.i = save
	return false
}
