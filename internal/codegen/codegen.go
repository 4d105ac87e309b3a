// Package codegen has a text model write the analysis for a question.
//
// The model sees the tables that matter for the question as package grounding
// describes them, the question and the user's instructions. It never sees rows,
// credentials, hosts or URLs, and of values only what Options.Grounding shares.
// What others wrote (names, comments, labels, error messages) is marked as such,
// kept to one line, and limited in length. The prompts are the files in prompts;
// a change of them shows in the golden tests.
package codegen

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
	"text/template"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/grounding"
)

//go:embed prompts
var prompts embed.FS

// Options are how a Generator asks. The zero value is useful.
type Options struct {
	MaxTokens int // of a reply, with the reasoning that some models count in; 0 = 8000
	// Grounding bounds the description of the tables.
	Grounding grounding.Options
	// Cache keeps replies; nil = none are kept.
	Cache Cache
	// Cost is what so many tokens of a model cost, in US dollars; nil or 0 = not
	// known.
	Cost func(model string, in, out int) float64
}

// Generator implements sparkwright.VersionedGenerator with a model. It is safe
// for concurrent use.
type Generator struct {
	model     sparkwright.Model
	opt       Options
	describer grounding.Describer
	system    string
	templates *template.Template
	version   string
}

var _ sparkwright.VersionedGenerator = (*Generator)(nil)

// New returns a generator that asks the model.
func New(model sparkwright.Model, opt Options) *Generator {
	if opt.MaxTokens <= 0 {
		opt.MaxTokens = 8000
	}
	system, err := prompts.ReadFile("prompts/system.md")
	if err != nil {
		panic(err) // the file is part of the program
	}
	return &Generator{
		model:     model,
		opt:       opt,
		system:    string(system),
		templates: template.Must(template.ParseFS(prompts, "prompts/*.tmpl")),
		version:   version(prompts, model.Name(), opt),
	}
}

// readingVersion is raised when another description of the tables, or another
// reading of replies, makes another analysis of the same prompts and reply.
const readingVersion = 3

// version is the hash of the prompts, the model and how its replies are read.
func version(prompts fs.FS, model string, opt Options) string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "%d %q %d %+v", readingVersion, model, opt.MaxTokens, opt.Grounding)
	err := fs.WalkDir(prompts, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(prompts, path)
		_, _ = fmt.Fprintf(h, "\n%q %q", path, text)
		return err
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	return "model " + model + " " + hex.EncodeToString(h.Sum(nil))
}

// Version implements sparkwright.VersionedGenerator: another model or other
// prompts have another version.
func (g *Generator) Version() string { return g.version }

// Generate implements sparkwright.Generator. Errors are those of the model,
// CodeInvalid without question or tables, and CodeJobFailed when the reply
// holds neither code nor a decline, twice.
func (g *Generator) Generate(ctx context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	request, err := g.request(req)
	if err != nil {
		return nil, err
	}
	asked := request // what a reply is kept for
	answer, kept, err := g.complete(ctx, request, req)
	if err != nil {
		return nil, err
	}
	usage := g.usage(answer, kept)
	reply, err := parse(answer.Text, req.Catalog)
	if err != nil { // many a small model chats first; told so, it does not
		request.User += "\n" + reminder
		if answer, err = g.model.Complete(ctx, request, req.OnText); err != nil {
			return &sparkwright.GenerateReply{Usage: usage}, err
		}
		kept = false
		usage = sum(usage, g.usage(answer, false))
		if reply, err = parse(answer.Text, req.Catalog); err != nil {
			return &sparkwright.GenerateReply{Usage: usage}, err
		}
	}
	if !kept && req.Repair == nil {
		g.keep(ctx, asked, answer)
	}
	reply.Usage = usage
	if a := reply.Analysis; a != nil {
		a.Views = Views(a.Code, req.Catalog)
		a.Generator = "model " + g.model.Name()
		a.Tokens = reply.Usage.InputTokens + reply.Usage.OutputTokens
	}
	return reply, nil
}

// reminder is added to a prompt whose reply held neither code nor a decline.
const reminder = "Your reply to this held neither one fenced Python block that assigns `result` nor a line that begins with DECLINED. Reply again, with one of the two and nothing else.\n"

