package planner

import (
	"strings"

	"github.com/sparkwright/sparkwright"
)

func (b *binder) bindDate(c *cond, e *entity, chain []*entity) (*entity, error) {
	if c.attr != nil {
		near := make([]*table, len(chain))
		for i, x := range chain {
			near[i] = x.t
		}
		_, err := b.resolve(c.attr, near, (*column).isDate)
		if err != nil {
			return nil, err
		}
		return b.home(e, chain, c.attr.col), nil
	}
	for _, x := range chain {
		if y := yearColumn(x.t); y != nil && c.rng.year > 0 && dateColumn(x.t, c.verb) == nil {
			c.attr = &attr{text: y.human(), col: y}
			return b.home(e, chain, y), nil
		}
		if dateColumn(x.t, c.verb) != nil {
			break
		}
	}
	// "orders of customers last week": the week is about the orders
	outer := chain
	for len(outer) > 1 && outer[0].owned && c.verb == "" && hasDate(outer[1].t) {
		outer = outer[1:]
	}
	col, err := b.dateOf(outer, c.verb, "")
	if err != nil {
		return nil, err
	}
	c.attr = &attr{text: col.human(), col: col}
	b.assume("The time %q is about %s.", c.text, qualified(col))
	return b.home(e, chain, col), nil
}

func hasDate(t *table) bool {
	for _, c := range t.cols {
		if c.isDate() && !isAudit(c) {
			return true
		}
	}
	return false
}

// yearColumn is a whole-number column that holds a year.
func yearColumn(t *table) *column {
	var found *column
	for _, c := range t.cols {
		if c.isInteger() && endsWith(c.words, "year") {
			if found != nil {
				return nil
			}
			found = c
		}
	}
	return found
}

// loose reports whether rows of a have many rows of b that are more than
// linked: "cancelled" of a booking says nothing about the flight.
func (b *binder) loose(a, t *table) bool {
	for _, p := range b.s.between(a, t) {
		for i, e := range p {
			if linked := i+1 < len(p) && isLink(e.to); !e.toOne && !linked {
				return true
			}
		}
	}
	return false
}

// dateOf finds the date that a range or bucket is about.
func (b *binder) dateOf(chain []*entity, verb, unit string) (*column, error) {
	if verb != "" {
		for _, e := range append(append([]*entity(nil), chain...), b.p.tops...) {
			if c := dateColumn(e.t, verb); c != nil && saysVerb(c, verb) {
				return c, nil
			}
		}
	}
	if c, why := b.unsaid(chain, verb); c != nil || why != nil {
		return c, why
	}
	for _, e := range chain {
		if c := dateColumn(e.t, ""); c != nil {
			return c, nil
		}
		var dates []string
		var columns []*column
		for _, c := range e.t.cols {
			if c.isDate() && !isAudit(c) {
				dates, columns = append(dates, qualified(c)), append(columns, c)
			}
		}
		if len(dates) > 1 {
			if i := b.s.choose(dates); i >= 0 {
				return columns[i], nil
			}
			r := refuse(sparkwright.DeclineAmbiguous, "There is more than one date that this can be about: %s.", strings.Join(dates, ", "))
			r.choices = dates
			return nil, r
		}
	}
	// a parent that has the only date
	var found *column
	best := 1e9
	for _, t := range b.s.tables {
		p := b.s.between(b.p.root, t)
		if len(p) != 1 || p[0].toMany() || len(p[0]) == 0 {
			continue
		}
		c := dateColumn(t, "")
		if c == nil {
			continue
		}
		switch d := p[0].cost(); {
		case d < best:
			found, best = c, d
		case d == best && b.partOf(found.t) && !b.partOf(t):
		case d == best && b.partOf(t) && !b.partOf(found.t):
			found = c
		case d == best:
			return nil, refuse(sparkwright.DeclineAmbiguous, "There is more than one date that this can be about: %s, %s.", qualified(found), qualified(c))
		}
	}
	if found == nil {
		return nil, refuse(sparkwright.DeclineUnanswerable, "No date column belongs to %s.", b.p.root.view)
	}
	_ = unit
	return found, nil
}

// unsaid refuses a date that was said with a verb, "ordered in 2025", where no
// date tells of it: when the verb is the name of another table, and when there
// are several dates to choose from. c is the one that was chosen.
func (b *binder) unsaid(chain []*entity, verb string) (c *column, why error) {
	if verb == "" || len(chain) == 0 {
		return nil, nil
	}
	for _, t := range b.s.tables {
		if len(t.words) != 1 || t.words[0] != verb {
			continue
		}
		for _, e := range chain {
			if e.t == t {
				return nil, nil
			}
		}
		return nil, refuse(sparkwright.DeclineNotUnderstood, "%q may be about the date of %s, and not about one of %s; name the date.", verb, t.view, chain[0].t.view)
	}
	var dates []string
	var columns []*column
	for _, c := range chain[0].t.cols {
		if c.isDate() {
			dates, columns = append(dates, qualified(c)), append(columns, c)
		}
	}
	if len(dates) < 2 {
		return nil, nil
	}
	if i := b.s.choose(dates); i >= 0 {
		return columns[i], nil
	}
	r := refuse(sparkwright.DeclineAmbiguous, "None of the dates of %s tells when something was %q; say which of them is meant.", chain[0].t.view, verb)
	r.choices = dates
	return nil, r
}

// partOf reports whether the root is named as a part of t: order_items of orders.
func (b *binder) partOf(t *table) bool {
	for _, w := range t.words {
		if !contains(b.p.root.words, w) {
			return false
		}
	}
	return len(t.words) < len(b.p.root.words)
}
