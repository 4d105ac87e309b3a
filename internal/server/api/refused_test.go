package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

func TestRefusedBeforeAnythingRuns(t *testing.T) {
	t.Parallel()
	full := &sparkwright.Error{Code: sparkwright.CodeResource, Message: "there is too little disk space for results", Remedy: "free some space"}
	b := setup(t, func(c *api.Config) {
		c.Limits.QuestionChars, c.Limits.BodyBytes = 10, 4096
		c.Admit = func(context.Context) error { return full }
	})
	post := func(body any, header ...string) reply {
		return b.call(t, http.MethodPost, "/api/v1/runs", body, header...)
	}
	wantProblem(t, post(map[string]any{"question": "q"}), http.StatusInsufficientStorage, sparkwright.CodeResource, "free some space")
	wantProblem(t, post(map[string]any{"question": "elf Zeichen"}), http.StatusRequestEntityTooLarge, sparkwright.CodeLimited, "limits.question_chars")
	wantProblem(t, post(map[string]any{"question": strings.Repeat("x", 5000)}), http.StatusRequestEntityTooLarge, sparkwright.CodeLimited, "4 kB")
	wantProblem(t, post(`{"question": `), http.StatusBadRequest, sparkwright.CodeInvalid, "")
	wantProblem(t, post(map[string]any{"question": 3}), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "body.question")
	wantProblem(t, post(map[string]any{"question": "q", "qestion": "typo"}), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "qestion")
	wantProblem(t, post(map[string]any{"question": "q", "executor": "moon"}), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "body.executor")
	if page, err := b.engine.List(t.Context(), sparkwright.RunFilter{}); err != nil || len(page.Runs) != 0 {
		t.Errorf("runs were made: %v, %v", page.Runs, err)
	}
}

// A body whose length is not told is bounded too.
func TestChunkedBodyIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *api.Config) { c.Limits.BodyBytes = 4096 })
	body := struct{ *strings.Reader }{strings.NewReader(`{"question":"` + strings.Repeat("x", 100_000) + `"}`)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/api/v1/runs", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = -1
	resp, err := b.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("HTTP %d", resp.StatusCode)
	}
}

// full accepts no more runs.
type full struct{ *engine }

func (full) Submit(context.Context, sparkwright.Request) (*sparkwright.Run, error) {
	return nil, &sparkwright.Error{Code: sparkwright.CodeBusy, Message: "too many runs of this session are open", Remedy: "limits.session_runs"}
}

func TestTooManyRuns(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *api.Config) { c.Runs = full{c.Runs.(*engine)} })
	r := b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{"question": "q", "session": "s"})
	wantProblem(t, r, http.StatusTooManyRequests, sparkwright.CodeBusy, "limits.session_runs")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if text := b.call(t, http.MethodGet, "/metrics", nil).text; !strings.Contains(text, `sparkwright_refusals_total{limit="runs"} 1`) {
		t.Error("the refusal is not counted")
	}
}

func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	held, release := make(chan struct{}), make(chan struct{})
	b := setup(t, func(c *api.Config) {
		c.Limits.Requests = 1
		c.Meta = func(context.Context) api.Meta {
			held <- struct{}{}
			<-release
			return api.Meta{Version: "v"}
		}
	})
	done := make(chan reply, 1)
	go func() { done <- b.call(t, http.MethodGet, "/api/v1/meta", nil) }()
	<-held
	r := b.call(t, http.MethodGet, "/api/v1/runs", nil)
	wantProblem(t, r, http.StatusServiceUnavailable, sparkwright.CodeBusy, "busy")
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	close(release)
	if m := want[api.Meta](t, <-done, http.StatusOK); m.Version != "v" || m.Limits.PageRows != 10_000 {
		t.Errorf("meta %+v", m)
	}
	eventually(t, "the place is free again", func() bool { return b.call(t, http.MethodGet, "/api/v1/runs", nil).StatusCode == http.StatusOK })
}

func TestSlowBodyIsCut(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *api.Config) { c.Limits.BodyTime = 100 * time.Millisecond })
	body, _ := pipe(t, `{"question":"q`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/api/v1/runs", body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.server.Client().Do(req)
	if err != nil {
		return // the connection was closed
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode < 400 {
		t.Errorf("HTTP %d", resp.StatusCode)
	}
}
