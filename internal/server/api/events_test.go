package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// pipe is a body that begins with text and then hangs.
func pipe(t *testing.T, text string) (io.Reader, io.WriteCloser) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	go func() { _, _ = io.WriteString(w, text) }()
	return r, w
}

// follower reads a stream of events.
type follower struct {
	resp  *http.Response
	lines *bufio.Reader
	leave context.CancelFunc
}

func (b *bundle) follow(t *testing.T, id string, header ...string) *follower {
	t.Helper()
	ctx, leave := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/v1/runs/"+id+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.server.Client().Do(req) //nolint:bodyclose // leave closes it
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{resp: resp, lines: bufio.NewReader(resp.Body), leave: func() { leave(); _ = resp.Body.Close() }}
	t.Cleanup(f.leave)
	return f
}

// until reads frames until one holds text, and returns all of them.
func (f *follower) until(t *testing.T, text string) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := f.lines.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			t.Fatalf("%v after %q", err, all.String())
		}
		if strings.Contains(line, text) {
			rest, err := f.lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			return all.String() + rest
		}
	}
}

func (f *follower) all(t *testing.T) string {
	t.Helper()
	text, err := io.ReadAll(f.lines)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// story tells events that may break a naive stream.
func (b *bundle) story(t *testing.T, id string) {
	t.Helper()
	b.engine.say(t, id, sparkwright.Event{Type: sparkwright.EventStep, Step: "catalog", Text: "started"})
	b.engine.say(t, id, sparkwright.Event{Type: sparkwright.EventLog, Stream: "stdout", Text: "two\nlines\r\nand <b>&\u2028 data: id: 7"})
	b.engine.say(t, id, sparkwright.Event{Type: sparkwright.EventProgress, Progress: &sparkwright.Progress{Tasks: 4, TasksDone: 1, Seconds: 0.1}})
}

func TestEventsAreReplayedByteByByte(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	id := b.ask(t, nil).ID
	live := b.follow(t, id)
	for name, value := range map[string]string{"Content-Type": "text/event-stream", "Cache-Control": "no-store"} {
		if got := live.resp.Header.Get(name); got != value {
			t.Errorf("%s %q", name, got)
		}
	}
	b.story(t, id)
	seen := live.until(t, `"type":"progress"`)
	b.engine.bring(t, id, sparkwright.RunFailed, nil)
	seen += live.all(t) // it ends by itself
	replay := b.follow(t, id).all(t)
	if seen != replay {
		t.Errorf("live\n%s\nreplay\n%s", seen, replay)
	}
	if n := strings.Count(replay, "\n\n"); n != 4 || !strings.HasSuffix(replay, "\n\n") {
		t.Errorf("%d frames: %q", n, replay)
	}
	frames := strings.SplitAfter(replay, "\n\n")
	for i := range 4 {
		if lines := strings.Split(frames[i], "\n"); len(lines) != 5 || lines[0] != fmt.Sprintf("id: %d", i+1) {
			t.Errorf("frame %q", frames[i])
		}
		// Asked for from any place on, the bytes are the same.
		for _, rest := range []string{
			b.follow(t, id, "Last-Event-ID", fmt.Sprint(i)).all(t),
			b.call(t, http.MethodGet, fmt.Sprintf("/api/v1/runs/%s/events?after=%d", id, i), nil).text,
		} {
			if rest != strings.Join(frames[i:], "") {
				t.Errorf("after %d: %q", i, rest)
			}
		}
	}
	for _, after := range []string{"4", "99"} {
		if r := b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/events", nil, "Last-Event-ID", after); r.StatusCode != http.StatusNoContent {
			t.Errorf("behind the end: HTTP %d", r.StatusCode)
		}
	}
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/events", nil, "Last-Event-ID", "x"), http.StatusBadRequest, sparkwright.CodeInvalid, "Last-Event-ID")
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/r_nothing/events", nil), http.StatusNotFound, sparkwright.CodeNotFound, "")
}

func TestManyEventsArriveInOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	id := b.ask(t, nil).ID
	const n = 1700 // several pages
	for i := range n {
		ev := sparkwright.Event{RunID: id, Type: sparkwright.EventLog, Text: fmt.Sprint(i)}
		if err := b.engine.AppendEvent(t.Context(), &ev); err != nil {
			t.Fatal(err)
		}
	}
	b.engine.bring(t, id, sparkwright.RunSucceeded, nil)
	at := 0
	for frame := range strings.SplitSeq(strings.TrimSuffix(b.follow(t, id).all(t), "\n\n"), "\n\n") {
		if at++; !strings.HasPrefix(frame, fmt.Sprintf("id: %d\n", at)) {
			t.Fatalf("frame %d is %q", at, frame)
		}
	}
	if at != n+1 {
		t.Errorf("%d frames", at)
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *api.Config) { c.Heartbeat = 10 * time.Millisecond })
	f := b.follow(t, b.ask(t, nil).ID)
	for range 3 {
		if got := f.until(t, ": still here"); !strings.HasSuffix(got, ": still here\n\n") {
			t.Errorf("%q", got)
		}
	}
}

