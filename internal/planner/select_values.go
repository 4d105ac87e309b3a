package planner

import (
	"strings"

	"github.com/sparkwright/sparkwright"
)

// measure renders an aggregate over the rows of the scope.
func (st *statement) measure(m *measure) (string, error) {
	var when string
	if len(m.conds) > 0 {
		parts, err := st.sc.all(st.em.p.root, m.conds, false)
		if err != nil {
			return "", err
		}
		when = strings.Join(nonEmpty(parts), " AND ")
	}
	wrap := func(x string) string {
		if when == "" {
			return x
		}
		return "CASE WHEN " + when + " THEN " + x + " END"
	}
	if m.fn == "count" {
		t := st.em.p.root
		if m.ent != nil {
			t = m.ent.t
		}
		switch {
		case m.attr != nil:
			x, err := st.sc.col(m.attr.col)
			if err != nil {
				return "", err
			}
			return "COUNT(DISTINCT " + wrap(x) + ")", nil
		case t != st.sc.root:
			if !m.dist && len(st.em.p.q.dims) == 0 || t.key == nil {
				return "", refuse(sparkwright.DeclineNotUnderstood, "Counting %s here would count only those that have %s; say \"distinct\" if that is meant.", t.view, st.sc.root.view)
			}
			if !m.dist {
				return "", refuse(sparkwright.DeclineAmbiguous, "Counting %s here would count only those that have %s; say \"distinct\" if that is meant.", t.view, st.sc.root.view)
			}
			x, err := st.sc.col(t.key)
			if err != nil {
				return "", err
			}
			return "COUNT(DISTINCT " + wrap(x) + ")", nil
		case st.sc.many:
			if t.key == nil {
				return "", refuse(sparkwright.DeclineNotUnderstood, "%s has no key to count its rows by.", t.view)
			}
			return "COUNT(DISTINCT " + wrap(st.sc.alias+"."+ident(t.key.src.Name)) + ")", nil
		case when != "":
			return "COUNT(" + wrap("1") + ")", nil
		default:
			return "COUNT(*)", nil
		}
	}
	if m.attr.col.metric != nil {
		return st.defined(m, when != "")
	}
	x, err := st.sc.col(m.attr.col)
	if err != nil {
		return "", err
	}
	if m.attr.col.t != st.sc.root && (m.fn == "sum" || m.fn == "avg") {
		return "", refuse(sparkwright.DeclineNotUnderstood, "%s of %s would be counted once for every row of %s.", m.fn, qualified(m.attr.col), st.sc.root.view)
	}
	if m.fn == "avg" {
		x = averaged(m.attr.col, x)
	}
	return strings.ToUpper(m.fn) + "(" + wrap(x) + ")", nil
}

// averaged is a column as AVG takes it. Spark makes doubles of whole numbers
// anyway; when the code says so PostgreSQL does the same and may work the mean
// out (readplan).
func averaged(c *column, x string) string {
	if c.isInteger() {
		return "CAST(" + x + " AS DOUBLE)"
	}
	return x
}

func (st *statement) measureName(m *measure) string {
	if m.attr != nil && m.attr.col.metric != nil {
		return st.name(m.attr.col.src.Name)
	}
	switch m.fn {
	case "count":
		if m.ent != nil {
			return st.name("number_of", strings.TrimPrefix(m.ent.t.human(), "number of "))
		}
		return st.name("number_of", m.attr.col.src.Name)
	case "sum":
		return st.name("total", m.attr.col.src.Name)
	case "avg":
		return st.name("average", m.attr.col.src.Name)
	case "max":
		return st.name("highest", m.attr.col.src.Name)
	default:
		return st.name("lowest", m.attr.col.src.Name)
	}
}

// value renders a measure item.
func (st *statement) value(it *item) (expr, alias string, err error) {
	switch it.kind { //nolint:exhaustive // the others are groups
	case itemMeasure:
		expr, err = st.measure(it.m)
		if err != nil {
			return "", "", err
		}
		return expr, st.measureName(it.m), nil
	case itemRatio:
		a, err := st.measure(it.m)
		if err != nil {
			return "", "", err
		}
		b, err := st.measure(it.by)
		if err != nil {
			return "", "", err
		}
		if it.pct {
			return "100.0 * CAST(" + a + " AS DOUBLE) / NULLIF(" + b + ", 0)", st.name("percentage"), nil
		}
		return "CAST(" + a + " AS DOUBLE) / NULLIF(" + b + ", 0)", st.name("ratio"), nil
	case itemFilter:
		part, err := st.measure(it.m)
		if err != nil {
			return "", "", err
		}
		whole, err := st.measure(&measure{fn: "count", ent: it.m.ent})
		if err != nil {
			return "", "", err
		}
		name, factor := st.name("share"), ""
		if it.pct {
			name, factor = st.name("percentage"), "100.0 * "
		}
		return factor + "CAST(" + part + " AS DOUBLE) / NULLIF(" + whole + ", 0)", name, nil
	case itemShare:
		x, err := st.measure(it.m)
		if err != nil {
			return "", "", err
		}
		return "100.0 * CAST(" + x + " AS DOUBLE) / NULLIF(SUM(" + x + ") OVER (), 0)", st.name("percentage"), nil
	}
	return "", "", refuse(sparkwright.DeclineNotUnderstood, "%q is not a figure.", it.text)
}
