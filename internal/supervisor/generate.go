package supervisor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/sparkwright/sparkwright"
)

// generateStep gets the analysis: the request's own code, an earlier answer to
// the same question, or the generator's. It decides where the run goes.
func (j *job) generateStep(ctx context.Context) (next, error) {
	if err := j.needCatalog(ctx); err != nil {
		return next{}, err
	}
	if j.req.Code != "" {
		j.run.Analysis = j.req.Code
		j.revise("as it was given")
		return j.planned(ctx, j.s.cfg.ViewsOf(j.req.Code, j.catalog))
	}
	req := sparkwright.GenerateRequest{Question: j.req.Question, Instructions: j.req.Instructions, Catalog: j.catalog}
	var err error
	if req.Previous, req.Clarifies, err = j.s.previous(ctx, j.run.User, j.run.Parent); err != nil {
		return next{}, err
	}
	revisions, err := j.s.cfg.Store.Revisions(ctx, j.run.ID)
	if err != nil {
		return next{}, err
	}
	why := ""
	if n := len(revisions); n > 0 && revisions[n-1].Fault != nil {
		req.Repair = &sparkwright.Repair{Code: revisions[n-1].Code, Fault: *revisions[n-1].Fault}
		why = "the one before failed: " + revisions[n-1].Fault.Class
	}
	var notes []string
	if j.s.cfg.Definitions != nil {
		if req.Definitions, notes, err = j.s.cfg.Definitions(ctx, j.catalog); err != nil {
			return next{}, err
		}
	}
	a, declined := j.verified(req), (*sparkwright.Declined)(nil)
	if a == nil {
		if a, declined, err = j.answer(ctx, req); err != nil {
			return next{}, err
		}
	}
	switch {
	case declined == nil:
	case req.Clarifies != nil:
		declined = notAgain(declined)
	case req.Repair == nil:
		if a, err = j.onlyReading(ctx, req, declined); err != nil {
			return next{}, err
		}
		if a != nil {
			declined = nil
		}
	}
	if declined != nil && req.Repair == nil {
		j.run.Declined = declined
		return j.ended(nil), nil
	}
	if again := func(r sparkwright.Revision) bool { return r.Code == a.Code }; unrepaired(req.Repair) && (declined != nil || slices.ContainsFunc(revisions, again)) {
		return j.planned(ctx, j.s.cfg.ViewsOf(j.run.Analysis, j.catalog))
	}
	if declined != nil || slices.ContainsFunc(revisions, func(r sparkwright.Revision) bool { return r.Code == a.Code }) {
		f := req.Repair.Fault
		f.Because = joined(f.Because, "the generator had no other answer to it")
		return j.ended(&f), nil
	}
	if req.Repair != nil {
		j.run.Repairs++
	}
	j.run.Analysis, j.run.Understood, j.run.Generator, j.run.Assumptions = a.Code, a.Understood, a.Generator, append(slices.Clone(a.Assumptions), notes...)
	j.run.Verified = a.Generator == sparkwright.GeneratorVerified
	j.secondReading(a.Second)
	j.revise(why)
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "understood", Text: a.Understood})
	return j.planned(ctx, a.Views)
}

// verified is the answer that somebody has verified for this question, asked by
// itself; nil when there is none.
func (j *job) verified(req sparkwright.GenerateRequest) *sparkwright.Analysis {
	v := req.Definitions.Answer(req.Question)
	if v == nil || req.Previous != nil || req.Repair != nil {
		return nil
	}
	a := &sparkwright.Analysis{
		Code: v.Code, Understood: v.Understood, Generator: sparkwright.GeneratorVerified, Views: j.s.cfg.ViewsOf(v.Code, j.catalog),
	}
	if a.Understood == "" {
		a.Understood = v.Question
	}
	if v.By != "" {
		a.Assumptions = []string{"The code was verified by " + v.By + "."}
	}
	return a
}

// answer asks the generator, unless it has answered the same before.
func (j *job) answer(ctx context.Context, req sparkwright.GenerateRequest) (*sparkwright.Analysis, *sparkwright.Declined, error) {
	hash := ""
	if v, ok := j.s.now().Generator.(sparkwright.VersionedGenerator); ok && req.Repair == nil {
		hash = cacheHash(req, v.Version())
		a, err := j.s.cfg.Store.CachedAnalysis(ctx, hash)
		if err != nil {
			return nil, nil, err
		}
		if a != nil {
			j.run.Usage.Cached, j.work.Cached = true, hash
			return a, nil, nil
		}
	}
	if err := j.withinDay(ctx); err != nil {
		return nil, nil, err
	}
	j.s.failpoint("generate:before")
	pen := &pen{job: j}
	req.OnText = func(text string) { pen.write(ctx, text) }
	reply, err := j.s.now().Generator.Generate(ctx, req)
	pen.rest()
	j.s.failpoint("generate:after")
	if reply != nil { // also with an error
		u := &j.run.Usage
		u.InputTokens += reply.Usage.InputTokens
		u.OutputTokens += reply.Usage.OutputTokens
		u.Calls += reply.Usage.Calls
		u.USD += reply.Usage.USD
		u.Cached = u.Cached || reply.Usage.Cached
	}
	if err != nil {
		return nil, nil, err
	}
	if reply.Declined != nil {
		return nil, reply.Declined, nil
	}
	if reply.Analysis == nil {
		return nil, nil, sparkwright.Errorf(sparkwright.CodeInternal, "the generator %s answered nothing", j.s.now().GeneratorName)
	}
	j.work.Cached = hash
	return reply.Analysis, nil, nil
}

// withinDay refuses to ask a model when the runs of a day have used up their
// tokens.
func (j *job) withinDay(ctx context.Context) error {
	limit := j.s.cfg.Limits.DayTokens
	if limit == 0 || j.s.cfg.GeneratorName == "planner" {
		return nil
	}
	used, err := j.s.cfg.Store.TokensSince(ctx, time.Now().Add(-24*time.Hour))
	if err != nil || used < int64(limit) {
		return err
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeLimited, Message: "the model's tokens of a day are used up",
		Because: fmt.Sprintf("the runs of the last 24 hours have used %d; limits.day_tokens is %d", used, limit),
		Remedy:  "ask later, or raise limits.day_tokens",
	}
}

// cacheHash is the hash of everything that an analysis is written from. Sizes
// and statistics change while the data is used; they are left out.
func cacheHash(req sparkwright.GenerateRequest, version string) string {
	catalog := &sparkwright.Catalog{Tables: slices.Clone(req.Catalog.Tables)}
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		t.RowEstimate, t.Bytes = 0, 0
		t.Columns = slices.Clone(t.Columns)
		for k := range t.Columns {
			t.Columns[k].Stats = nil
		}
	}
	req.Catalog = catalog
	text, err := json.Marshal(struct {
		Version string
		Request sparkwright.GenerateRequest
	}{version, req})
	if err != nil {
		panic(err) // plain data
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// revise keeps the analysis that the run has now.
func (j *job) revise(why string) {
	j.revision = &sparkwright.Revision{RunID: j.run.ID, Code: j.run.Analysis, Generator: j.run.Generator, Why: why}
}

// planned goes on with an analysis that reads these views.
func (j *job) planned(ctx context.Context, used []string) (next, error) {
	if err := j.plan(used); err != nil {
		return next{}, err
	}
	tables, err := j.placeReads()
	if err != nil {
		return next{}, err
	}
	if _, err = j.preflight(ctx, j.run.Placement, tables); err != nil { // fewer tables may lead elsewhere
		return next{}, err
	}
	j.enter(sparkwright.RunChecking)
	return next{step: stepCheck}, nil
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