func TestReadersAreLimited(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *api.Config) { c.Limits.ReadersPerClient = 2 })
	id := b.ask(t, nil).ID
	first := b.follow(t, id)
	b.follow(t, id)
	r := b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/events", nil)
	wantProblem(t, r, http.StatusTooManyRequests, sparkwright.CodeBusy, "follow")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if text := b.call(t, http.MethodGet, "/metrics", nil).text; !strings.Contains(text, "sparkwright_sse_readers 2") {
		t.Error("the readers are not counted")
	}
	first.leave()
	eventually(t, "a place is free", func() bool {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/api/v1/runs/"+id+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.server.Client().Do(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close() //nolint:errcheck // read only
		return resp.StatusCode == http.StatusOK
	})
	// In all: whoever asks.
	all := setup(t, func(c *api.Config) { c.Limits.Readers = 1 })
	id = all.ask(t, nil).ID
	all.follow(t, id)
	wantProblem(t, all.call(t, http.MethodGet, "/api/v1/runs/"+id+"/events", nil), http.StatusServiceUnavailable, sparkwright.CodeBusy, "follow")
}

// Readers who leave at any phase change nothing of the run and leave nothing
// behind in the server.
func TestReadersThatLeave(t *testing.T) { //nolint:paralleltest // counts goroutines
	b := setup(t, nil)
	idle := func() { b.server.Client().CloseIdleConnections() }
	id := b.ask(t, nil).ID
	idle()
	eventually(t, "no connection is open", func() bool { return goroutinesOf("net/http.(*conn).serve") == 0 })
	phases := []struct {
		name string
		do   func(f *follower)
	}{
		{"before an event", func(*follower) {}},
		{"after the first event", func(f *follower) {
			b.engine.say(t, id, sparkwright.Event{Type: sparkwright.EventStep, Step: "catalog", Text: "started"})
			f.until(t, "started")
		}},
		{"in the middle of much output", func(f *follower) {
			for range 50 {
				b.engine.say(t, id, sparkwright.Event{Type: sparkwright.EventLog, Text: strings.Repeat("x", 10_000)})
			}
			f.until(t, "xxx")
		}},
		{"while events are told", func(*follower) {
			go b.engine.say(t, id, sparkwright.Event{Type: sparkwright.EventLog, Text: "now"})
		}},
		{"at the end", func(f *follower) {
			b.engine.bring(t, id, sparkwright.RunSucceeded, nil)
			f.until(t, "succeeded")
		}},
	}
	for _, phase := range phases {
		for range 5 {
			f := b.follow(t, id, "Last-Event-ID", "0")
			if phase.name != "at the end" || f.resp.StatusCode == http.StatusOK {
				run, err := b.engine.Run(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if !run.State.Final() {
					phase.do(f)
				}
			}
			f.leave()
		}
		idle()
		eventually(t, phase.name+": the server's goroutines are as before", func() bool { return goroutinesOf("net/http.(*conn).serve") == 0 })
		if wanted, err := b.engine.CancelRequested(t.Context(), id); err != nil || wanted {
			t.Errorf("%s: the run was cancelled, %v", phase.name, err)
		}
	}
	if got := want[api.Run](t, b.call(t, http.MethodGet, "/api/v1/runs/"+id, nil), http.StatusOK); got.State != sparkwright.RunSucceeded {
		t.Errorf("run %+v", got)
	}
}

// goroutinesOf counts goroutines that serve a connection.
func goroutinesOf(function string) int {
	buf := make([]byte, 1<<20)
	buf = buf[:runtime.Stack(buf, true)]
	return strings.Count(string(buf), function+"(")
}

// A run that is deleted under its readers ends their streams.
func TestDeletedUnderItsReaders(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *api.Config) { c.Heartbeat = 20 * time.Millisecond })
	id := b.ask(t, nil).ID
	f := b.follow(t, id)
	b.engine.bring(t, id, sparkwright.RunFailed, nil)
	if err := b.engine.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	_ = f.all(t)
}

func TestLogs(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	id := b.ask(t, nil).ID
	for i := range 1200 {
		ev := sparkwright.Event{RunID: id, Type: sparkwright.EventLog, Stream: []string{"stdout", "stderr"}[i%2], Text: fmt.Sprint(i)}
		if i%10 == 9 {
			ev = sparkwright.Event{RunID: id, Type: sparkwright.EventStep, Step: "s"}
		}
		if err := b.engine.AppendEvent(t.Context(), &ev); err != nil {
			t.Fatal(err)
		}
	}
	logs := func(query string) api.Logs {
		return want[api.Logs](t, b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/logs?"+query, nil), http.StatusOK)
	}
	var texts []string
	for after, more := int64(0), true; more; {
		page := logs(fmt.Sprintf("limit=500&after=%d", after))
		for _, l := range page.Lines {
			texts = append(texts, l.Text)
		}
		after, more = page.Next, page.More
	}
	if len(texts) != 1080 || texts[0] != "0" || texts[9] != "10" || texts[1079] != "1198" {
		t.Errorf("%d lines", len(texts))
	}
	tail := logs("tail=2&stream=stderr")
	if len(tail.Lines) != 2 || tail.Lines[0].Text != "1195" || tail.Lines[1].Text != "1197" || tail.Next != 1200 {
		t.Errorf("%+v", tail)
	}
	if none := logs("after=1200"); len(none.Lines) != 0 || none.More || none.Next != 1200 {
		t.Errorf("%+v", none)
	}
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/logs?stream=stdin", nil), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "stream")
}
