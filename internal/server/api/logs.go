package api

import (
	"context"
	"net/http"
	"time"

	"github.com/sparkwright/sparkwright"
)

// LogLine is one piece of output of a run's job.
type LogLine struct {
	Seq    int64     `json:"seq" doc:"Number of its event"`
	At     time.Time `json:"at"`
	Stream string    `json:"stream"`
	Text   string    `json:"text"`
}

// Logs are lines of a run's log, in order.
type Logs struct {
	Lines []LogLine `json:"lines"`
	Next  int64     `json:"next" doc:"after of the next request"`
	More  bool      `json:"more" doc:"There are further lines already"`
}

func (a *API) registerLogs() {
	op := operation("get-logs", http.MethodGet, "/runs/{id}/logs", "Read what a run's job printed", "runs")
	op.Description = "Lines after a number, or the last ones with tail. To follow a log, ask for the events."
	register(a, op, a.logs)
}

func (a *API) logs(ctx context.Context, in *struct {
	RunPath
	After  int64  `query:"after" minimum:"0" doc:"Only lines of later events"`
	Limit  int    `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
	Tail   int    `query:"tail" minimum:"0" maximum:"5000" doc:"Only the last so many lines"`
	Stream string `query:"stream" doc:"Only of this stream" enum:"stdout,stderr"`
},
) (*body[Logs], error) {
	run, err := a.run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := Logs{Lines: []LogLine{}, Next: in.After}
	for {
		events, err := a.cfg.Runs.Events(ctx, run.ID, out.Next, eventPage)
		if err != nil {
			return nil, err
		}
		if len(events) == 0 {
			return reply(out, nil)
		}
		for i := range events {
			e := &events[i]
			if e.Type == sparkwright.EventLog && (in.Stream == "" || in.Stream == e.Stream) {
				if in.Tail == 0 && len(out.Lines) == in.Limit {
					out.More = true
					return reply(out, nil)
				}
				out.Lines = append(out.Lines, LogLine{Seq: e.Seq, At: e.At, Stream: e.Stream, Text: e.Text})
				if in.Tail > 0 && len(out.Lines) > in.Tail {
					out.Lines = out.Lines[1:]
				}
			}
			out.Next = e.Seq
		}
	}
}
