// Package planner answers questions without a model. It reads a question by a
// grammar, links its words to tables, columns and known values of the catalog,
// binds the result to a typed query and writes that as Spark SQL:
//
//	text → tokens → linked terms → query → plan → code
//
// Every word must be accounted for; what is not fully understood, or what
// could be read in two ways, is declined with the reason. It does no I/O and
// keeps no state between questions.
package planner

import (
	"context"
	"errors"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/sparkwright/sparkwright"
)

// Planner is the built-in Generator. It is safe for concurrent use.
type Planner struct{}

var _ sparkwright.Generator = (*Planner)(nil)

// New returns a Planner.
func New() *Planner { return &Planner{} }

const maxQuestion = 2000 // bytes; no question that the grammar reads is longer

const configureModel = "To have any question answered, configure a model: set OPENAI_BASE_URL and OPENAI_API_KEY."

// Generate implements sparkwright.Generator. The error is always nil but for a
// cancelled ctx or a request without catalog.
func (pl *Planner) Generate(ctx context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	if err := ctx.Err(); err != nil {
		return nil, &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "The question was cancelled.", Err: err}
	}
	if req.Catalog == nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "no tables are selected")
	}
	s := newSchema(req.Catalog)
	a, why := s.answer(req.Question, req.Instructions, req.Repair)
	if why == nil {
		return &sparkwright.GenerateReply{Analysis: a}, nil
	}
	return &sparkwright.GenerateReply{Declined: s.decline(req.Question, why)}, nil
}

// unread is what keeps a question from being understood.
type unread struct {
	*refusal
	words []string
}

// answer plans one question.
func (s *schema) answer(question, instructions string, repair *sparkwright.Repair) (*sparkwright.Analysis, *unread) {
	switch {
	case repair != nil:
		return nil, &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "The built-in planner does not repair code.")}
	case strings.TrimSpace(question) == "":
		return nil, &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "The question is empty.")}
	case len(question) > maxQuestion:
		return nil, &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "The question is too long for the built-in planner.")}
	case !utf8.ValidString(question) || strings.ContainsRune(question, 0):
		return nil, &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "The question is not text.")}
	case len(s.tables) == 0:
		return nil, &unread{refusal: refuse(sparkwright.DeclineUnanswerable, "No table is selected.")}
	}
	p := &parser{s: s, t: expand(tokenize(question), instructions)}
	s.paths, s.mentioned = map[[2]int][]path{}, map[int]bool{}
	for _, t := range s.tables {
		for _, tk := range p.t {
			if tk.kind == tokWord && endsWith(t.words, tk.stem) {
				s.mentioned[t.id] = true
			}
		}
	}
	if !p.parse() {
		return nil, s.explain(p)
	}
	pl, err := s.bind(p.q)
	if err != nil {
		return nil, asUnread(err)
	}
	em := &emitter{s: s, p: pl, aliases: map[string]int{}, views: map[string]bool{}}
	sql, err := em.sql()
	if err != nil {
		return nil, asUnread(err)
	}
	views := make([]string, 0, len(em.views))
	for v := range em.views {
		views = append(views, v)
	}
	sort.Strings(views)
	if len(pl.q.notes) > 0 && contains(pl.q.notes, "unit") {
		pl.assume = append(pl.assume, "Numbers are taken to be stored in the unit that the question names.")
	}
	return &sparkwright.Analysis{
		Code:        "result = spark.sql(\"\"\"\n" + sql + "\n\"\"\")\n",
		Understood:  describe(pl),
		Assumptions: pl.assume,
		Views:       views,
		Generator:   "planner",
	}, nil
}

func asUnread(err error) *unread {
	if r, ok := errors.AsType[*refusal](err); ok {
		return &unread{refusal: r}
	}
	return &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "%s", err.Error())}
}
