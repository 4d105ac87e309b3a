package broker

import (
	"sync"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/sqlguard"
)

// maxJudged is how many verdicts are kept: the parts of a parallel read differ
// in a number only, but Spark asks for the same schema again and again.
const maxJudged = 256

// guard is what one run may read, and what was judged already.
type guard struct {
	mu     sync.Mutex
	rules  sqlguard.Rules
	judged map[string]string // why not; "" = it may
}

// allow adds tables to those that may be read; nil = any.
func (s *Session) allow(tables []sparkwright.Relation) {
	g := &s.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.judged == nil
	g.judged = map[string]string{}
	switch {
	case tables == nil && first, !first && g.rules.Tables == nil:
		return
	case g.rules.Tables == nil:
		g.rules.Tables = []sqlguard.Table{}
	}
	for _, t := range tables {
		g.rules.Tables = append(g.rules.Tables, sqlguard.Table{Schema: t.Schema, Name: t.Name})
	}
}

// judge says what becomes of a statement, and why one is refused.
func (s *Session) judge(sql string) (v verdict, tag, why string) {
	if v, tag = judge(sql); v != read {
		return v, tag, readsOnly
	}
	g := &s.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	why, known := g.judged[sql]
	if !known {
		if err := sqlguard.Check(sql, g.rules); err != nil {
			why = readsOnly + ": " + err.Error()
		}
		if len(g.judged) >= maxJudged {
			clear(g.judged)
		}
		g.judged[sql] = why
	}
	if why != "" {
		return refused, "", why
	}
	return read, "", ""
}
