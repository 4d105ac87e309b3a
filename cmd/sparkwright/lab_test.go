package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// testLab is an AWS with Spark beside a PostgreSQL.
type testLab struct {
	*lab.Lab

	dir string // of its logs, and of what its jobs write
}

// sparkLab starts one. Its secret has the login of the orders' reader.
func sparkLab(t *testing.T, conn sparkwright.Connection, timing emr.Timing) *testLab {
	t.Helper()
	testkit.Runtime(t)
	owner, err := secret.Resolve(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	login, err := postgres.Config(conn, owner)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	l, err := lab.Start(t.Context(), lab.Options{
		Install: localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t)}, Dir: dir, Owner: &login.Config, Timing: timing,
		Database: awsemu.Database{Name: "aurora", Host: conn.Host, Port: conn.Port, Database: conn.Database, User: "reader", Password: readerPassword},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.WithoutCancel(t.Context())) })
	return &testLab{l, dir}
}

// serve starts sparkwright serve in the lab, with these settings, and these
// variables besides.
func (l *testLab) serve(t *testing.T, conf map[string]any, env ...string) *testServer {
	t.Helper()
	home := newHome(t)
	writeSettings(t, home, conf)
	return serveIn(t, home, append(l.Env(), env...)...)
}

// spoken is the result of a reply of the reference's contract.
type spoken struct {
	Code    string           `json:"spark_code"`
	Outcome string           `json:"execution_result"`
	Message string           `json:"execution_message"`
	Output  string           `json:"s3_output_path"`
	RunID   string           `json:"run_id"`
	Rows    []map[string]any `json:"actual_results"`
	Reason  string           `json:"-"` // for the place
}

// askSaved asks about a table of the saved connection aurora, on EMR.
func (s *testServer) askSaved(t *testing.T, conn sparkwright.Connection, table, question string) spoken {
	t.Helper()
	return s.post(t, "/spark/generate", map[string]any{
		"prompt": question, "session_id": t.Name(), "framework": "spark", "execution_platform": "emr",
		"selected_postgres_tables": []any{map[string]any{"connection_name": "aurora", "database": conn.Database, "schema": "public", "table": table}},
	})
}

// post calls an endpoint of the reference's contract and returns the result.
func (s *testServer) post(t *testing.T, path string, body map[string]any) spoken {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.said())
	}
	defer func() { _ = res.Body.Close() }()
	var answer struct {
		Result spoken
		Reason string `json:"placement_reason"`
		Error  any
	}
	if err = json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if answer.Error != nil {
		t.Logf("error: %v", answer.Error)
	}
	answer.Result.Reason = answer.Reason
	return answer.Result
}

func writeSettings(t *testing.T, home string, conf map[string]any) {
	t.Helper()
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	if err = os.WriteFile(filepath.Join(home, settings.FileName), text, 0o600); err != nil {
		t.Fatal(err)
	}
}
