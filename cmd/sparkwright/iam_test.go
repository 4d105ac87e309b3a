package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// A question over a connection with IAM: the server reads the catalog with a
// token of its own, the job on EMR Serverless reads with one that it makes. Then
// RDS takes tokens no longer, and the run says so.
func TestQuestionByIAM(t *testing.T) {
	t.Parallel()
	conn, pg := ordersDatabase(t)
	if _, err := pg.Exec(t.Context(), "CREATE ROLE rds_iam; CREATE ROLE reporter LOGIN IN ROLE rds_iam; GRANT SELECT ON orders TO reporter"); err != nil {
		t.Fatal(err)
	}
	l := sparkLab(t, conn, emr.Timing{Step: 20 * time.Millisecond})
	conf := l.World.Settings()
	conf["postgres"].(map[string]any)["connections"] = []any{map[string]any{
		"name": "aurora", "host": l.RDS.Host(), "port": l.RDS.Port(), "database": conn.Database, "auth_method": "iam", "user": "reporter", "tls": "require", "enabled": true,
	}}
	s := l.serve(t, conf)

	result := s.askSaved(t, conn, "orders", "How many orders are there?")
	if result.Outcome != "success" || !strings.Contains(result.Code, "generate_db_auth_token") || strings.Contains(result.Code, "get_secret_value") {
		t.Fatalf("%s, %s\n%s", result.Outcome, result.Message, result.Code)
	}
	if rows, err := json.Marshal(result.Rows); err != nil || !strings.Contains(string(rows), "1000") {
		t.Errorf("rows %s, %v", rows, err)
	}
	var run api.Run // its totals are PostgreSQL's own, on the snapshot that the server has held and the job has adopted
	s.get(t, "/api/v1/runs/"+result.RunID, &run)
	if c := run.Crosscheck; c == nil || c.State != sparkwright.CrosscheckVerified || !strings.Contains(c.Expected, "1000") {
		t.Errorf("cross-check %+v", c)
	}
	server, job := 0, 0
	for _, login := range l.RDS.Logins() {
		switch {
		case login.User != "reporter" || login.Refused != "":
			t.Errorf("%+v", login)
		case login.AccessKey == awsemu.KeyID:
			server++
		default:
			job++
		}
	}
	if server == 0 || job == 0 {
		t.Errorf("%d logins of the server, %d of the job", server, job)
	}

	l.EMR.OnJobCall(func(string) { l.RDS.Advance(16 * time.Minute) }) // the server has read the catalog by then
	defer l.EMR.OnJobCall(nil)
	result = s.askSaved(t, conn, "orders", "How many orders are there?")
	if result.Outcome != "failed" || !strings.Contains(result.Message, "PAM authentication failed") || !strings.Contains(result.Message, "RDS token") {
		t.Errorf("%s, %q", result.Outcome, result.Message)
	}
	if strings.Contains(s.said(), "X-Amz-Signature") {
		t.Error("a token is in the log")
	}
}
