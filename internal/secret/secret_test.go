package secret_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/secret"
)

// hidden stands for a password; no error may hold it.
const hidden = "hunter2"

func write(t *testing.T, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// check compares values and errors.
func check(t *testing.T, got secret.Value, err error, want secret.Value, code sparkwright.Code, says string) {
	t.Helper()
	if code == "" {
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		return
	}
	e, ok := err.(*sparkwright.Error) //nolint:errorlint // the very type is the promise
	if !ok || e.Code != code || !strings.Contains(e.Error()+"\n"+e.Remedy, says) || e.Remedy == "" {
		t.Fatalf("%+v, want code %q and %q", err, code, says)
	}
	if strings.Contains(e.Error()+e.Remedy, hidden) {
		t.Errorf("the password is in %v", e)
	}
}

func TestLookup(t *testing.T) {
	t.Setenv("SECRET_BARE", hidden)
	t.Setenv("SECRET_JSON", `{"username": "u", "password": "`+hidden+`"}`)
	t.Setenv("SECRET_EMPTY", "")
	bare := secret.Value{Credentials: sparkwright.Credentials{Password: hidden}}
	rds := `{"engine":"postgres","host":"db.example.com","username":"u","password":"` + hidden + `","dbname":"shop","port":5433,"dbInstanceIdentifier":"x"}`
	whole := secret.Value{Credentials: sparkwright.Credentials{User: "u", Password: hidden}, Host: "db.example.com", Port: 5433, Database: "shop"}
	for _, tt := range []struct {
		name, reference string
		want            secret.Value
		code            sparkwright.Code
		says            string
	}{
		{name: "none", reference: ""},
		{name: "variable", reference: "env:SECRET_BARE", want: bare},
		{name: "variable with JSON", reference: "env:SECRET_JSON", want: secret.Value{Credentials: sparkwright.Credentials{User: "u", Password: hidden}}},
		{name: "file", reference: "file:" + write(t, hidden, 0o600), want: bare},
		{name: "file with line end", reference: "file:" + write(t, hidden+"\r\n", 0o400), want: bare},
		{name: "password with spaces", reference: "file:" + write(t, " a b ", 0o600), want: secret.Value{Credentials: sparkwright.Credentials{Password: " a b "}}},
		{name: "RDS", reference: "file:" + write(t, rds, 0o600), want: whole},
		{name: "other keys", reference: "file:" + write(t, strings.NewReplacer("dbname", "database", "5433", `"5433"`).Replace(rds), 0o600), want: whole},
		{name: "not a reference", reference: hidden, code: sparkwright.CodeInvalid, says: "never the password itself"},
		{name: "unknown kind", reference: "vault:" + hidden, code: sparkwright.CodeInvalid, says: "env:NAME"},
		{name: "no name", reference: "env:", code: sparkwright.CodeInvalid, says: "env:NAME"},
		{name: "variable not set", reference: "env:SECRET_NOT_SET", code: sparkwright.CodeNotFound, says: "SECRET_NOT_SET is not set"},
		{name: "variable empty", reference: "env:SECRET_EMPTY", code: sparkwright.CodeNotFound, says: "SECRET_EMPTY is not set"},
		{name: "no file", reference: "file:/nowhere/password", code: sparkwright.CodeNotFound, says: "does not exist"},
		{name: "directory", reference: "file:/", code: sparkwright.CodeInvalid, says: "not a regular file"},
		{name: "group may read", reference: "file:" + write(t, hidden, 0o640), code: sparkwright.CodeUnauthorized, says: "mode 0640"},
		{name: "all may read", reference: "file:" + write(t, hidden, 0o604), code: sparkwright.CodeUnauthorized, says: "chmod 600"},
		{name: "empty file", reference: "file:" + write(t, "\n", 0o600), code: sparkwright.CodeInvalid, says: "it is empty"},
		{name: "two lines", reference: "file:" + write(t, hidden+"\nx\n", 0o600), code: sparkwright.CodeInvalid, says: "more than one line"},
		{name: "bad JSON", reference: "file:" + write(t, `{"password": "`+hidden, 0o600), code: sparkwright.CodeInvalid, says: "like JSON but is not"},
		{name: "no password", reference: "file:" + write(t, `{"username": "u"}`, 0o600), code: sparkwright.CodeInvalid, says: "no password"},
		{name: "bad port", reference: "file:" + write(t, `{"password": "`+hidden+`", "port": 70000}`, 0o600), code: sparkwright.CodeInvalid, says: "port"},
		{name: "number", reference: "file:" + write(t, `{"password": 5}`, 0o600), code: sparkwright.CodeInvalid, says: "not a text"},
		{name: "no ARN", reference: "aws-sm:my-secret", code: sparkwright.CodeInvalid, says: "full ARN"},
		{name: "another ARN", reference: "aws-sm:arn:aws:s3:::bucket", code: sparkwright.CodeInvalid, says: "full ARN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := secret.Lookup(t.Context(), tt.reference)
			check(t, got, err, tt.want, tt.code, tt.says)
		})
	}
}

