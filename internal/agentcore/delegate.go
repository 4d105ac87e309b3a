package agentcore

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Delegate stands before the reference endpoints of a server and hands
// /spark/generate and /spark/execute to the agent. Requests that name no tables
// stay here: their session's selection does.
type Delegate struct {
	Client *Client
	Next   http.Handler
	// Config is what goes along: the settings of Spark, for PostgreSQL tables
	// those of its application.
	Config func(postgres bool) map[string]any
	// History has what is handed over among this server's runs; nil = it is kept
	// by the agent alone.
	History History
	Log     *slog.Logger

	mu    sync.Mutex
	asked time.Time
	ours  bool
}

// History keeps the runs that the agent carries out.
type History interface {
	// Carry records a run, has carry hand it over, records what comes of it, and
	// returns the agent's result object with this server's run_id in it. The run
	// goes on when ctx ends.
	Carry(ctx context.Context, h Handed, carry func(ctx context.Context) (json.RawMessage, error)) (json.RawMessage, error)
}

// Handed is a request that is handed over, as far as a history tells of it.
type Handed struct {
	Session    string
	Question   string
	Code       string // a script or an analysis
	Tables     []string
	OutputPath string
}

// believed is how long an answer of the handshake is believed.
const believed = 5 * time.Minute

// Ours reports whether the agent is one of this version, which may carry out
// runs. A prototype of the reference system is none: it may write code.
func (d *Delegate) Ours(ctx context.Context) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if time.Since(d.asked) < believed {
		return d.ours, nil
	}
	info, ok, err := d.Client.Handshake(ctx)
	if err != nil {
		return false, err
	}
	if !ok {
		d.Log.WarnContext(ctx, "the agent of spark.supervisor_arn is a prototype; it only writes code")
	} else {
		d.Log.InfoContext(ctx, "runs are handed to the agent", "agent_version", info.Version)
	}
	d.asked, d.ours = time.Now(), ok
	return ok, nil
}

// maxRequest is what is read of a request, in bytes.
const maxRequest = 4 << 20

// ServeHTTP implements http.Handler.
func (d *Delegate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	execute := r.URL.Path == "/spark/execute"
	if r.Method != http.MethodPost || !execute && r.URL.Path != "/spark/generate" {
		d.Next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest+1))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
	var in map[string]any
	if err != nil || json.Unmarshal(body, &in) != nil || !selfContained(in, execute) {
		d.Next.ServeHTTP(w, r) // it says what is wrong, or has the session's tables
		return
	}
	ours, err := d.Ours(r.Context())
	if err == nil && !ours {
		d.Next.ServeHTTP(w, r)
		return
	}
	var result json.RawMessage
	sessionID, _ := in["session_id"].(string)
	platform := "emr"
	if err == nil {
		postgres, _ := in["selected_postgres_tables"].([]any)
		if len(postgres) == 0 {
			platform, _ = in["execution_platform"].(string)
		}
		payload := d.payload(in, execute, len(postgres) > 0)
		run := func(ctx context.Context) (json.RawMessage, error) { return d.Client.Run(ctx, sessionID, payload) }
		if d.History == nil {
			result, err = run(r.Context())
		} else {
			result, err = d.History.Carry(r.Context(), handed(in, sessionID), run)
		}
	}
	if err != nil {
		reply(w, http.StatusOK, map[string]any{"success": false, "error": told(err)})
		return
	}
	out := map[string]any{"success": true, "result": result, "framework": "spark", "session_id": session(sessionID)}
	if !execute {
		out["execution_platform"] = platform
	}
	reply(w, http.StatusOK, out)
}

// selfContained reports whether a request needs nothing that only this server
// has.
func selfContained(in map[string]any, execute bool) bool {
	if execute {
		code, _ := in["spark_code"].(string)
		return code != ""
	}
	prompt, _ := in["prompt"].(string)
	postgres, _ := in["selected_postgres_tables"].([]any)
	glue, _ := in["selected_tables"].([]any)
	for _, t := range postgres { // a saved connection is known here only
		dict, _ := t.(map[string]any)
		if dict["jdbc_url"] == nil || dict["secret_arn"] == nil {
			return false
		}
	}
	return prompt != "" && len(postgres)+len(glue) > 0
}

// handed is what a history tells of a request.
func handed(in map[string]any, sessionID string) Handed {
	h := Handed{Session: sessionID}
	h.Question, _ = in["prompt"].(string)
	h.Code, _ = in["spark_code"].(string)
	h.OutputPath, _ = in["s3_output_path"].(string)
	for _, t := range list(in, "selected_postgres_tables") {
		h.Tables = append(h.Tables, named(t, "", "connection_name", "schema", "table"))
	}
	for _, t := range list(in, "selected_tables") {
		h.Tables = append(h.Tables, named(t, "glue.", "database", "table"))
	}
	return h
}

// named is the name of a table of which a request has a dict.
func named(dict any, prefix string, keys ...string) string {
	table, _ := dict.(map[string]any)
	parts := make([]string, 0, len(keys))
	for _, key := range keys {
		part, _ := table[key].(string)
		parts = append(parts, part)
	}
	return prefix + strings.Join(parts, ".")
}

func list(in map[string]any, key string) []any {
	l, _ := in[key].([]any)
	return l
}

// payload is what the reference sends to its agent.
func (d *Delegate) payload(in map[string]any, execute, postgres bool) map[string]any {
	out := map[string]any{
		"session_id": in["session_id"], "s3_output_path": in["s3_output_path"], "execution_platform": in["execution_platform"],
		"skip_generation": execute, "config": d.Config(postgres), "selected_postgres_tables": in["selected_postgres_tables"],
	}
	if execute {
		out["spark_code"] = in["spark_code"]
		return out
	}
	out["prompt"], out["s3_input_path"] = in["prompt"], in["s3_input_path"]
	if glue, ok := in["selected_tables"].([]any); ok {
		names := []string{}
		for _, t := range glue {
			dict, _ := t.(map[string]any)
			database, _ := dict["database"].(string)
			table, _ := dict["table"].(string)
			names = append(names, database+"."+table)
		}
		out["selected_tables"] = names
	}
	return out
}

// told is an error on one line, with what to do.
func told(err error) string {
	if e, ok := err.(*sparkwright.Error); ok && e.Remedy != "" { //nolint:errorlint // the client's errors are such
		return e.Error() + "; " + e.Remedy
	}
	return err.Error()
}
