package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// forged is what would be a line of the log, an event of a run or the end of
// one, where a name or what a job prints is written as it is.
const forged = hostile + "\n" + `{"time":"2026-01-01T00:00:00Z","level":"ERROR","msg":"forged"}` + "\r\n\nid: 99\nevent: state\ndata: " +
	`{"state":"succeeded","forged":true}` + "\n\nrun_id=forged msg=forged\u2028\u0085forged"

// TestNothingIsForged: names and what a job prints make no line of the log, no
// event, no header and no entry of the audit, and steer no terminal.
func TestNothingIsForged(t *testing.T) { //nolint:paralleltest // sets the environment
	s := newTeam(t)
	t.Setenv("SPARKWRIGHT_HOME", s.app.home)
	quoted, err := json.Marshal(forged)
	if err != nil {
		t.Fatal(err)
	}
	q := string(quoted)
	requests := 0
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/v1/connections", `{"name":` + q + `,"host":"h","user":"u"}`},
		{"POST", "/api/v1/connections", `{"name":"n","host":` + q + `,"user":` + q + `,"database":` + q + `}`},
		{"POST", "/api/v1/connections/test", `{"name":"n","host":` + q + `,"user":` + q + `,"password":"x"}`},
		{"POST", "/api/v1/runs", `{"question":` + q + `,"tables":[` + q + `]}`},
		{"POST", "/api/v1/runs", `{"question":"q","tables":["a.b.c"],"session":` + q + `,"idempotency_key":` + q + `}`},
		{"POST", "/api/v1/plan", `{"question":` + q + `,"tables":[` + q + `]}`},
		{"POST", "/spark/generate", `{"prompt":` + q + `,"session_id":` + q + `}`},
		{"POST", "/upload-csv", `{"filename":` + q + `,"content":` + q + `}`},
		{"PUT", "/api/v1/settings", `{"values":{` + q + `:` + q + `}}`},
		{"GET", "/api/v1/runs/%0a%7b%22msg%22:%22forged%22%7d%1b%5b31m", ""},
		{"DELETE", "/api/v1/connections/x%0d%0aforged:%201%c2%9b31m%e2%80%ae", ""},
		{"POST", "/sessions/%0aforged%1b%5d0;x%07/reset", "{}"},
		{"GET", "/nowhere%0aforged", ""},
	} {
		s.as(t, "ann/admin", c.method, c.path, c.body)
		requests++
	}
	id := s.printing(t, forged)
	requests++
	s.sameEvents(t, id)
	s.app.log.WarnContext(t.Context(), "an error of somebody else's", "error", errors.New(forged), "name", forged)

	for _, args := range [][]string{{"runs", "logs", id}, {"runs", "show", id}, {"runs", "list"}, {"audit"}} {
		var out, errs bytes.Buffer
		if code := run(args, strings.NewReader(""), &out, &errs); code != 0 {
			t.Errorf("%v: exit %d: %s", args, code, &errs)
		}
		if text := out.String() + errs.String(); steers(text) || text == "" {
			t.Errorf("%v: %q", args, text)
		}
	}

	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	served := 0
	for line := range strings.Lines(s.log.b.String()) {
		var said struct{ Level, Msg string }
		if err := json.Unmarshal([]byte(line), &said); err != nil || said.Msg == "forged" || steers(line) {
			t.Errorf("%v: %q", err, line)
		}
		if said.Msg == "request" {
			served++
		}
	}
	if served < requests {
		t.Errorf("%d of %d requests are in the log", served, requests)
	}
}

// printing is a run of ann's, whose job has printed this.
func (s *team) printing(t *testing.T, text string) string {
	t.Helper()
	status, reply := s.as(t, "ann/admin", "POST", "/api/v1/runs", `{"question":"what","tables":["a.b.c"]}`)
	var run api.Run
	if err := json.Unmarshal([]byte(reply), &run); err != nil || status != http.StatusAccepted {
		t.Fatalf("HTTP %d: %s", status, reply)
	}
	for _, e := range []sparkwright.Event{
		{Type: sparkwright.EventLog, Stream: "stdout", Text: text},
		{Type: sparkwright.EventLog, Stream: "stderr", Text: text},
		{Type: sparkwright.EventStep, Step: "check", Text: text},
		{Type: sparkwright.EventModel, Text: text},
	} {
		e.RunID = run.ID
		if err := s.app.store.AppendEvent(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
	}
	return run.ID
}

// sameEvents reads the stream of events: each is one that is stored.
func (s *team) sameEvents(t *testing.T, run string) {
	t.Helper()
	stored, err := s.app.store.Events(t.Context(), run, 0, 100)
	if err != nil || len(stored) < 4 {
		t.Fatalf("%d events, %v", len(stored), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/runs/"+run+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Test-User", "ann/admin")
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for i := 0; i < len(stored) && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "", "id", "event":
			if name == "event" && value != string(stored[i].Type) {
				t.Fatalf("event %d is a %s, want %s", i, value, stored[i].Type)
			}
		case "data":
			var e sparkwright.Event
			if err := json.Unmarshal([]byte(value), &e); err != nil || e.Seq != stored[i].Seq || e.Text != stored[i].Text {
				t.Fatalf("event %d is %s, %v", i, value, err)
			}
			i++
		default:
			t.Fatalf("no line of ours: %q", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}
