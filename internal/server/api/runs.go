package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

// NewRun asks a question, or has an analysis run as it is.
type NewRun struct {
	Question     string   `json:"question,omitempty" doc:"In plain English; may be empty when code is given" example:"top 5 countries by revenue in 2025"`
	Instructions string   `json:"instructions,omitempty" doc:"How terms are to be read"`
	Connection   string   `json:"connection,omitempty" doc:"All its tables, when tables is empty"`
	Tables       []string `json:"tables,omitempty" doc:"connection.schema.table, schema.table or table" maxItems:"1000"`
	Code         string   `json:"code,omitempty" doc:"An analysis to run as it is: it sees spark and one view per table, and assigns result"`
	Session      string   `json:"session,omitempty" maxLength:"200"`
	Parent       string   `json:"parent,omitempty" doc:"The run that this one follows up" maxLength:"40"`
	Review       bool     `json:"review,omitempty" doc:"Wait for approval before anything runs"`
	CodeOnly     bool     `json:"code_only,omitempty" doc:"Stop after the check"`
	Executor     string   `json:"executor,omitempty" enum:"local,batch,emr,lambda" doc:"Where it should run, when possible"`
	Engine       string   `json:"engine,omitempty" enum:"auto,spark"`
	OutputPath   string   `json:"output_path,omitempty" maxLength:"1024"`
}

func (n *NewRun) request(key string) sparkwright.Request {
	return sparkwright.Request{
		Question: n.Question, Instructions: n.Instructions, Connection: n.Connection, Tables: n.Tables, Code: n.Code,
		Session: n.Session, Parent: n.Parent, Review: n.Review, CodeOnly: n.CodeOnly, Executor: n.Executor, Engine: n.Engine,
		OutputPath: n.OutputPath, IdempotencyKey: key,
	}
}

// WaitHeaders are the headers of a request that makes a run.
type WaitHeaders struct {
	Prefer string `header:"Prefer" doc:"wait=N waits at most N seconds for the run's end; respond-async, the default, does not wait"`
	Key    string `header:"Idempotency-Key" doc:"The same key gives the same run, however often it is sent" maxLength:"255"`
}

// accepted is the reply to a request that has made a run.
type accepted struct {
	Status   int
	Location string `header:"Location"`
	Applied  string `header:"Preference-Applied"`
	Body     Run
}

// RunPath names a run.
type RunPath struct {
	ID string `path:"id" doc:"The run's id" maxLength:"40"`
}

// RunList is one page of runs, newest first.
type RunList struct {
	Runs []Summary `json:"runs"`
	Next string    `json:"next,omitempty" doc:"Cursor of the next page"`
}

func (a *API) registerRuns() {
	op := operation("create-run", http.MethodPost, "/runs", "Ask a question", "runs")
	op.DefaultStatus = http.StatusAccepted
	op.Description = "Accepted runs are carried out whatever happens to the connection. 202 while the run goes on, 200 when it has ended within Prefer: wait=N."
	op.Responses = map[string]*huma.Response{"200": {
		Description: "The run has ended in the time waited for",
		Content:     map[string]*huma.MediaType{"application/json": {Schema: schemaOf[Run](a)}},
	}}
	register(a, op, func(ctx context.Context, in *struct {
		WaitHeaders
		Body NewRun
	},
	) (*accepted, error) {
		return a.create(ctx, in.Body.request(in.Key), in.WaitHeaders)
	})
	register(a, operation("list-runs", http.MethodGet, "/runs", "List runs, newest first", "runs"), a.list)
	register(a, operation("get-run", http.MethodGet, "/runs/{id}", "Read a run", "runs"), func(ctx context.Context, in *RunPath) (*body[Run], error) {
		run, err := a.run(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return reply(wireRun(run), nil)
	})
	del := operation("delete-run", http.MethodDelete, "/runs/{id}", "Delete a run that has ended, with everything it wrote", "runs")
	register(a, del, a.remove)
	register(a, operation("list-revisions", http.MethodGet, "/runs/{id}/revisions", "Every analysis that a run has had", "runs"), a.revisions)
}

// run finds a run by its whole id.
func (a *API) run(ctx context.Context, id string) (*sparkwright.Run, error) {
	if !runID(id) {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no run of that id")
	}
	return a.cfg.Runs.Run(ctx, id)
}

// create makes a run and waits as long as the client prefers.
func (a *API) create(ctx context.Context, req sparkwright.Request, w WaitHeaders) (*accepted, error) {
	wait, err := a.preferred(w.Prefer)
	if err != nil {
		return nil, err
	}
	if n := utf8.RuneCountInString(req.Question); n > a.cfg.Limits.QuestionChars {
		a.cfg.Counter.Refused("question")
		p := tooLarge("the question", 0)
		p.Cause = fmt.Sprintf("it has %d characters; at most %d are allowed", n, a.cfg.Limits.QuestionChars)
		p.Remedy = "shorten it, or raise limits.question_chars in the settings"
		return nil, p
	}
	if a.cfg.Admit != nil {
		if err = a.cfg.Admit(ctx); err != nil {
			return nil, err
		}
	}
	run, err := a.place(ctx, req)
	if err != nil {
		return nil, err
	}
	telemetry.Annotate(ctx, slog.String("run_id", run.ID))
	out := &accepted{Status: http.StatusAccepted, Location: Prefix + "/runs/" + run.ID}
	if wait > 0 {
		out.Applied = "wait=" + strconv.Itoa(int(wait.Seconds()))
		if run, err = a.await(ctx, run, wait); err != nil {
			return nil, err
		}
	}
	if run.State.Final() {
		out.Status = http.StatusOK
	}
	out.Body = wireRun(run)
	return out, nil
}

// place submits a run.
func (a *API) place(ctx context.Context, req sparkwright.Request) (*sparkwright.Run, error) {
	run, err := a.cfg.Runs.Submit(ctx, req)
	if sparkwright.ErrorCode(err) == sparkwright.CodeBusy {
		a.cfg.Counter.Refused("runs")
	}
	if err != nil {
		return nil, err
	}
	return run, nil
}

// preferred reads Prefer (RFC 7240); preferences that are not known are
// ignored, as it demands.
func (a *API) preferred(header string) (time.Duration, error) {
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
		if err != nil || n < 0 {
			return 0, &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "Prefer: wait is not a number of seconds", Remedy: "send Prefer: wait=30"}
		}
		return min(time.Duration(min(n, 1<<20))*time.Second, a.cfg.Limits.Wait), nil
	}
	return 0, nil
}

