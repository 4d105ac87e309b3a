package telemetry

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Check is one thing that the server needs to carry out runs.
type Check struct {
	Name string
	Do   func(ctx context.Context) error // nil = usable
}

// checkTime bounds each check.
const checkTime = 5 * time.Second

// Healthz tells that the process answers.
func Healthz() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"status": "ok"})
	})
}

// checked is how one check went.
type checked struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Why    string `json:"why,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// Readyz does all checks at once and tells of each: 200 when all are well,
// else 503.
func Readyz(log *slog.Logger, checks ...Check) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, found := r.Context(), make([]checked, len(checks))
		var wg sync.WaitGroup
		for i, c := range checks {
			wg.Go(func() { found[i] = do(ctx, log, c) })
		}
		wg.Wait()
		status, word := http.StatusOK, "ready"
		for _, f := range found {
			if !f.OK {
				status, word = http.StatusServiceUnavailable, "not ready"
			}
		}
		writeJSON(w, status, map[string]any{"status": word, "checks": found})
	})
}

func do(ctx context.Context, log *slog.Logger, c Check) checked {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- c.Do(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done(): // also when the check does not listen
		err = sparkwright.Errorf(sparkwright.CodeTimeout, "no answer in %s", checkTime)
	}
	if err == nil {
		return checked{Name: c.Name, OK: true}
	}
	log.WarnContext(ctx, "not ready", "check", c.Name, "error", err)
	out := checked{Name: c.Name, Why: "it cannot be used; see the server's log"}
	if e, ok := err.(*sparkwright.Error); ok { //nolint:errorlint // only what is meant for people
		out.Why, out.Remedy = e.Error(), e.Remedy
	}
	return out
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}
