package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// What breaks a job in AWS is found before a model is paid: each break of
// `make demo-aws` that a look from outside can find gives its own first
// finding, and no call of the model. A model that is asked in the account that
// is well shows that it would have been.
func TestPreflight(t *testing.T) {
	t.Parallel()
	rt := testkit.Runtime(t)
	conn, pg := ordersDatabase(t)
	if _, err := pg.Exec(t.Context(), "CREATE ROLE writer LOGIN PASSWORD 'canary-pw-51c2'; GRANT SELECT, INSERT ON orders TO writer"); err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(t.Context(), lab.Options{
		Install: localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t)}, Dir: t.TempDir(), Runner: emr.ResultRunner{},
		Database: awsemu.Database{
			Name: "aurora", Host: conn.Host, Port: conn.Port, Database: conn.Database, User: "reader", Password: readerPassword,
			Owner: "writer", OwnerPassword: readerPassword,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(context.WithoutCancel(t.Context())) })
	model := modeltest.New(t, openaitest.Dialect{}, modeltest.Status(http.StatusUnauthorized, nil, "no"))
	conf := l.World.Settings()
	conf["model"] = map[string]any{"provider": "openai", "name": "m", "base_url": model.URL + "/v1"}
	conf["postgres"].(map[string]any)["secret_cache_seconds"] = 0
	home := newHome(t)
	writeSettings(t, home, conf)
	s := serveIn(t, home, append(l.Env(), "SPARKWRIGHT_MODEL_API_KEY=", "OPENAI_API_KEY=k")...)
	mend := func(name string) {
		if name == "writer" {
			name = "password"
		}
		if err := l.World.Mend(t.Context(), name, rt.Driver, readerPassword); err != nil {
			t.Fatal(err)
		}
		if name == "password" {
			if err := l.World.Rotate(t.Context(), "reader", readerPassword); err != nil {
				t.Fatal(err)
			}
		}
	}
	mend("driver") // the lab has a stand-in where Spark does not run
	for _, tt := range []struct{ name, says, check string }{
		{"driver", "has 22 bytes", "storage.driver"},
		{"logs", "no VPC endpoint for CloudWatch Logs", "network.endpoint.logs"},
		{"secret-policy", "no inline policy EMRSecretsManagerPolicy", "iam.secrets"},
		{"secrets-endpoint", "no VPC endpoint for Secrets Manager", "network.endpoint.secretsmanager"},
		{"password", "password", ""}, // found by the catalog, or by postgres.login while the catalog is young
		{"writer", "can write a table", "postgres.write"},
		{"", "refused the key", ""},
	} {
		if tt.name != "" {
			if err := l.Break(t.Context(), tt.name); err != nil {
				t.Fatal(err)
			}
		}
		before := len(model.Requests())
		said := s.generate(t, l.World.SecretARN, conn.Host, conn.Port, conn.Database)
		calls := len(model.Requests()) - before
		switch {
		case tt.name == "" && calls == 0:
			t.Errorf("the account is well, and the model is not asked: %s", said)
		case tt.name != "" && (calls != 0 || !strings.Contains(said, tt.says) || !strings.Contains(said, tt.check)):
			t.Errorf("%s: %d calls of the model; no %q and %q in %s", tt.name, calls, tt.says, tt.check, said)
		}
		t.Logf("%-17s %s", tt.name, said)
		if tt.name != "" {
			mend(tt.name)
		}
	}
	if strings.Contains(s.said(), "canary-pw") {
		t.Error("a password is in the log")
	}
}

// generate asks as a client of the reference's contract, and returns the whole
// reply.
func (s *testServer) generate(t *testing.T, arn, host string, port int, database string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"prompt": "What is the mood of the orders?", "session_id": t.Name(), "framework": "spark", "execution_platform": "emr",
		"selected_postgres_tables": []any{map[string]any{
			"connection_name": "aurora", "database": database, "schema": "public", "table": "orders", "secret_arn": arn, "auth_method": "secrets_manager",
			"jdbc_url": "jdbc:postgresql://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/" + database,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/spark/generate", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
