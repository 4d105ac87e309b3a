package planner

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

func trimFloat(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// emitter writes the SQL of a plan.
type emitter struct {
	s       *schema
	p       *plan
	aliases map[string]int
	views   map[string]bool
}

// scope is one SELECT: a table and what is joined to it.
type scope struct {
	em     *emitter
	root   *table
	alias  string
	joined map[*table]string
	joins  []string
	many   bool // a join multiplies the rows of root
}

func (em *emitter) scope(t *table) *scope {
	s := &scope{em: em, root: t, joined: map[*table]string{}}
	s.alias = em.alias(t)
	s.joined[t] = s.alias
	return s
}

// alias is a short name for a table, unique in the statement.
func (em *emitter) alias(t *table) string {
	em.views[t.view] = true
	var b strings.Builder
	for _, w := range nameWords(t.src.Name) {
		if w[0] >= 'a' && w[0] <= 'z' {
			b.WriteByte(w[0])
		}
	}
	name := b.String()
	if name == "" || reserved(name) || len(name) > 4 {
		name = "t"
	}
	em.aliases[name]++
	if n := em.aliases[name]; n > 1 {
		return fmt.Sprintf("%s%d", name, n)
	}
	return name
}

func (em *emitter) from(s *scope) string {
	return "FROM " + ident(s.root.view) + " " + s.alias
}

// join follows a path from a table that is joined already.
func (s *scope) join(p path) string {
	alias := s.alias
	for _, e := range p {
		from := s.joined[e.from]
		if a, ok := s.joined[e.to]; ok {
			alias = a
			continue
		}
		alias = s.em.alias(e.to)
		s.joined[e.to] = alias
		what := ident(e.to.view)
		if !e.toOne && loosePairs(e.to) {
			what = "(SELECT DISTINCT " + ident(e.to.cols[0].src.Name) + ", " + ident(e.to.cols[1].src.Name) + " FROM " + what + ")"
		}
		s.joins = append(s.joins, "JOIN "+what+" "+alias+" ON "+on(e, from, alias))
		if !e.toOne {
			s.many = true
		}
	}
	return alias
}

func on(e edge, from, to string) string {
	var parts []string
	for i := range e.cols {
		parts = append(parts, to+"."+ident(e.ref[i].src.Name)+" = "+from+"."+ident(e.cols[i].src.Name))
	}
	return strings.Join(parts, " AND ")
}

// path is the one way to join, or why there is none.
func (em *emitter) path(a, b *table) (path, error) {
	ps := em.s.between(a, b)
	switch len(ps) {
	case 0:
		return nil, refuse(sparkwright.DeclineUnanswerable, "There is no way to join %s to %s.", a.view, b.view)
	case 1:
		return ps[0], nil
	}
	r := refuse(sparkwright.DeclineAmbiguous, "There is more than one way to join %s to %s.", a.view, b.view)
	for _, p := range ps {
		var via []string
		for _, e := range p {
			via = append(via, e.from.view+"."+e.cols[0].src.Name+" = "+e.to.view+"."+e.ref[0].src.Name)
		}
		r.choices = append(r.choices, strings.Join(via, ", "))
	}
	if i := em.s.choose(r.choices); i >= 0 {
		return ps[i], nil
	}
	sort.Strings(r.choices)
	return nil, r
}

// reach is the alias of t in the scope, joined for showing or grouping.
func (s *scope) reach(t *table) (string, error) {
	if a, ok := s.joined[t]; ok {
		return a, nil
	}
	p, err := s.em.path(s.root, t)
	if err != nil {
		return "", err
	}
	return s.join(p), nil
}

func (s *scope) col(c *column) (string, error) {
	if c.metric != nil {
		return "", refuse(sparkwright.DeclineNotUnderstood, "%s is a figure of many rows, and no property of one.", c.human())
	}
	a, err := s.reach(c.t)
	if err != nil {
		return "", err
	}
	return a + "." + ident(c.src.Name), nil
}

// all renders conditions; plain ones may add joins, others use EXISTS.
func (s *scope) all(anchor *table, conds []*cond, plain bool) ([]string, error) {
	var out []string
	for _, c := range conds {
		x, err := s.cond(anchor, c, plain)
		if err != nil {
			return nil, err
		}
		if x != "" {
			out = append(out, x)
		}
	}
	return out, nil
}

func (s *scope) cond(anchor *table, c *cond, plain bool) (string, error) {
	switch c.kind { //nolint:exhaustive // the others are predicates on a column, below
	case condOr, condAnd:
		parts, err := s.all(anchor, c.subs, false)
		if err != nil {
			return "", err
		}
		sep := " OR "
		if c.kind == condAnd {
			sep = " AND "
		}
		return "(" + strings.Join(parts, sep) + ")", nil
	case condRelated:
		return s.related(anchor, c, plain)
	case condCount:
		return s.counted(anchor, c)
	}
	t := c.attr.col.t
	if c.attr.col.metric != nil {
		_, err := s.col(c.attr.col)
		return "", err
	}
	if a, ok := s.joined[t]; ok {
		return predicate(a, c)
	}
	p, err := s.em.path(anchor, t)
	if err != nil {
		return "", err
	}
	if plain && !p.toMany() && c.kind != condNull && !c.neg {
		return predicate(s.join(p), c)
	}
	return s.exists(p, false, func(sub *scope, alias string) ([]string, error) {
		x, err := predicate(alias, c)
		return []string{x}, err
	})
}

// related requires (or forbids) rows of another table.
func (s *scope) related(anchor *table, c *cond, plain bool) (string, error) {
	if a, ok := s.joined[c.ent.t]; ok && !c.neg && c.ent.t != anchor {
		_ = a
		parts, err := s.all(c.ent.t, c.ent.conds, plain)
		return strings.Join(parts, " AND "), err
	}
	p, err := s.em.path(anchor, c.ent.t)
	if err != nil {
		return "", err
	}
	if !c.neg && len(p) == 1 && p[0].toOne && len(c.ent.conds) == 0 {
		var parts []string
		for _, col := range p[0].cols {
			parts = append(parts, s.joined[anchor]+"."+ident(col.src.Name)+" IS NOT NULL")
		}
		return strings.Join(parts, " AND "), nil
	}
	if plain && !c.neg && !p.toMany() {
		s.join(p)
		parts, err := s.all(c.ent.t, c.ent.conds, plain)
		return strings.Join(parts, " AND "), err
	}
	return s.exists(p, c.neg, func(sub *scope, _ string) ([]string, error) {
		return sub.all(c.ent.t, c.ent.conds, true)
	})
}

// exists renders [NOT] EXISTS over a path that starts at a joined table.
func (s *scope) exists(p path, neg bool, inner func(sub *scope, alias string) ([]string, error)) (string, error) {
	from := s.joined[p[0].from]
	sub := &scope{em: s.em, root: p[0].to, joined: map[*table]string{}}
	sub.alias = s.em.alias(p[0].to)
	sub.joined[p[0].to] = sub.alias
	alias := sub.join(p[1:])
	if len(p) == 1 {
		alias = sub.alias
	}
	conds, err := inner(sub, alias)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	if neg {
		b.WriteString("NOT ")
	}
	b.WriteString("EXISTS (\n    SELECT 1 " + s.em.from(sub))
	for _, j := range sub.joins {
		b.WriteString("\n    " + j)
	}
	b.WriteString("\n    WHERE " + strings.Join(append([]string{on(p[0], from, sub.alias)}, nonEmpty(conds)...), " AND ") + ")")
	return b.String(), nil
}

func nonEmpty(in []string) []string {
	var out []string
	for _, s := range in {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// counted compares the number of related rows.
func (s *scope) counted(anchor *table, c *cond) (string, error) {
	p, err := s.em.path(anchor, c.ent.t)
	if err != nil {
		return "", err
	}
	if len(p) == 0 {
		return "", refuse(sparkwright.DeclineNotUnderstood, "%q counts the rows of the same table.", c.text)
	}
	sub := &scope{em: s.em, root: p[0].to, joined: map[*table]string{}}
	sub.alias = s.em.alias(p[0].to)
	sub.joined[p[0].to] = sub.alias
	last := sub.alias
	if len(p) > 1 {
		last = sub.join(p[1:])
	}
	conds, err := sub.all(c.ent.t, c.ent.conds, true)
	if err != nil {
		return "", err
	}
	count := "COUNT(*)"
	if len(p) > 1 {
		if c.ent.t.key == nil {
			return "", refuse(sparkwright.DeclineNotUnderstood, "%s has no key to count its rows by.", c.ent.t.view)
		}
		count = "COUNT(DISTINCT " + last + "." + ident(c.ent.t.key.src.Name) + ")"
	}
	var b strings.Builder
	b.WriteString("(\n    SELECT " + count + " " + s.em.from(sub))
	for _, j := range sub.joins {
		b.WriteString("\n    " + j)
	}
	b.WriteString("\n    WHERE " + strings.Join(append([]string{on(p[0], s.joined[anchor], sub.alias)}, nonEmpty(conds)...), " AND ") + ")")
	fmt.Fprintf(&b, " %s %d", c.op, c.n)
	return b.String(), nil
}

// predicate renders a condition on one column of an alias.
func predicate(alias string, c *cond) (string, error) {
	col := c.attr.col
	x := alias + "." + ident(col.src.Name)
	switch c.kind {
	case condNull:
		if c.neg {
			return x + " IS NOT NULL", nil
		}
		return x + " IS NULL", nil
	case condBool:
		if c.neg {
			return "NOT " + x, nil
		}
		return x, nil
	case condLike:
		return like(x, c), nil
	case condBetween:
		return x + " BETWEEN " + literalSQL(c.lits[0], col) + " AND " + literalSQL(c.lits[1], col), nil
	case condIn:
		var vals []string
		for _, l := range c.lits {
			vals = append(vals, literalSQL(l, col))
		}
		op := " IN ("
		if c.neg {
			op = " NOT IN ("
		}
		return x + op + strings.Join(vals, ", ") + ")", nil
	case condAverage:
		return x + " " + c.op + " (SELECT AVG(" + averaged(col, ident(col.src.Name)) + ") FROM " + ident(col.t.view) + ")", nil
	case condDate:
		return dateSQL(x, col, c.rng)
	case condCompare:
		op := c.op
		if c.neg {
			op = "<>"
		}
		if c.lits[0].isDate && !strings.EqualFold(col.src.BaseType, "date") {
			x = "CAST(" + x + " AS DATE)"
		}
		return x + " " + op + " " + literalSQL(c.lits[0], col), nil
	default:
		return "", refuse(sparkwright.DeclineNotUnderstood, "The condition %q is not supported.", c.text)
	}
}

func like(x string, c *cond) string {
	v := c.lits[0].text
	esc := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(v))
	var pat string
	switch c.op {
	case "starts":
		pat = esc + "%"
	case "ends":
		pat = "%" + esc
	default:
		pat = "%" + esc + "%"
	}
	op := " LIKE "
	if c.neg {
		op = " NOT LIKE "
	}
	out := "LOWER(" + x + ")" + op + quote(pat)
	if esc != strings.ToLower(v) {
		out += " ESCAPE '!'"
	}
	return out
}
