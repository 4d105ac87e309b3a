package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/session"
)

const framework = "spark"

// generate is POST /spark/generate: a question. It holds the connection until
// the run is final; a client that leaves does not end the run.
func (s *server) generate(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	prompt := b.text("prompt")
	given := b.text("session_id")
	// In the order of the reference: problems are reported in it.
	_ = b.defaulted("framework", framework)
	input, output := b.optional("s3_input_path"), b.optional("s3_output_path")
	sel := selected{input: input, glue: b.records("selected_tables", "database", "table"), postgres: b.objects("selected_postgres_tables")}
	platform := wanted(b.defaulted("execution_platform", "lambda"), b.defaulted("execution_engine", "auto"))
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	sess, err := s.cfg.Sessions.Open(r.Context(), s.user(r), given)
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	req, err := s.request(r.Context(), sess, sel)
	if err == nil {
		req.Parent, err = s.cfg.Sessions.Previous(r.Context(), sess)
	}
	id := session.Wire(sess, given, "spark-session-")
	if err != nil {
		s.fail(w, err, map[string]any{"session_id": id})
		return
	}
	req.Question, req.OutputPath, req.Executor = prompt, output, platform
	s.carryOut(w, r, req, id, platform, true)
}

// execute is POST /spark/execute: an analysis, or a script that we rendered.
func (s *server) execute(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	code := b.text("spark_code")
	given := b.text("session_id")
	output := b.optional("s3_output_path")
	platform := wanted(b.defaulted("execution_platform", "lambda"), b.defaulted("execution_engine", "auto"))
	sel := selected{postgres: b.objects("selected_postgres_tables")} // not in the reference
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	sess, err := s.cfg.Sessions.Open(r.Context(), s.user(r), given)
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	id := session.Wire(sess, given, "spark-exec-")
	req, err := s.rerun(r.Context(), sess, code, sel)
	if err != nil {
		s.fail(w, err, map[string]any{"session_id": id})
		return
	}
	req.OutputPath, req.Executor = output, platform
	s.carryOut(w, r, req, id, platform, false)
}

// rerun is the request that code makes. Of a script of ours only its analysis
// is taken, and it runs on the same tables.
func (s *server) rerun(ctx context.Context, sess *sparkwright.Session, code string, sel selected) (sparkwright.Request, error) {
	analysis, ours := jobscript.Extract(code)
	if !ours {
		if err := foreign(code); err != nil {
			return sparkwright.Request{}, err
		}
		req, err := s.request(ctx, sess, sel)
		req.Code = code
		return req, err
	}
	if len(sel.postgres) > 0 {
		req, err := s.request(ctx, sess, sel)
		req.Code = analysis
		return req, err
	}
	return sparkwright.Request{User: sess.User, Session: sess.ID, Code: analysis, Tables: jobscript.Tables(code)}, nil
}

// foreign refuses whole programs: only an analysis is run, with a prologue and
// an epilogue of ours.
func foreign(code string) error {
	for _, sign := range []string{"SparkSession", "get_secret_value", "jdbc:"} {
		if strings.Contains(code, sign) {
			return &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "this is a whole program, not an analysis", Because: "it contains " + sign,
				Remedy: "send the analysis alone (it sees spark and one view per table, and assigns result), or a script that this server rendered",
			}
		}
	}
	return nil
}

// wanted is the platform that the client asks for; "" = no preference. The
// request's defaults are none.
func wanted(platform, engine string) string {
	if engine != "auto" && engine != "" {
		return engine
	}
	if platform == "lambda" || platform == "auto" {
		return ""
	}
	return platform
}

// carryOut submits the request, waits for the end of its run, and answers.
func (s *server) carryOut(w http.ResponseWriter, r *http.Request, req sparkwright.Request, id, platform string, generated bool) {
	req.Engine = "spark" // what the contract is about
	run, err := s.cfg.Runs.Submit(r.Context(), req)
	if err != nil {
		s.fail(w, err, map[string]any{"session_id": id})
		return
	}
	output, err := s.await(r.Context(), run)
	if err == nil {
		run, err = s.cfg.Runs.Run(r.Context(), run.ID)
	}
	if err != nil {
		s.fail(w, err, map[string]any{"session_id": id, "run_id": run.ID})
		return
	}
	link := ""
	if s.cfg.Link != nil && run.Result != nil {
		link = s.cfg.Link(r.Context(), run.Result)
	}
	s.reply(w, run, output, id, platform, link, generated)
}

// outputLines is how much of a job's output is told.
const outputLines = 100

// await returns when the run is final, with the last lines of its output.
func (s *server) await(ctx context.Context, run *sparkwright.Run) (output []string, err error) {
	const page = 500
	after := int64(0)
	for {
		events, err := s.cfg.Runs.Events(ctx, run.ID, after, page)
		if err != nil {
			return nil, err
		}
		for i := range events {
			e := &events[i]
			after = e.Seq
			if e.Type == sparkwright.EventLog {
				output = append(output, strings.Split(strings.TrimRight(e.Text, "\n"), "\n")...)
				output = output[max(0, len(output)-outputLines):]
			}
			if e.Type == sparkwright.EventState && e.State.Final() {
				return output, nil
			}
		}
		if len(events) > 0 {
			continue
		}
		now, err := s.cfg.Runs.Run(ctx, run.ID)
		if err != nil || now.State.Final() {
			return output, err
		}
		if err := s.cfg.Runs.Changed(ctx, run.ID, after); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeCancelled, Message: "the connection ended before the run", Because: "run " + run.ID + " goes on",
				Remedy: "see GET /history/{session_id}", Err: ctx.Err(),
			}
		}
	}
}
