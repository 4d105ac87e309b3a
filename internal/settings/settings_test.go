package settings_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/settings"
)

func noEnv(string) string { return "" }

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func writeFile(t *testing.T, text string) (home string) {
	t.Helper()
	home = t.TempDir()
	if err := os.WriteFile(filepath.Join(home, settings.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

func readDoc(t *testing.T, home string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(home, settings.FileName))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err = json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestHome(t *testing.T) {
	user := t.TempDir()
	tests := []struct{ name, own, xdg, want string }{
		{"own", "/srv/sw", "/xdg", "/srv/sw"},
		{"xdg", "", "/xdg", "/xdg/sparkwright"},
		{"relative xdg is ignored", "", "xdg", filepath.Join(user, ".local/share/sparkwright")},
		{"user", "", "", filepath.Join(user, ".local/share/sparkwright")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("HOME", user)
			t.Setenv("SPARKWRIGHT_HOME", tt.own)
			t.Setenv("XDG_DATA_HOME", tt.xdg)
			got, err := settings.Home()
			if err != nil || got != tt.want {
				t.Errorf("Home() = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		for _, name := range []string{"HOME", "SPARKWRIGHT_HOME", "XDG_DATA_HOME"} {
			t.Setenv(name, "")
		}
		if got, err := settings.Home(); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("Home() = %q, %v", got, err)
		}
	})
}

func TestLoadLayers(t *testing.T) {
	t.Parallel()
	home := writeFile(t, `{"spark": {"pool_size": 5, "master": "local[1]", "emr_application_id": null}, "model": {"name": "a"}}`)
	got, err := settings.LoadEnv(home, env(map[string]string{
		"SPARKWRIGHT_SPARK_MASTER": "spark://h:7077", "OPENAI_MODEL": "b", "OPENAI_API_KEY": "sk-canary",
		"SPARKWRIGHT_MAVEN_URL": "http://mirror/m2", "SPARKWRIGHT_SPARK_CLIENT_MEMORY_MB": "512",
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := settings.Default()
	want.Spark.PoolSize, want.Spark.Master, want.Spark.ClientMemoryMB = 5, "spark://h:7077", 512
	want.Model.Name, want.Model.APIKey = "b", "env:OPENAI_API_KEY"
	want.Runtime.MavenURL = "http://mirror/m2"
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(settings.Settings{})); diff != "" {
		t.Error(diff)
	}
	if dir := got.ResultsDir(); dir != filepath.Join(home, "results") {
		t.Errorf("ResultsDir() = %q", dir)
	}
	if strings.Contains(fmt.Sprintf("%#v", got), "canary") {
		t.Error("the settings hold the key itself")
	}
}

func TestKeyOfAnotherServerIsNotReplaced(t *testing.T) {
	t.Parallel()
	home := writeFile(t, `{"model": {"base_url": "http://own:1/v1", "api_key": "env:OWN"}}`)
	for _, tt := range []struct{ baseURL, want string }{{"", "env:OWN"}, {"http://other/v1", "env:OPENAI_API_KEY"}} {
		s, err := settings.LoadEnv(home, env(map[string]string{"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": tt.baseURL}))
		if err != nil || s.Model.APIKey != tt.want {
			t.Errorf("with OPENAI_BASE_URL %q: %v, %v; want %s", tt.baseURL, s.Model.APIKey, err, tt.want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	conn := func(fields string) string {
		return `{"postgres": {"connections": [{"name": "ok", "host": "h"}, {"name": "x", ` + fields + `}]}}`
	}
	tests := []struct{ name, text, want string }{
		{"empty file", "", "line 1, column 1 (byte 0)"},
		{"cut", "{\n  \"spark\": {\n", "line 3"},
		{"syntax", "{\n  \"spark\": {,}\n}", "line 2, column 13 (byte 15)"},
		{"trailing", `{} {}`, "line 1"},
		{"list", `[1]`, "one JSON object"},
		{"group", `{"spark": 3}`, "spark must be an object, not a number"},
		{"type", `{"spark": {"pool_size": "2"}}`, "spark.pool_size must be a whole number, not text"},
		{"fraction", `{"spark": {"pool_size": 2.5}}`, "spark.pool_size must be a whole number, not a fraction"},
		{"bool", `{"postgres": {"use_dedicated_emr": 1}}`, "postgres.use_dedicated_emr must be true or false, not a number"},
		{"range", `{"spark": {"attempt_timeout_seconds": 0}}`, "spark.attempt_timeout_seconds must be a whole number from 1 to"},
		{"memory", `{"spark": {"driver_memory": "lots"}}`, "spark.driver_memory must be a size"},
		{"master", `{"spark": {"master": "local[*]; rm"}}`, "spark.master must be"},
		{"remote", `{"spark": {"remote": "http://h"}}`, "spark.remote must be sc://"},
		{"remote token", `{"spark": {"remote": "sc://h:1/;token=canary"}}`, "spark.remote must not hold a token"},
		{"URL with password", `{"model": {"base_url": "http://u:canary@h"}}`, "model.base_url must not contain a user name"},
		{"key itself", `{"model": {"api_key": "sk-canary"}}`, "model.api_key must be a reference"},
		{"relative dir", `{"results": {"dir": "x"}}`, "results.dir must be an absolute path"},
		{"bucket", `{"spark": {"s3_bucket": "s3://x"}}`, "spark.s3_bucket must be the name of an S3 bucket"},
		{"application", `{"spark": {"emr_postgres_application_id": "00G"}}`, "spark.emr_postgres_application_id must be the id"},
		{"supervisor", `{"spark": {"supervisor_arn": "arn:aws:lambda:x"}}`, "spark.supervisor_arn must be the ARN of an AgentCore runtime"},
		{"role", `{"spark": {"execution_role_arn": "EMR"}}`, "spark.execution_role_arn must be the ARN of an IAM role"},
		{"driver", `{"postgres": {"jdbc_driver_path": "/jars/x.jar --conf a"}}`, "postgres.jdbc_driver_path must be s3://BUCKET/KEY.jar"},
		{"region", `{"spark": {"region": "Frankfurt"}}`, "spark.region must be an AWS region"},
		{"executor memory", `{"spark": {"executor_memory": ""}}`, "spark.executor_memory must be a size"},
		{"connections", `{"postgres": {"connections": {}}}`, "postgres.connections must be a list, not an object"},
		{"connection", `{"postgres": {"connections": [1]}}`, "postgres.connections[0] must be an object"},
		{"no name", `{"postgres": {"connections": [{}]}}`, "postgres.connections[0].name must not be empty"},
		{"auth", conn(`"auth_method": "magic"`), "postgres.connections[1].auth_method must be secrets_manager, iam or"},
		{"port", conn(`"port": 70000`), "postgres.connections[1].port must be"},
		{"port text", conn(`"port": "5432"`), "postgres.connections[1].port must be a whole number, not text"},
		{"host", conn(`"host": "a/b?c"`), "postgres.connections[1].host must be one host"},
		{"two hosts", conn(`"host": "a,b"`), "postgres.connections[1].host must be one host"},
		{"tls", conn(`"tls": "prefer"`), "postgres.connections[1].tls must be"},
		{"secret", conn(`"secret": "canary"`), "postgres.connections[1].secret must be a reference"},
		{"password", conn(`"password": "canary"`), "postgres.connections[1].password must not be there"},
		{"two secrets", conn(`"secret": "env:A", "secret_arn": "arn:b"`), "postgres.connections[1].secret must be empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := writeFile(t, tt.text)
			_, err := settings.LoadEnv(home, noEnv)
			if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
				t.Fatalf("LoadEnv: %v, want CodeInvalid", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("LoadEnv: %v\nwant %q in it", err, tt.want)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows the secret: %v", err)
			}
			err = settings.Update(home, func(*settings.Settings) error { return nil })
			if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
				t.Errorf("Update: %v, want CodeInvalid", err)
			}
			if text, _ := os.ReadFile(filepath.Join(home, settings.FileName)); string(text) != tt.text {
				t.Errorf("the file was changed to %q", text)
			}
		})
	}
}

func TestEnvironmentRefused(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"SPARKWRIGHT_SPARK_POOL_SIZE": "many", "SPARKWRIGHT_SPARK_MASTER": "mesos://x", "EMR_EXECUTION_ROLE_ARN": "role", "OPENAI_BASE_URL": "ftp://x",
	} {
		_, err := settings.LoadEnv(t.TempDir(), env(map[string]string{name: value}))
		if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestUpdateKeepsWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	home := writeFile(t, "\ufeff"+`{
		"snowflake": {"account": "x1"}, "spark": {"future": [1.50, "é<"], "pool_size": 3},
		"postgres": {"connections": [{"name": "aurora", "secret_arn": "arn:x", "port": 5433, "note": {"a": 1}}, {"name": "aurora"}]}}`)
	err := settings.Update(home, func(s *settings.Settings) error {
		s.Spark.Master = "local[2]"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"snowflake": map[string]any{"account": "x1"},
		"spark":     map[string]any{"future": []any{1.5, "é<"}, "pool_size": 3.0, "master": "local[2]"},
		"postgres": map[string]any{"connections": []any{
			map[string]any{
				"name": "aurora", "secret_arn": "arn:x", "port": 5433.0, "note": map[string]any{"a": 1.0},
				"enabled": true, "auth_method": "secrets_manager", "database": "postgres", "description": "",
			},
			map[string]any{
				"name": "aurora", "secret_arn": "", "port": 5432.0,
				"enabled": true, "auth_method": "secrets_manager", "database": "postgres", "description": "",
			},
		}},
	}
	if diff := cmp.Diff(want, readDoc(t, home)); diff != "" {
		t.Error(diff)
	}
	s, err := settings.LoadEnv(home, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	wantWarnings := []string{
		"the setting postgres.connections[0].note is unknown; it is kept and not used",
		`postgres.connections[1].name is "aurora" again; only the first connection of that name is used`,
		"the setting snowflake is unknown; it is kept and not used",
		"the setting spark.future is unknown; it is kept and not used",
	}
	if diff := cmp.Diff(wantWarnings, s.Warnings); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(filepath.Join(home, settings.FileName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(home, "*.tmp*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUpdateRefusedChangesNothing(t *testing.T) {
	t.Parallel()
	home := writeFile(t, `{}`)
	err := settings.Update(home, func(s *settings.Settings) error {
		s.Spark.PoolSize = -1
		return nil
	})
	if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), "spark.pool_size") {
		t.Errorf("Update: %v", err)
	}
	if diff := cmp.Diff(map[string]any{}, readDoc(t, home)); diff != "" {
		t.Error(diff)
	}
}

func TestConcurrentUpdates(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	const writers, each = 4, 5
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				err := settings.Update(home, func(s *settings.Settings) error {
					s.Spark.FileSizeThresholdMB++
					return s.PutConnection(sparkwright.Connection{Name: fmt.Sprintf("c%d_%d", w, i), Host: "h"})
				})
				if err != nil {
					t.Error(err)
				}
				if _, err = settings.LoadEnv(home, noEnv); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s, err := settings.LoadEnv(home, noEnv)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(s.Connections()); got != writers*each {
		t.Errorf("%d connections, want %d: an update was lost", got, writers*each)
	}
	if got := s.Spark.FileSizeThresholdMB; got != 100+writers*each {
		t.Errorf("counter %d, want %d", got, 100+writers*each)
	}
}

func TestRestoreDefaults(t *testing.T) {
	t.Parallel()
	home := writeFile(t, `{"spark": {"pool_size": 7, "future": 1}, "postgres": {"connections": [{"name": "a"}]}}`)
	err := settings.Update(home, func(s *settings.Settings) error {
		s.RestoreDefaults()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := settings.LoadEnv(home, noEnv)
	if err != nil || s.Spark.PoolSize != 2 || len(s.Connections()) != 1 || len(s.Warnings) != 1 {
		t.Errorf("after restoring: %+v, %v", s, err)
	}
}
