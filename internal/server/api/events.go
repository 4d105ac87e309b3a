package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sparkwright/sparkwright"
)

const (
	eventPage = 500              // events that are read at once
	sendTime  = 30 * time.Second // that a reader may take for what is sent at once
)

func (a *API) registerEvents() {
	op := operation("follow-run", http.MethodGet, "/runs/{id}/events", "Follow the events of a run", "runs")
	op.Description = "Server-sent events from the first on, or from the one after Last-Event-ID. The same events have the same bytes each time. " +
		"A comment is sent when nothing happens. The stream ends after the last event of a run that has ended; asking again behind it gives 204."
	op.Responses = map[string]*huma.Response{
		"200": {Description: "id: the event's number; event: its type; data: the event", Content: map[string]*huma.MediaType{"text/event-stream": {Schema: schemaOf[sparkwright.Event](a)}}},
		"204": {Description: "The run has ended and there are no events after that number"},
	}
	register(a, op, a.follow)
}

func (a *API) follow(ctx context.Context, in *struct {
	RunPath
	LastEventID string `header:"Last-Event-ID" doc:"Number of the last event that was seen"`
	After       int64  `query:"after" minimum:"0" doc:"The same, for clients that cannot set the header"`
},
) (*huma.StreamResponse, error) {
	after := in.After
	if in.LastEventID != "" {
		n, err := strconv.ParseInt(in.LastEventID, 10, 64)
		if err != nil || n < 0 {
			return nil, &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "Last-Event-ID is not the number of an event", Remedy: "send back the id of an event"}
		}
		after = n
	}
	run, err := a.run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	first, err := a.cfg.Runs.Events(ctx, run.ID, after, eventPage)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(h huma.Context) {
		r, w := humago.Unwrap(h)
		if len(first) == 0 && run.State.Final() {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		leave, full := a.readers.enter(r)
		if full != "" {
			status := http.StatusTooManyRequests
			if full == "readers" {
				status = http.StatusServiceUnavailable
			}
			a.writeProblem(w, r, a.limited(full, status, "too many connections follow events already", "close one, or ask for the run itself now and then", 5*time.Second))
			return
		}
		defer leave()
		a.cfg.Counter.Readers(1)
		defer a.cfg.Counter.Readers(-1)
		stays(ctx)
		head := w.Header()
		head.Set("Content-Type", "text/event-stream")
		head.Set("X-Accel-Buffering", "no") // proxies must not gather
		w.WriteHeader(http.StatusOK)
		s := &stream{api: a, w: w, rc: http.NewResponseController(w), run: run.ID, after: after}
		defer func() { _ = s.rc.SetWriteDeadline(time.Time{}) }() // the connection may serve others
		if err := s.carry(ctx, first); err != nil && ctx.Err() == nil {
			a.cfg.Log.WarnContext(ctx, "stream of events ended early", "code", sparkwright.ErrorCode(err))
		}
	}}, nil
}

// stream is one reader of one run's events.
type stream struct {
	api   *API
	w     http.ResponseWriter
	rc    *http.ResponseController
	run   string
	after int64
}

// carry sends events until the run has ended and all are sent, or the reader
// has left.
func (s *stream) carry(ctx context.Context, events []sparkwright.Event) error {
	if err := s.send(frames(events)); err != nil {
		return err
	}
	for {
		if n := len(events); n > 0 {
			s.after = events[n-1].Seq
		}
		if len(events) == 0 {
			news, err := s.wait(ctx)
			if err != nil || ctx.Err() != nil {
				return err
			}
			if !news {
				if err = s.send([]byte(": still here\n\n")); err != nil {
					return err
				}
				continue
			}
		}
		var err error
		if events, err = s.api.cfg.Runs.Events(ctx, s.run, s.after, eventPage); err != nil {
			return err
		}
		if len(events) > 0 {
			if err = s.send(frames(events)); err != nil {
				return err
			}
			continue
		}
		run, err := s.api.cfg.Runs.Run(ctx, s.run)
		if err != nil {
			return err
		}
		if run.State.Final() {
			// An event may have come before the final state was read.
			if events, err = s.api.cfg.Runs.Events(ctx, s.run, s.after, eventPage); err != nil || len(events) == 0 {
				return err
			}
			if err = s.send(frames(events)); err != nil {
				return err
			}
		}
	}
}

// wait returns when there may be news, or after a heartbeat's time without.
func (s *stream) wait(ctx context.Context) (news bool, err error) {
	beat, cancel := context.WithTimeout(ctx, s.api.cfg.Heartbeat)
	defer cancel()
	if err = s.api.cfg.Runs.Changed(beat, s.run, s.after); err != nil && beat.Err() == nil {
		return false, err
	}
	return beat.Err() == nil, nil
}

// send writes and flushes; a reader that takes too long is cut off.
func (s *stream) send(text []byte) error {
	_ = s.rc.SetWriteDeadline(time.Now().Add(sendTime)) // not every writer has one
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.rc.Flush()
}

// frames writes events as they are sent, always the same bytes for the same
// event.
func frames(events []sparkwright.Event) []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for i := range events {
		e := &events[i]
		out.WriteString("id: " + strconv.FormatInt(e.Seq, 10) + "\nevent: " + string(e.Type) + "\ndata: ")
		_ = enc.Encode(e) // plain fields: it cannot fail, and it ends in a newline
		out.WriteByte('\n')
	}
	return out.Bytes()
}
