// Package agentcore is Sparkwright behind Amazon Bedrock AgentCore, on both
// sides: the handler that a runtime container serves (sparkwright agent), and
// the client by which a server hands its runs to such a runtime
// (spark.supervisor_arn).
//
// The payloads are those of the reference system, generate and execute, and so
// is the result object, a JSON text inside JSON. A handshake comes first: an
// agent that does not answer it is a prototype of the reference system. Such an
// agent is used for writing code only, and what it says of the outcome is never
// believed.
package agentcore

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Protocol is the version of what is spoken beside the reference's payloads.
const Protocol = 1

// handshakeKey marks the handshake in a payload, and its answer.
const handshakeKey = "sparkwright_handshake"

// Info is what an agent says of itself.
type Info struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"`
}

// AgentConfig says what an agent does.
type AgentConfig struct {
	Version string
	// Open returns the reference endpoints /spark/generate and /spark/execute
	// of a service with the payload's configuration.
	Open func(ctx context.Context, config map[string]any) (http.Handler, error)
	// Beat is how often a stream says that the run goes on. 0 = 10 s.
	Beat time.Duration
	Log  *slog.Logger
}

// Agent serves POST /invocations and GET /ping, as AgentCore calls a container.
type Agent struct {
	cfg  AgentConfig
	mux  *http.ServeMux
	busy atomic.Int64
}

// maxPayload is what AgentCore takes, in bytes.
const maxPayload = 100 << 20

// NewAgent returns an Agent.
func NewAgent(cfg AgentConfig) *Agent {
	if cfg.Beat == 0 {
		cfg.Beat = 10 * time.Second
	}
	a := &Agent{cfg: cfg, mux: http.NewServeMux()}
	a.mux.HandleFunc("GET /ping", a.ping)
	a.mux.HandleFunc("POST /invocations", a.invocations)
	return a
}

// ServeHTTP implements http.Handler.
func (a *Agent) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

// ping says whether a session may be ended: not while a run goes on.
func (a *Agent) ping(w http.ResponseWriter, _ *http.Request) {
	status := "Healthy"
	if a.busy.Load() > 0 {
		status = "HealthyBusy"
	}
	reply(w, http.StatusOK, map[string]any{"status": status, "time_of_last_update": time.Now().Unix()})
}

func (a *Agent) invocations(w http.ResponseWriter, r *http.Request) {
	var payload map[string]any
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxPayload))
	if err := dec.Decode(&payload); err != nil || payload == nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "the payload is not a JSON object"})
		return
	}
	if _, ok := payload[handshakeKey]; ok {
		reply(w, http.StatusOK, map[string]any{handshakeKey: Info{Protocol: Protocol, Version: a.cfg.Version}})
		return
	}
	a.busy.Add(1)
	defer a.busy.Add(-1)
	if !strings.Contains(r.Header.Get("Accept"), "text/event-stream") {
		reply(w, http.StatusOK, a.run(r.Context(), payload))
		return
	}
	a.stream(w, r, payload)
}

// resultEvent is the name of the event that has the result.
const resultEvent = "result"

// stream keeps the connection alive while a run goes on, and ends with its
// result.
func (a *Agent) stream(w http.ResponseWriter, r *http.Request, payload map[string]any) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	flusher := http.NewResponseController(w)
	done := make(chan string, 1)
	ctx := r.Context()
	go func() { done <- a.run(ctx, payload) }()
	tick := time.NewTicker(a.cfg.Beat)
	defer tick.Stop()
	for {
		select {
		case text := <-done:
			line, _ := json.Marshal(text)
			_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", resultEvent, line)
			_ = flusher.Flush()
			return
		case <-tick.C:
			_, _ = fmt.Fprint(w, ": running\n\n")
			_ = flusher.Flush()
		case <-r.Context().Done():
			<-done
			return
		}
	}
}

// run carries out a payload and returns the result object as text. Everything
// that goes wrong is a result that says so.
func (a *Agent) run(ctx context.Context, payload map[string]any) string {
	config, _ := payload["config"].(map[string]any)
	handler, err := a.cfg.Open(ctx, config)
	if err != nil {
		return failed(payload, err)
	}
	path := "/spark/generate"
	if skip, _ := payload["skip_generation"].(bool); skip {
		path = "/spark/execute"
	}
	body, err := json.Marshal(request(payload))
	if err != nil {
		return failed(payload, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, path, bytes.NewReader(body))
	if err != nil {
		return failed(payload, err)
	}
	req.Host, req.RemoteAddr = "127.0.0.1", "127.0.0.1:0"
	req.Header.Set("Content-Type", "application/json")
	out := &recorder{header: http.Header{}, code: http.StatusOK}
	handler.ServeHTTP(out, req)
	var answer struct {
		Success bool            `json:"success"`
		Result  json.RawMessage `json:"result"`
		Error   string          `json:"error"`
		Detail  json.RawMessage `json:"detail"`
	}
	if err := json.Unmarshal(out.body.Bytes(), &answer); err != nil {
		return failed(payload, sparkwright.Errorf(sparkwright.CodeInternal, "the service answered with status %d", out.code))
	}
	switch {
	case answer.Success && len(answer.Result) > 0:
		return string(answer.Result)
	case answer.Error != "":
		return failed(payload, sparkwright.Errorf(sparkwright.CodeJobFailed, "%s", answer.Error))
	default:
		return failed(payload, sparkwright.Errorf(sparkwright.CodeInvalid, "the payload is refused: %s", answer.Detail))
	}
}

// request is a payload as the reference endpoints take it.
func request(payload map[string]any) map[string]any {
	out := map[string]any{"session_id": "agent"}
	for _, key := range []string{
		"prompt", "session_id", "s3_input_path", "s3_output_path", "selected_postgres_tables", "execution_platform", "spark_code",
	} {
		if v := payload[key]; v != nil {
			out[key] = v
		}
	}
	// The reference sends Glue tables as texts.
	if list, ok := payload["selected_tables"].([]any); ok {
		tables := []any{}
		for _, item := range list {
			if name, ok := item.(string); ok {
				database, table, _ := strings.Cut(name, ".")
				item = map[string]any{"database": database, "table": table}
			}
			tables = append(tables, item)
		}
		out["selected_tables"] = tables
	}
	return out
}

// failed is the result object of a run that never began.
func failed(payload map[string]any, err error) string {
	output, _ := payload["s3_output_path"].(string)
	text, _ := json.Marshal(map[string]any{
		"spark_code": nil, "execution_result": "failed", "execution_message": err.Error(), "execution_output": []string{},
		"actual_results": []any{}, "s3_output_path": output,
	})
	return string(text)
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// recorder keeps an answer of the service in memory.
type recorder struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(code int) { r.code = code }

// Write implements http.ResponseWriter.
func (r *recorder) Write(text []byte) (int, error) { return r.body.Write(text) }