// await returns the run as it is when it has ended or the time has passed. The
// run goes on when the client leaves.
func (a *API) await(ctx context.Context, run *sparkwright.Run, wait time.Duration) (*sparkwright.Run, error) {
	stays(ctx)
	waitCtx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for after := int64(0); waitCtx.Err() == nil && !run.State.Final(); {
		if err := a.cfg.Runs.Changed(waitCtx, run.ID, after); err != nil && waitCtx.Err() == nil {
			return nil, err
		}
		for waitCtx.Err() == nil {
			events, err := a.cfg.Runs.Events(waitCtx, run.ID, after, eventPage)
			if err != nil && waitCtx.Err() == nil {
				return nil, err
			}
			if len(events) == 0 {
				break
			}
			after = events[len(events)-1].Seq
		}
		if waitCtx.Err() == nil {
			now, err := a.cfg.Runs.Run(waitCtx, run.ID)
			if err != nil && waitCtx.Err() == nil {
				return nil, err
			}
			if err == nil {
				run = now
			}
		}
	}
	if run.State.Final() {
		return run, nil
	}
	if ctx.Err() != nil {
		return nil, &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "the client has left; the run goes on", Err: ctx.Err()}
	}
	return a.cfg.Runs.Run(ctx, run.ID)
}

func (a *API) list(ctx context.Context, in *struct {
	State   string `query:"state" enum:"queued,generating,checking,awaiting_approval,running,succeeded,failed,declined,cancelled"`
	Session string `query:"session" maxLength:"200"`
	Text    string `query:"q" doc:"Words of the question, of how it was understood, or of the id" maxLength:"200"`
	Pinned  bool   `query:"pinned" doc:"Only those that are kept"`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"50"`
	Cursor  string `query:"cursor" doc:"next of the page before" maxLength:"200"`
},
) (*body[RunList], error) {
	page, err := a.cfg.Runs.List(ctx, sparkwright.RunFilter{
		State: sparkwright.RunState(in.State), Session: in.Session, Text: in.Text, Pinned: in.Pinned, Limit: in.Limit, Cursor: in.Cursor,
	})
	if err != nil {
		return nil, err
	}
	out := RunList{Runs: make([]Summary, 0, len(page.Runs)), Next: page.Next}
	for i := range page.Runs {
		out.Runs = append(out.Runs, summary(&page.Runs[i]))
	}
	return reply(out, nil)
}

func (a *API) remove(ctx context.Context, in *RunPath) (*struct{}, error) {
	run, err := a.run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if err = a.cfg.Runs.Delete(ctx, run.ID); err != nil {
		return nil, err
	}
	for i := range run.Attempts {
		if err = a.cfg.Results.Forget(run.Attempts[i].ID); err != nil {
			a.cfg.Log.WarnContext(ctx, "views of a deleted run are left", "error", err)
		}
	}
	return &struct{}{}, nil
}

// Revisions are all analyses of a run.
type Revisions struct {
	Revisions []Revision `json:"revisions"`
}

func (a *API) revisions(ctx context.Context, in *RunPath) (*body[Revisions], error) {
	run, err := a.run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := a.cfg.Runs.Revisions(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	out := Revisions{Revisions: []Revision{}}
	for i := range list {
		r := &list[i]
		out.Revisions = append(out.Revisions, Revision{
			Number: r.Number, Code: r.Code, CodeHash: hash(r.Code), Generator: r.Generator, Why: r.Why, Fault: r.Fault, CreatedAt: r.CreatedAt,
		})
	}
	return reply(out, nil)
}
