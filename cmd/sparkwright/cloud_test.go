package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

const secretARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/aurora-1f2e3d4c-AbCdEf"

// A password that is changed while the server runs is read once more, with the
// database's refusal as the reason.
func TestRotatedPassword(t *testing.T) {
	srv, err := pgembed.Start(t.Context(), pgembed.Options{
		Dir: filepath.Join(t.TempDir(), "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
		RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = srv.Stop(t.Context()) }()
	conn := srv.Connection()
	owner, err := secret.Resolve(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := postgres.Config(conn, owner)
	if err != nil {
		t.Fatal(err)
	}
	pg, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pg.Close(t.Context()) }()
	asked, password := 0, "one"
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(map[string]any{"ARN": secretARN, "SecretString": `{"username":"app","password":"` + password + `"}`})
	}))
	defer manager.Close()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": manager.URL, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
	exec := func(sql string) {
		t.Helper()
		if _, err = pg.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec("SET default_transaction_read_only = off")
	exec("CREATE ROLE app LOGIN PASSWORD 'one' IN ROLE pg_read_all_data")
	exec("CREATE TABLE t (id int)")
	conn.Name, conn.User, conn.Secret = "aurora", "", "aws-sm:"+secretARN
	cache := secret.NewCache(time.Hour, nil)
	full, cred, err := cache.Complete(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	db := &database{login: login{conn: full, cred: cred, asked: &conn}, secrets: cache}
	look := func() error {
		db.read = time.Time{} // the catalog is not believed any more
		_, failed := db.Catalog(t.Context())
		return failed
	}
	if err = look(); err != nil || asked != 1 {
		t.Fatalf("%v, the secret was read %d times", err, asked)
	}
	exec("ALTER ROLE app PASSWORD 'two'")
	if err = look(); sparkwright.ErrorCode(err) != sparkwright.CodeUnauthorized || asked != 2 {
		t.Fatalf("the secret still holds the old password: %v, read %d times", err, asked)
	}
	password = "two"
	if err = look(); err != nil || asked != 3 || db.Credentials().Password != "two" {
		t.Fatalf("after the rotation: %v, read %d times", err, asked)
	}
}

func TestAWSConnection(t *testing.T) {
	t.Parallel()
	conn := sparkwright.Connection{
		Name: "aurora", Host: "a.x.eu-west-1.rds.amazonaws.com", Port: 5432, Database: "shop", Secret: "aws-sm:" + secretARN, RootCert: "/etc/ca.pem",
	}
	got, err := awsConnection(conn, "r_1")
	want := jobscript.AWSConnection{
		Name: "aurora", SecretARN: secretARN, Region: "us-east-1", Host: conn.Host, Port: 5432,
		URL: "jdbc:postgresql://a.x.eu-west-1.rds.amazonaws.com:5432/shop?ApplicationName=sparkwright%2Fr_1&connectTimeout=10&tcpKeepAlive=true&sslmode=require",
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	conn.AuthMethod, conn.User, conn.Secret = sparkwright.AuthIAM, "reporter", ""
	if got, err = awsConnection(conn, "r_1"); err != nil || !got.IAM || got.Region != "eu-west-1" || got.User != "reporter" || got.SecretARN != "" {
		t.Errorf("IAM: %+v, %v", got, err)
	}
	conn.AuthMethod, conn.Secret = sparkwright.AuthUserPassword, "env:PASSWORD"
	if _, err = awsConnection(conn, "r_1"); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("a login of this machine: %v", err)
	}
	conn.Secret, conn.Host = "aws-sm:"+secretARN, "127.0.0.1"
	if got, err = awsConnection(conn, "r_1"); err != nil || !strings.Contains(got.URL, "sslmode=disable") {
		t.Errorf("loopback: %s, %v", got.URL, err)
	}
}

// What goes to an agent comes back as the same settings.
func TestAgentConfig(t *testing.T) {
	t.Parallel()
	s := settings.Default()
	s.Spark.S3Bucket, s.Spark.EMRApplicationID, s.Spark.EMRPostgresApplicationID = "data", "00standard", "00postgres"
	s.Postgres.JDBCDriverPath, s.Spark.EMRTimeoutMinutes = "s3://data/jars/x.jar", 25
	for _, postgres := range []bool{true, false} {
		text, err := json.Marshal(agentConfig(s, postgres))
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err = json.Unmarshal(text, &config); err != nil {
			t.Fatal(err)
		}
		over := configured(config)
		got, err := settings.LoadEnv(t.TempDir(), func(name string) string { return over[name] })
		if err != nil {
			t.Fatal(err)
		}
		want := placementSettings(s)
		if postgres { // the reference has the application of PostgreSQL under the other's name
			want.Application = "00postgres"
		} else {
			want.Driver = ""
		}
		if diff := cmp.Diff(want, placementSettings(got)); diff != "" || got.Spark.EMRTimeoutMinutes != 25 {
			t.Errorf("postgres %v: %d minutes\n%s", postgres, got.Spark.EMRTimeoutMinutes, diff)
		}
	}
	if placementSettings(settings.Default()) != (placement.AWS{ThresholdMB: 100}) {
		t.Error("the defaults configure something of AWS")
	}
}
