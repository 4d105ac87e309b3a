package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

func hashOf(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

func TestCreateIsAsynchronous(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	r := b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{
		"question": "how many orders are there", "tables": []string{"shop.sales.orders"}, "session": "s1", "code": "result = spark.range(3)",
	})
	run := want[api.Run](t, r, http.StatusAccepted)
	if r.Header.Get("Location") != "/api/v1/runs/"+run.ID || run.State != sparkwright.RunQueued || run.Final || run.CodeHash != hashOf("result = spark.range(3)") {
		t.Errorf("location %q, run %+v", r.Header.Get("Location"), run)
	}
	got := want[api.Run](t, b.call(t, http.MethodGet, "/api/v1/runs/"+run.ID, nil), http.StatusOK)
	if got.ID != run.ID || got.Session != "s1" || got.Question.Text != "how many orders are there" || got.Question.Tables[0] != "shop.sales.orders" {
		t.Errorf("run %+v", got)
	}
}

func TestCreateWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	done := make(chan reply, 1)
	go func() {
		done <- b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{"question": "q", "session": "waits"}, "Prefer", "respond-async, wait=100")
	}()
	var id string
	eventually(t, "the run is there", func() bool {
		page, err := b.engine.List(t.Context(), sparkwright.RunFilter{Session: "waits"})
		if err != nil || len(page.Runs) == 0 {
			return false
		}
		id = page.Runs[0].ID
		return true
	})
	b.engine.say(t, id, sparkwright.Event{Type: sparkwright.EventStep, Step: "catalog", Text: "started"})
	b.engine.bring(t, id, sparkwright.RunDeclined, func(r *sparkwright.Run) {
		r.Declined = &sparkwright.Declined{Reason: sparkwright.DeclineUnanswerable, Message: "no"}
	})
	r := <-done
	run := want[api.Run](t, r, http.StatusOK)
	if run.ID != id || !run.Final || run.Declined == nil || r.Header.Get("Preference-Applied") != "wait=100" {
		t.Errorf("%+v %v", run, r.Header)
	}
	// A run that does not end in time is answered as it is.
	r = b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{"question": "q"}, "Prefer", "wait=1")
	if run := want[api.Run](t, r, http.StatusAccepted); run.Final {
		t.Errorf("run %+v", run)
	}
	wantProblem(t, b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{"question": "q"}, "Prefer", "wait=soon"), http.StatusBadRequest, sparkwright.CodeInvalid, "wait=30")
}

func TestAClientThatLeavesWhileItWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url+"/api/v1/runs", strings.NewReader(`{"question":"q","session":"left"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Prefer", "wait=100")
	over := make(chan error, 1)
	go func() {
		resp, failed := b.server.Client().Do(req)
		if failed == nil {
			_ = resp.Body.Close()
		}
		over <- failed
	}()
	var id string
	eventually(t, "the run is there", func() bool {
		page, failed := b.engine.List(t.Context(), sparkwright.RunFilter{Session: "left"})
		if failed == nil && len(page.Runs) == 1 {
			id = page.Runs[0].ID
		}
		return id != ""
	})
	leave()
	if err = <-over; err == nil {
		t.Error("a reply to a client that has left")
	}
	if wanted, err := b.engine.CancelRequested(t.Context(), id); err != nil || wanted {
		t.Errorf("the run was cancelled, %v", err)
	}
	b.engine.bring(t, id, sparkwright.RunSucceeded, nil)
	if got := want[api.Run](t, b.call(t, http.MethodGet, "/api/v1/runs/"+id, nil), http.StatusOK); !got.Final {
		t.Errorf("run %+v", got)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	first := b.ask(t, map[string]any{"tables": []string{"orders"}}, "Idempotency-Key", "k1")
	again := b.ask(t, map[string]any{"tables": []string{"orders"}}, "Idempotency-Key", "k1")
	other := b.ask(t, nil, "Idempotency-Key", "k2")
	if first.ID != again.ID || other.ID == first.ID {
		t.Errorf("runs %s, %s, %s", first.ID, again.ID, other.ID)
	}
	r := b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{"question": "another"}, "Idempotency-Key", "k1")
	wantProblem(t, r, http.StatusConflict, sparkwright.CodeConflict, first.ID)
	r = b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{
		"question": "how many orders are there", "connection": "shop", "tables": []string{"orders"}, "code": "result = orders",
	}, "Idempotency-Key", "k1")
	wantProblem(t, r, http.StatusConflict, sparkwright.CodeConflict, first.ID)
}

func TestList(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var ids []string
	for _, q := range []string{"orders per month", "customers in Germany", "revenue per month", "late orders"} {
		ids = append(ids, b.ask(t, map[string]any{"question": q, "session": "s"}).ID)
	}
	b.engine.bring(t, ids[0], sparkwright.RunFailed, func(r *sparkwright.Run) { r.Fault = &sparkwright.Fault{Message: "it broke"} })
	list := func(query string) (out []string, next string) {
		got := want[api.RunList](t, b.call(t, http.MethodGet, "/api/v1/runs?"+query, nil), http.StatusOK)
		for _, r := range got.Runs {
			out = append(out, r.Question.Text)
		}
		return out, got.Next
	}
	for query, text := range map[string]string{
		"":                             "late orders|revenue per month|customers in Germany|orders per month",
		"q=MONTH":                      "revenue per month|orders per month",
		"q=month+revenue":              "revenue per month",
		"state=failed":                 "orders per month",
		"session=other":                "",
		"session=s&q=orders&limit=100": "late orders|orders per month",
	} {
		if got, _ := list(query); strings.Join(got, "|") != text {
			t.Errorf("%s: %v", query, got)
		}
	}
	var all []string
	for cursor := ""; ; {
		page, next := list("limit=3&cursor=" + cursor)
		all = append(all, page...)
		if cursor = next; next == "" {
			break
		}
	}
	if len(all) != 4 || all[3] != "orders per month" {
		t.Errorf("pages %v", all)
	}
	for _, bad := range []string{"limit=0", "limit=1001", "state=happy", "unknown=1"} {
		wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs?"+bad, nil), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "query.")
	}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	path := func(id, what string) string { return "/api/v1/runs/" + id + "/" + what }
	code := "result = spark.range(3)"
	for _, approve := range []bool{true, false} {
		run := b.ask(t, map[string]any{"code": code, "review": true})
		b.engine.bring(t, run.ID, sparkwright.RunAwaitingApproval, nil)
		what, state := "approve", sparkwright.RunRunning
		if !approve {
			what, state = "reject", sparkwright.RunCancelled
		}
		wantProblem(t, b.call(t, http.MethodPost, path(run.ID, what), map[string]any{"code_hash": hashOf("other")}), http.StatusConflict, sparkwright.CodeConflict, "")
		wantProblem(t, b.call(t, http.MethodPost, path(run.ID, what), map[string]any{}), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "code_hash")
		got := want[api.Run](t, b.call(t, http.MethodPost, path(run.ID, what), map[string]any{"code_hash": run.CodeHash}), http.StatusOK)
		if got.State != state {
			t.Errorf("%s: %s", what, got.State)
		}
	}
	run := b.ask(t, nil)
	for range 2 {
		want[api.Run](t, b.call(t, http.MethodPost, path(run.ID, "cancel"), nil), http.StatusAccepted)
	}
	if wanted, err := b.engine.CancelRequested(t.Context(), run.ID); err != nil || !wanted {
		t.Errorf("not cancelled, %v", err)
	}
	if got := want[api.Run](t, b.call(t, http.MethodPut, path(run.ID, "pin"), map[string]any{"pinned": true}), http.StatusOK); !got.Pinned {
		t.Error("not pinned")
	}
	wantProblem(t, b.call(t, http.MethodDelete, "/api/v1/runs/"+run.ID, nil), http.StatusConflict, sparkwright.CodeConflict, "")
	b.engine.bring(t, run.ID, sparkwright.RunCancelled, nil)
	if r := b.call(t, http.MethodDelete, "/api/v1/runs/"+run.ID, nil); r.StatusCode != http.StatusNoContent {
		t.Errorf("HTTP %d: %s", r.StatusCode, r.text)
	}
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+run.ID, nil), http.StatusNotFound, sparkwright.CodeNotFound, "")
}

func TestRerun(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	parent := b.ask(t, map[string]any{"question": "q", "session": "s", "tables": []string{"orders"}, "connection": "shop"})
	if err := b.engine.AddRevision(t.Context(), &sparkwright.Revision{RunID: parent.ID, Code: "result = old", Generator: "planner"}); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/runs/" + parent.ID + "/rerun"
	again := func(body map[string]any) sparkwright.Request {
		run := want[api.Run](t, b.call(t, http.MethodPost, path, body), http.StatusAccepted)
		req, err := b.engine.Request(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if req.Parent != parent.ID || req.Session != "s" || req.Executor != "local" || req.Question != "q" || req.Tables[0] != "orders" {
			t.Errorf("request %+v", req)
		}
		return req
	}
	b.engine.bring(t, parent.ID, sparkwright.RunFailed, func(r *sparkwright.Run) { r.Analysis = "result = old" })
	if req := again(map[string]any{}); req.Code != "result = old" {
		t.Errorf("code %q", req.Code)
	}
	if req := again(map[string]any{"code": "result = new", "review": true}); req.Code != "result = new" || !req.Review {
		t.Errorf("request %+v", req)
	}
	if req := again(map[string]any{"regenerate": true}); req.Code != "" {
		t.Errorf("code %q", req.Code)
	}
	got := want[api.Revisions](t, b.call(t, http.MethodGet, "/api/v1/runs/"+parent.ID+"/revisions", nil), http.StatusOK)
	if len(got.Revisions) != 1 || got.Revisions[0].CodeHash != hashOf("result = old") {
		t.Errorf("revisions %+v", got)
	}
}

func TestUnmatched(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/nothing", nil), http.StatusNotFound, sparkwright.CodeNotFound, "openapi.json")
	r := b.call(t, http.MethodPatch, "/api/v1/runs", nil)
	wantProblem(t, r, http.StatusMethodNotAllowed, sparkwright.CodeInvalid, "")
	if r.Header.Get("Allow") != "GET, POST" {
		t.Errorf("allow %q", r.Header.Get("Allow"))
	}
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/%2e%2e%2fetc", nil), http.StatusNotFound, sparkwright.CodeNotFound, "")
}

// broken fails and panics.
type broken struct{ *engine }

func (broken) List(context.Context, sparkwright.RunFilter) (sparkwright.RunPage, error) {
	return sparkwright.RunPage{}, errors.New("canary-3b1f of the driver")
}

func (broken) Run(context.Context, string) (*sparkwright.Run, error) { panic("canary-3b1f") }

func TestWhatIsNotForPeople(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *api.Config) { c.Runs = broken{c.Runs.(*engine)} })
	for _, path := range []string{"/api/v1/runs", "/api/v1/runs/r_abc"} {
		r := b.call(t, http.MethodGet, path, nil)
		wantProblem(t, r, http.StatusInternalServerError, sparkwright.CodeInternal, "log")
		if strings.Contains(r.text, "canary") {
			t.Errorf("the reply tells %s", r.text)
		}
	}
	if !strings.Contains(b.log.String(), "canary-3b1f of the driver") {
		t.Error("the log does not tell why")
	}
}

// Every code has a status of its own meaning.
func TestStatuses(t *testing.T) {
	t.Parallel()
	for code, status := range map[sparkwright.Code]int{
		sparkwright.CodeInvalid: 400, sparkwright.CodeUnauthorized: 403, sparkwright.CodeNotFound: 404, sparkwright.CodeConflict: 409,
		sparkwright.CodeLimited: 413, sparkwright.CodeBusy: 429, sparkwright.CodeUnavailable: 503, sparkwright.CodeMissing: 503, sparkwright.CodeTimeout: 504,
		sparkwright.CodeResource: 507, sparkwright.CodeDeclined: 422, sparkwright.CodeInternal: 500, sparkwright.CodeJobFailed: 500,
	} {
		b := setup(t, func(c *api.Config) {
			c.Admit = func(context.Context) error {
				return &sparkwright.Error{Code: code, Message: "message-x", Because: "cause-x", Remedy: "remedy-x"}
			}
		})
		r := b.call(t, http.MethodPost, "/api/v1/runs", map[string]any{"question": "q"})
		p := wantProblem(t, r, status, code, "")
		if p.Title != "message-x" || p.Cause != "cause-x" || p.Remedy != "remedy-x" || p.Detail != "message-x: cause-x" || p.Type != "urn:sparkwright:problem:"+string(code) {
			t.Errorf("%s: %s", code, r.text)
		}
		if again := r.Header.Get("Retry-After"); (again != "") != (status == 429 || status == 503) {
			t.Errorf("%s: Retry-After %q", code, again)
		}
	}
}

// A run is found by words of its question, of how it was understood, and by
// its id, in any order and mixed.
func TestSearch(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	id := b.ask(t, map[string]any{"question": "Orders by country"}).ID
	b.ask(t, map[string]any{"question": "Customers by country"})
	b.engine.bring(t, id, sparkwright.RunFailed, func(r *sparkwright.Run) { r.Understood = "count of sales.orders by nation, 100% of them" })
	for query, found := range map[string]int{"country": 2, "ORDERS": 1, "nation+orders": 1, "customers+nation": 0, id: 1, "100%25": 1, "1%25": 0} {
		if got := want[api.RunList](t, b.call(t, http.MethodGet, "/api/v1/runs?q="+query, nil), http.StatusOK); len(got.Runs) != found {
			t.Errorf("%s finds %d", query, len(got.Runs))
		}
	}
}
