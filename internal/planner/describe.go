package planner

import (
	"strconv"
	"strings"
)

// describe restates what was understood in one sentence.
func describe(p *plan) string {
	q := p.q
	var b strings.Builder
	var shown []string
	for _, it := range q.items {
		shown = append(shown, describeItem(it))
	}
	for i, s := range shown {
		if i > 0 {
			if i == len(shown)-1 {
				b.WriteString(" and ")
			} else {
				b.WriteString(", ")
			}
		}
		b.WriteString(s)
	}
	for i, d := range q.dims {
		if i == 0 {
			b.WriteString(" for each ")
		} else {
			b.WriteString(" and ")
		}
		b.WriteString(singular(describeItem(d)))
	}
	if p.rootEnt != nil && !p.agg && len(q.items) > 0 && q.items[0].kind == itemAttr {
		b.WriteString(" of " + p.root.human())
	}
	var conds []string
	for _, e := range p.tops {
		conds = append(conds, describeConds(e.conds)...)
	}
	conds = append(conds, describeConds(q.conds)...)
	if len(conds) > 0 {
		b.WriteString(" where " + strings.Join(conds, " and "))
	}
	for i, o := range q.order {
		if i == 0 {
			b.WriteString(", ordered by ")
		} else {
			b.WriteString(", then ")
		}
		b.WriteString(describeItem(o.it))
		if o.desc {
			b.WriteString(", highest first")
		} else {
			b.WriteString(", lowest first")
		}
	}
	if q.limit > 0 {
		b.WriteString(", the first " + strconv.Itoa(q.limit))
	}
	s := b.String() + "."
	return strings.ToUpper(s[:1]) + s[1:]
}

// singular of the last word of a name.
func singular(s string) string {
	for _, p := range [][2]string{{"ies", "y"}, {"sses", "ss"}, {"ches", "ch"}, {"shes", "sh"}, {"xes", "x"}, {"ss", "ss"}, {"us", "us"}, {"is", "is"}, {"s", ""}} {
		if strings.HasSuffix(s, p[0]) && len(s) > len(p[0])+2 {
			return strings.TrimSuffix(s, p[0]) + p[1]
		}
	}
	return s
}

func describeItem(it *item) string {
	switch it.kind {
	case itemEntity:
		return it.ent.t.human()
	case itemAttr:
		return it.attr.col.human()
	case itemBucket:
		return it.unit + " of " + it.attr.col.human()
	case itemRatio:
		return "the ratio of " + describeMeasure(it.m) + " to " + describeMeasure(it.by)
	case itemShare:
		return "the share of " + describeMeasure(it.m) + " in the total"
	case itemFilter:
		return "the share of " + describeMeasure(it.m) + " among all"
	default:
		return describeMeasure(it.m)
	}
}

func describeMeasure(m *measure) string {
	s := ""
	switch {
	case m.fn == "count" && m.ent != nil && m.dist:
		s = "the number of different " + m.ent.t.human()
	case m.fn == "count" && m.ent != nil:
		s = "the number of " + m.ent.t.human()
	case m.fn == "count":
		s = "the number of different " + m.attr.col.human()
	case m.attr.col.metric != nil:
		s = m.attr.col.human()
	case m.fn == "sum":
		s = "the total " + m.attr.col.human()
	case m.fn == "avg":
		s = "the average " + m.attr.col.human()
	case m.fn == "max":
		s = "the highest " + m.attr.col.human()
	default:
		s = "the lowest " + m.attr.col.human()
	}
	if c := describeConds(m.conds); len(c) > 0 {
		s += " where " + strings.Join(c, " and ")
	}
	return s
}

func describeConds(conds []*cond) []string {
	var out []string
	for _, c := range conds {
		out = append(out, describeCond(c))
	}
	return out
}

func describeCond(c *cond) string {
	name := ""
	if c.attr != nil && c.attr.col != nil {
		name = c.attr.col.human()
	}
	not := ""
	if c.neg {
		not = "not "
	}
	var lits []string
	for _, l := range c.lits {
		lits = append(lits, l.text)
	}
	switch c.kind {
	case condOr:
		return "(" + strings.Join(describeConds(c.subs), " or ") + ")"
	case condAnd:
		return "(" + strings.Join(describeConds(c.subs), " and ") + ")"
	case condRelated:
		s := "there are "
		if c.neg {
			s = "there are no "
		}
		s += c.ent.t.human()
		if in := describeConds(c.ent.conds); len(in) > 0 {
			s += " with " + strings.Join(in, " and ")
		}
		return s
	case condCount:
		s := "the number of " + c.ent.t.human() + " is " + c.op + " " + strconv.FormatInt(c.n, 10)
		return s
	case condNull:
		if c.neg {
			return name + " is known"
		}
		return name + " is missing"
	case condBool:
		return not + name
	case condLike:
		return name + " " + not + c.op + " with '" + lits[0] + "'"
	case condBetween:
		return name + " is between " + lits[0] + " and " + lits[1]
	case condIn:
		return name + " is " + not + "one of " + strings.Join(lits, ", ")
	case condAverage:
		return name + " is " + c.op + " its average"
	case condDate:
		return name + " is " + c.rng.text
	default:
		op := c.op
		if op == "=" {
			op = "is"
		}
		if c.neg {
			op = "is not"
		}
		return name + " " + op + " " + strings.Join(lits, ", ")
	}
}
