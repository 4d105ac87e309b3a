package planner

// mark is everything that reading changes, so that an alternative that fails
// leaves no trace.
type mark struct {
	i, ctx, items, dims, conds, order, notes, limit, noun int
	ents                                                  []int
	verb                                                  string
	agt, superl, top, distinct                            bool
	head                                                  *node
}

func (p *parser) mark() mark {
	m := mark{
		i: p.i, noun: p.noun, ctx: len(p.q.context), items: len(p.q.items), dims: len(p.q.dims), conds: len(p.q.conds), order: len(p.q.order),
		notes: len(p.q.notes), limit: p.q.limit, verb: p.verb, agt: p.agt, superl: p.q.superl, top: p.q.top, distinct: p.q.distinct, head: p.q.head,
	}
	for _, e := range p.q.context {
		m.ents = append(m.ents, len(e.conds))
	}
	return m
}

// reset goes back to m. It returns false, for use in a return statement.
func (p *parser) reset(m mark) bool {
	p.fail(p.i)
	q := p.q
	p.i, p.noun, p.verb, p.agt = m.i, m.noun, m.verb, m.agt
	q.context, q.order, q.notes = q.context[:m.ctx], q.order[:m.order], q.notes[:m.notes]
	q.items, q.dims = q.items[:min(m.items, len(q.items))], q.dims[:min(m.dims, len(q.dims))]
	if len(q.conds) > m.conds {
		q.conds = q.conds[:m.conds]
	}
	for i, n := range m.ents {
		if e := q.context[i]; len(e.conds) > n {
			e.conds = e.conds[:n]
		}
	}
	q.limit, q.superl, q.top, q.distinct, q.head = m.limit, m.superl, m.top, m.distinct, m.head
	return false
}