func TestResolveAndComplete(t *testing.T) {
	t.Parallel()
	path := write(t, `{"username":"u","password":"p","host":"h","port":1,"dbname":"d"}`, 0o600)
	cred, err := secret.Resolve(t.Context(), sparkwright.Connection{User: "mine", Secret: "file:" + path})
	if err != nil || cred.User != "u" || cred.Password != "p" {
		t.Errorf("%v, %v", cred, err)
	}
	cred, err = secret.Resolve(t.Context(), sparkwright.Connection{User: "mine"})
	if err != nil || cred.User != "mine" || cred.Password != "" {
		t.Errorf("%v, %v", cred, err)
	}
	conn, _, err := secret.Complete(t.Context(), sparkwright.Connection{Secret: "file:" + path, Port: 5432})
	if err != nil || conn.Host != "h" || conn.Port != 1 || conn.Database != "d" || conn.User != "u" {
		t.Errorf("%+v, %v", conn, err)
	}
	conn, _, err = secret.Complete(t.Context(), sparkwright.Connection{Secret: "file:" + path, Host: "own", Port: 5432, Database: "mine"})
	if err != nil || conn.Host != "own" || conn.Port != 5432 || conn.Database != "mine" {
		t.Errorf("%+v, %v", conn, err)
	}
}

func TestSecretsManager(t *testing.T) {
	const id = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"
	var answer func(w http.ResponseWriter)
	var asked, signed string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			SecretID string `json:"SecretId"`
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		asked, signed = r.Header.Get("X-Amz-Target")+" "+body.SecretID, r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		answer(w)
	}))
	defer srv.Close()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": srv.URL, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1", "AWS_PROFILE": "",
		"NO_PROXY": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
	refuse := func(kind string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": "because"})
		}
	}
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter)
		want   secret.Value
		code   sparkwright.Code
		says   string
	}{
		{
			name: "RDS", want: secret.Value{Credentials: sparkwright.Credentials{User: "u", Password: hidden}},
			answer: func(w http.ResponseWriter) {
				_ = json.NewEncoder(w).Encode(map[string]string{"ARN": id, "SecretString": `{"username":"u","password":"` + hidden + `"}`})
			},
		},
		{
			name: "binary", want: secret.Value{Credentials: sparkwright.Credentials{Password: hidden}},
			answer: func(w http.ResponseWriter) {
				_ = json.NewEncoder(w).Encode(map[string]any{"ARN": id, "SecretBinary": []byte(hidden)})
			},
		},
		{
			name: "bad JSON", code: sparkwright.CodeInvalid, says: "secret:shop-AbCdEf holds no usable secret",
			answer: func(w http.ResponseWriter) {
				_ = json.NewEncoder(w).Encode(map[string]string{"SecretString": `{"password":"` + hidden})
			},
		},
		{name: "not there", answer: refuse("ResourceNotFoundException"), code: sparkwright.CodeNotFound, says: "no such secret"},
		{name: "denied", answer: refuse("AccessDeniedException"), code: sparkwright.CodeUnauthorized, says: "secretsmanager:GetSecretValue"},
		{name: "expired", answer: refuse("ExpiredTokenException"), code: sparkwright.CodeUnauthorized, says: "log in to AWS again"},
		{name: "deleted", answer: refuse("InvalidRequestException"), code: sparkwright.CodeUnavailable, says: "scheduled for deletion"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			answer = tt.answer
			got, err := secret.Lookup(t.Context(), "aws-sm:"+id)
			check(t, got, err, tt.want, tt.code, tt.says)
			if asked != "secretsmanager.GetSecretValue "+id || !strings.Contains(signed, "/eu-central-1/secretsmanager/aws4_request") {
				t.Errorf("asked %q, signed %q", asked, signed)
			}
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:1")
		_, err := secret.Lookup(t.Context(), "aws-sm:"+id)
		check(t, secret.Value{}, err, secret.Value{}, sparkwright.CodeUnavailable, "cannot be reached")
	})
	t.Run("no login", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "")
		_, err := secret.Lookup(t.Context(), "aws-sm:"+id)
		check(t, secret.Value{}, err, secret.Value{}, sparkwright.CodeUnauthorized, "no AWS credentials")
	})
	t.Run("silent endpoint", func(t *testing.T) {
		release := make(chan struct{})
		silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
		defer silent.Close()
		defer close(release)
		t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", silent.URL)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := secret.Lookup(ctx, "aws-sm:"+id)
		check(t, secret.Value{}, err, secret.Value{}, sparkwright.CodeTimeout, "VPC endpoint")
	})
}
