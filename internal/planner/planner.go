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

const configureModel = "To have any question answered, configure a model: set OPENAI_BASE_URL and OPENAI_MODEL, or ANTHROPIC_MODEL, or global.bedrock_model."

// Generate implements sparkwright.Generator. The error is always nil but for a
// cancelled ctx or a request without catalog.
func (pl *Planner) Generate(ctx context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	if err := ctx.Err(); err != nil {
		return nil, &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "The question was cancelled.", Err: err}
	}
	if req.Catalog == nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "no tables are selected")
	}
	s := newSchema(req.Catalog, req.Definitions)
	a, why := s.answer(req)
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
func (s *schema) answer(req sparkwright.GenerateRequest) (*sparkwright.Analysis, *unread) {
	if why := s.readable(req.Question); why != nil {
		return nil, &unread{refusal: why}
	}
	if req.Repair != nil {
		return nil, &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "The built-in planner does not repair code.")}
	}
	r, why := s.clarified(req)
	if r == nil && why == nil {
		r, why = s.converse(req.Question, req.Instructions, req.Previous)
	}
	if why != nil {
		return nil, why
	}
	if contains(r.plan.q.notes, "unit") {
		r.plan.assume = append(r.plan.assume, "Numbers are taken to be stored in the unit that the question names.")
	}
	return &sparkwright.Analysis{
		Code:        "result = spark.sql(\"\"\"\n" + r.sql + "\n\"\"\")\n",
		Understood:  describe(r.plan),
		Assumptions: r.plan.assume,
		Views:       r.views,
		Generator:   "planner",
	}, nil
}

// clarified reads the question that was asked back, as it was chosen; nil
// when the answer is a question of its own.
func (s *schema) clarified(req sparkwright.GenerateRequest) (*reading, *unread) {
	c := req.Clarifies
	if c == nil || !contains(c.Choices, req.Question) || s.readable(c.Question) != nil {
		return nil, nil
	}
	s.pick = req.Question
	defer func() { s.pick, s.picked = "", false }()
	r, why := s.converse(c.Question, req.Instructions, req.Previous)
	if !s.picked {
		return nil, nil
	}
	if why == nil {
		r.plan.assume = append(r.plan.assume, "Of the readings of the question this one is taken: "+req.Question+".")
	}
	return r, why
}

// reading is a question that was understood whole.
type reading struct {
	plan  *plan
	sql   string
	views []string
}

// finish binds what was read and writes it as SQL.
func (s *schema) finish(p *parser) (*reading, error) {
	pl, err := s.bind(p.q)
	if err != nil {
		return nil, err
	}
	em := &emitter{s: s, p: pl, aliases: map[string]int{}, views: map[string]bool{}}
	sql, err := em.sql()
	if err != nil {
		return nil, err
	}
	views := make([]string, 0, len(em.views))
	for v := range em.views {
		views = append(views, v)
	}
	sort.Strings(views)
	return &reading{plan: pl, sql: sql, views: views}, nil
}

// readable refuses what cannot be a question; nil when it can.
func (s *schema) readable(question string) *refusal {
	switch {
	case strings.TrimSpace(question) == "":
		return refuse(sparkwright.DeclineNotUnderstood, "The question is empty.")
	case len(question) > maxQuestion:
		return refuse(sparkwright.DeclineNotUnderstood, "The question is too long for the built-in planner.")
	case !utf8.ValidString(question) || strings.ContainsRune(question, 0):
		return refuse(sparkwright.DeclineNotUnderstood, "The question is not text.")
	case len(s.tables) == 0:
		return refuse(sparkwright.DeclineUnanswerable, "No table is selected.")
	}
	return nil
}

// read parses one question; ok when every word was understood.
func (s *schema) read(question, instructions string) (p *parser, ok bool) {
	p = &parser{s: s, t: s.reword(expand(tokenize(question), instructions))}
	s.paths, s.mentioned = map[[2]int][]path{}, map[int]bool{}
	s.mention(p.t)
	return p, p.parse()
}

// mention notes the tables that the words name.
func (s *schema) mention(tokens []token) {
	for _, t := range s.tables {
		for _, tk := range tokens {
			if tk.kind == tokWord && endsWith(t.words, tk.stem) {
				s.mentioned[t.id] = true
			}
		}
	}
}

func asUnread(err error) *unread {
	if r, ok := errors.AsType[*refusal](err); ok {
		return &unread{refusal: r}
	}
	return &unread{refusal: refuse(sparkwright.DeclineNotUnderstood, "%s", err.Error())}
}
