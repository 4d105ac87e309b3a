package secret_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/secret"
)

const auroraARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/aurora-1f2e3d4c-AbCdEf"

func TestGiven(t *testing.T) {
	t.Parallel()
	ok := sparkwright.GivenTable{
		Connection: "aurora", JDBCURL: "jdbc:postgresql://db.example.com:5433/postgres", SecretARN: auroraARN,
		Database: "shop", Schema: "public", Table: "orders",
	}
	got, err := secret.Given(&ok, "spark/postgres/")
	want := sparkwright.Connection{
		Name: "aurora", Host: "db.example.com", Port: 5433, Database: "shop", AuthMethod: sparkwright.AuthSecretsManager, Secret: "aws-sm:" + auroraARN,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, tt := range []struct {
		name   string
		change func(*sparkwright.GivenTable)
		says   string
	}{
		{"another prefix", func(g *sparkwright.GivenTable) { g.SecretARN = strings.Replace(auroraARN, "spark/postgres", "prod", 1) }, "secret_arn of public.orders"},
		{"the prefix alone", func(g *sparkwright.GivenTable) {
			g.SecretARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/"
		}, "secret_arn"},
		{"a pattern", func(g *sparkwright.GivenTable) { g.SecretARN += "*" }, "secret_arn"},
		{"another service", func(g *sparkwright.GivenTable) { g.SecretARN = "arn:aws:ssm:us-east-1:1:secret:spark/postgres/x" }, "secret_arn"},
		{"a name", func(g *sparkwright.GivenTable) { g.SecretARN = "spark/postgres/x" }, "secret_arn"},
		{"no secret", func(g *sparkwright.GivenTable) { g.SecretARN = "" }, "secret_arn"},
		{"no URL", func(g *sparkwright.GivenTable) { g.JDBCURL = "" }, "jdbc_url"},
		{"another driver", func(g *sparkwright.GivenTable) { g.JDBCURL = "jdbc:mysql://h/d" }, "jdbc_url"},
		{"a login", func(g *sparkwright.GivenTable) { g.JDBCURL = "jdbc:postgresql://u:hunter2@h/d" }, "holds a login"},
		{"two hosts", func(g *sparkwright.GivenTable) { g.JDBCURL = "jdbc:postgresql://a,b/d" }, "one host"},
		{"a class", func(g *sparkwright.GivenTable) { g.JDBCURL = "jdbc:postgresql://h/d?socketFactory=x" }, `"socketFactory" is not allowed`},
		{"a user", func(g *sparkwright.GivenTable) { g.JDBCURL = "jdbc:postgresql://h/d?user=hunter2" }, `"user" is not allowed`},
		{"no database", func(g *sparkwright.GivenTable) { g.JDBCURL = "jdbc:postgresql://h/" }, "name a database"},
		{"tls", func(g *sparkwright.GivenTable) { g.JDBCURL = "jdbc:postgresql://h/d?sslmode=prefer" }, "sslmode"},
	} {
		given := ok
		tt.change(&given)
		_, err := secret.Given(&given, "spark/postgres/")
		if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.says)
		}
	}
}