// usage is what an answer cost.
func (g *Generator) usage(answer *sparkwright.ModelReply, kept bool) sparkwright.Usage {
	if kept {
		return sparkwright.Usage{Cached: true}
	}
	u := sparkwright.Usage{InputTokens: answer.InputTokens, OutputTokens: answer.OutputTokens, Calls: 1}
	if g.opt.Cost != nil {
		u.USD = g.opt.Cost(g.model.Name(), answer.InputTokens, answer.OutputTokens)
	}
	return u
}

func sum(a, b sparkwright.Usage) sparkwright.Usage {
	return sparkwright.Usage{
		InputTokens: a.InputTokens + b.InputTokens, OutputTokens: a.OutputTokens + b.OutputTokens, Calls: a.Calls + b.Calls, USD: a.USD + b.USD,
	}
}

// request renders the prompts.
func (g *Generator) request(req sparkwright.GenerateRequest) (sparkwright.ModelRequest, error) {
	if strings.TrimSpace(req.Question) == "" {
		return sparkwright.ModelRequest{}, sparkwright.Errorf(sparkwright.CodeInvalid, "the question is empty")
	}
	if req.Catalog == nil || len(req.Catalog.Tables) == 0 {
		return sparkwright.ModelRequest{}, sparkwright.Errorf(sparkwright.CodeInvalid, "there is no table to ask about")
	}
	instructions := strings.TrimSpace(req.Instructions + "\n" + req.Definitions.Text())
	tables, _ := g.describer.Describe(req.Catalog, subject(req), instructions, needed(req), g.opt.Grounding)
	text, err := g.render("user.md.tmpl", map[string]any{
		"Tables":       tables,
		"Instructions": block(instructions, maxInstructions),
		"Question":     block(req.Question, maxQuestion),
		"Previous":     earlier(req.Previous),
		"Clarifies":    clarified(req.Clarifies),
	})
	if err != nil {
		return sparkwright.ModelRequest{}, err
	}
	if req.Repair != nil {
		text, err = g.render("repair.md.tmpl", map[string]string{
			"User":  text,
			"Code":  block(req.Repair.Code, maxCode),
			"Error": FaultText(&req.Repair.Fault),
		})
	}
	return sparkwright.ModelRequest{System: g.system, User: text, MaxTokens: g.opt.MaxTokens}, err
}

// subject is what the tables are chosen for: a follow-up is about what the
// questions before it were about, too.
func subject(req sparkwright.GenerateRequest) string {
	text := req.Question
	if p := req.Previous; p != nil {
		text += "\n" + strings.Join(p.Questions[max(0, len(p.Questions)-2):], "\n")
	}
	if c := req.Clarifies; c != nil {
		text += "\n" + c.Question
	}
	return text
}

// clarified is what the prompt tells of a question that was asked back; nil
// for none.
func clarified(c *sparkwright.Clarified) *sparkwright.Clarified {
	if c == nil {
		return nil
	}
	out := &sparkwright.Clarified{Question: grounding.Quoted(c.Question, maxEarlier), Asked: grounding.Quoted(c.Asked, maxEarlier)}
	for _, choice := range c.Choices {
		out.Choices = append(out.Choices, grounding.Quoted(choice, maxEarlier))
	}
	return out
}

// needed are the views that earlier code reads.
func needed(req sparkwright.GenerateRequest) []string {
	var list []string
	if req.Repair != nil {
		list = append(list, Views(req.Repair.Code, req.Catalog)...)
	}
	if req.Previous != nil {
		list = append(list, Views(req.Previous.Code, req.Catalog)...)
	}
	return list
}

// earlier is what the prompt tells of the conversation; nil for none.
func earlier(p *sparkwright.Previous) *sparkwright.Previous {
	if p == nil || len(p.Questions) == 0 {
		return nil
	}
	out := &sparkwright.Previous{Code: block(p.Code, maxCode), Understood: grounding.Quoted(p.Understood, maxEarlier)}
	for _, q := range p.Questions {
		out.Questions = append(out.Questions, grounding.Quoted(q, maxEarlier))
	}
	return out
}

func (g *Generator) render(name string, data any) (string, error) {
	var text strings.Builder
	if err := g.templates.ExecuteTemplate(&text, name, data); err != nil {
		return "", &sparkwright.Error{Code: sparkwright.CodeInternal, Message: "the prompt could not be written", Err: err}
	}
	return text.String(), nil
}