func TestRDSRegion(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"a.cluster-x.eu-west-1.rds.amazonaws.com": "eu-west-1", "a.x.cn-north-1.rds.amazonaws.com.cn": "cn-north-1",
		"db.example.com": "", "eu-west-1.rds.amazonaws.com.evil.org": "",
	} {
		if got := secret.RDSRegion(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

func awsEnv(t *testing.T, endpoint string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint, "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "",
		"AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1", "AWS_PROFILE": "",
		"NO_PROXY": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
}

func TestIAM(t *testing.T) {
	awsEnv(t, "")
	conn := sparkwright.Connection{
		Name: "a", Host: "a.x.eu-west-1.rds.amazonaws.com", Port: 5432, Database: "d", AuthMethod: sparkwright.AuthIAM,
		Secret: "file:" + write(t, `{"username": "reporter"}`, 0o600),
	}
	full, cred, err := secret.Complete(t.Context(), conn)
	if err != nil || full.User != "reporter" || cred.User != "reporter" {
		t.Fatalf("%+v, %v, %v", full, cred, err)
	}
	u, err := url.Parse("https://" + cred.Password)
	if err != nil || u.Host != conn.Host+":5432" {
		t.Fatalf("the token is for %q, %v", u, err)
	}
	q := u.Query()
	if q.Get("Action") != "connect" || q.Get("DBUser") != "reporter" || !strings.Contains(q.Get("X-Amz-Credential"), "/eu-west-1/rds-db/aws4_request") {
		t.Errorf("token %v", q)
	}
	conn.Secret = ""
	if _, _, err = secret.Complete(t.Context(), conn); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid || !strings.Contains(err.Error(), "names no user") {
		t.Errorf("without a user: %v", err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	conn.User = "u"
	if _, _, err = secret.Complete(t.Context(), conn); sparkwright.ErrorCode(err) != sparkwright.CodeUnauthorized {
		t.Errorf("without credentials: %v", err)
	}
}

// manager is a Secrets Manager with one secret.
type manager struct {
	mu     sync.Mutex
	asked  int
	text   string
	bodies []map[string]any
}

func (m *manager) serve(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)
	body["op"] = r.Header.Get("X-Amz-Target")
	m.bodies = append(m.bodies, body)
	m.asked++
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{"ARN": auroraARN, "SecretString": m.text})
}

func (m *manager) rotate(password string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.text = `{"username":"u","password":"` + password + `","dbname":"d"}`
}

func TestCacheAndRotation(t *testing.T) {
	m := &manager{}
	m.rotate("one")
	srv := httptest.NewServer(http.HandlerFunc(m.serve))
	defer srv.Close()
	awsEnv(t, srv.URL)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cache := secret.NewCache(5*time.Minute, func() time.Time { return now })
	conn := sparkwright.Connection{Name: "a", Host: "h", Port: 5432, Secret: "aws-sm:" + auroraARN}
	expect := func(password string, asked int) sparkwright.Credentials {
		t.Helper()
		full, cred, err := cache.Complete(t.Context(), conn)
		if err != nil || cred.Password != password || full.Database != "d" || m.asked != asked {
			t.Fatalf("%+v, password %q, asked %d times, %v; want %q, %d", full, cred.Password, m.asked, err, password, asked)
		}
		return cred
	}
	old := expect("one", 1)
	m.rotate("two")
	now = now.Add(4 * time.Minute)
	expect("one", 1)
	if fresh, changed, err := cache.Refused(t.Context(), conn, old); err != nil || !changed || fresh.Password != "two" {
		t.Errorf("after a refusal: %q, %v, %v", fresh.Password, changed, err)
	}
	two := expect("two", 2)
	if _, changed, err := cache.Refused(t.Context(), conn, two); err != nil || changed {
		t.Errorf("a password that is simply wrong: changed %v, %v", changed, err)
	}
	expect("two", 3)
	// A caller that still has the first one makes nobody ask again.
	if fresh, changed, _ := cache.Refused(t.Context(), conn, old); !changed || fresh.Password != "two" || m.asked != 3 {
		t.Errorf("%q, %v, asked %d times", fresh.Password, changed, m.asked)
	}
	now = now.Add(6 * time.Minute)
	expect("two", 4)
}

func TestManager(t *testing.T) {
	t.Parallel()
	m := &manager{}
	srv := httptest.NewServer(http.HandlerFunc(m.serve))
	defer srv.Close()
	keeper := secret.NewManager(aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	}, "spark/postgres/")
	ref, err := keeper.Keep(t.Context(), "aurora", []byte(`{"password":"x"}`))
	if err != nil || ref != "aws-sm:"+auroraARN {
		t.Fatalf("%q, %v", ref, err)
	}
	name, _ := m.bodies[0]["Name"].(string)
	if len(name) != len("spark/postgres/aurora-12345678") || !strings.HasPrefix(name, "spark/postgres/aurora-") ||
		m.bodies[0]["Description"] != "PostgreSQL connection for aurora" || m.bodies[0]["SecretString"] != `{"password":"x"}` {
		t.Errorf("CreateSecret %v", m.bodies[0])
	}
	for _, r := range []string{"env:X", "aws-sm:arn:aws:secretsmanager:us-east-1:1:secret:other/x-12345678-AbCdEf", "aws-sm:arn:aws:secretsmanager:us-east-1:1:secret:spark/postgres/mine"} {
		if err := keeper.Forget(t.Context(), r); err != nil || len(m.bodies) != 1 {
			t.Errorf("%s: %v, %d calls; it is not ours", r, err, len(m.bodies))
		}
	}
	if err := keeper.Forget(t.Context(), ref); err != nil || m.bodies[1]["op"] != "secretsmanager.DeleteSecret" || m.bodies[1]["SecretId"] != auroraARN {
		t.Errorf("%v, %v", err, m.bodies)
	}
}
