package doctor_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	fakeemr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// server is one real PostgreSQL for all tests.
var server *pgembed.Server

// serverDir holds its data.
var serverDir string

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	sandbox.HelperMain()
	if locked != nil {
		locked()
	}
	os.Exit(run(m))
}

// locked is what this program does instead of tests, in a process that a test
// has started; see TestFaultOfSandbox.
var locked func()

func run(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "doctor-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	serverDir = dir
	server, err = pgembed.Start(ctx, pgembed.Options{Dir: dir, CacheDir: cacheDir(), Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		panic(err)
	}
	defer func() { _ = server.Stop(ctx) }()
	if code := m.Run(); code != 0 || flag.Lookup("test.run").Value.String() != "" {
		return code
	}
	return unseeded()
}

// faults are the checks whose fault a test has made, found and seen the fix of.
var faults sync.Map

// seeded notes that a test has seen a check find its fault.
func seeded(t *testing.T, f doctor.Finding) {
	t.Helper()
	if !t.Failed() && (f.Level == doctor.Fail || f.Level == doctor.Warn) && len(f.Fixes) > 0 {
		faults.Store(f.ID, true)
	}
}

// unseeded fails the whole when a check has no test that breaks what it looks
// at.
func unseeded() int {
	code := 0
	for _, c := range doctor.All() {
		if _, ok := faults.Load(c.ID); !ok {
			code = 1
			_, _ = fmt.Fprintf(os.Stderr, "no test has broken what %s looks at, and seen it fail with a fix\n", c.ID)
		}
	}
	return code
}

func cacheDir() string {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	return filepath.Join(cache, "sparkwright-test", "postgresql")
}

// owner is the superuser of a server, in a database.
func owner(t *testing.T, s *pgembed.Server, database string) (sparkwright.Connection, string) {
	t.Helper()
	c := s.Connection()
	c.Name, c.Database = "aurora", database
	password, err := os.ReadFile(strings.TrimPrefix(c.Secret, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	return c, strings.TrimSpace(string(password))
}

func exec(t *testing.T, c sparkwright.Connection, password, statements string) {
	t.Helper()
	conn := open(t, c, password)
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.PgConn().Exec(t.Context(), statements).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// open logs in; the connection ends with the test.
func open(t *testing.T, c sparkwright.Connection, password string) *pgx.Conn {
	t.Helper()
	cfg, err := postgres.Config(c, sparkwright.Credentials{User: c.User, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// shop makes a database with two tables and a role that can read them, and
// returns the reader's connection. Names are unique per database.
func shop(t *testing.T, name, extra string) (sparkwright.Connection, string) {
	t.Helper()
	if err := server.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	c, password := owner(t, server, name)
	reader := name + "_reader"
	exec(t, c, password, fmt.Sprintf(`REVOKE CREATE ON SCHEMA public FROM PUBLIC;
		CREATE TABLE orders (id bigint PRIMARY KEY, amount numeric(12, 2)); CREATE TABLE customers (id bigint PRIMARY KEY, name text);
		CREATE ROLE %[1]s LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA public TO %[1]s; GRANT SELECT ON ALL TABLES IN SCHEMA public TO %[1]s; %[2]s`,
		reader, strings.ReplaceAll(extra, "READER", reader)))
	c.User, c.Secret = reader, ""
	return c, "reader"
}

// config looks at one PostgreSQL connection and nothing of AWS.
func config(t *testing.T, c sparkwright.Connection, password string) doctor.Config {
	t.Helper()
	home := t.TempDir()
	cfg := doctor.Config{Home: home, Now: time.Now, Settings: load(t, home)}
	if err := cfg.Settings.PutConnection(c); err != nil {
		t.Fatal(err)
	}
	cfg.Login = func(_ context.Context, c sparkwright.Connection) (sparkwright.Connection, sparkwright.Credentials, error) {
		return c, sparkwright.Credentials{User: c.User, Password: password}, nil
	}
	return cfg
}

func load(t *testing.T, home string) *settings.Settings {
	t.Helper()
	s, err := settings.Load(home)
	if err != nil {
		t.Fatal(err)
	}
	s.Spark.DriverMemory = "256m" // the machine of the tests may be busy
	return s
}

// finding returns what a check found.
func finding(t *testing.T, r *doctor.Report, id string) doctor.Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.ID == id {
			return f
		}
	}
	t.Fatalf("no check %s", id)
	return doctor.Finding{}
}

// wantOnly: the check of that id has the level and a fix, and nothing else fails.
func wantOnly(t *testing.T, r *doctor.Report, id string, level doctor.Level) doctor.Finding {
	t.Helper()
	f := finding(t, r, id)
	if f.Level != level {
		t.Errorf("%s is %s: %s (%s)", id, f.Level, f.Message, f.Because)
	}
	if len(f.Fixes) == 0 || f.Message == "" || f.How == "" {
		t.Errorf("%s has no fix, message or way of looking: %+v", id, f)
	}
	wantNoFailureBut(t, r, id)
	seeded(t, f)
	return f
}

func wantNoFailureBut(t *testing.T, r *doctor.Report, id string) {
	t.Helper()
	for _, f := range r.Findings {
		if f.ID != id && f.Level == doctor.Fail {
			t.Errorf("%s fails too: %s (%s)", f.ID, f.Message, f.Because)
		}
	}
}

// cloud is an emulated AWS with everything that a PostgreSQL question needs.
type cloud struct {
	*awsemu.World
	aws     aws.Config
	emr     *fakeemr.Server
	answers *httptest.Server // Service Quotas, and the simulation of policies
	quota   float64
	allowed string // what the simulation answers
	refused string // but for this resource
	home    string
	driver  string
	conn    sparkwright.Connection
	apps    map[string]json.RawMessage
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	return newCloudFor(t, "cloud", nil)
}

// newCloudFor names its database, and who runs jobs; nil = nobody.
func newCloudFor(t *testing.T, database string, runner fakeemr.Runner) *cloud {
	t.Helper()
	ctx := t.Context()
	rt := testkit.Runtime(t)
	moto, err := awsemu.Start(ctx, localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t)}, filepath.Join(t.TempDir(), "moto.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { moto.Stop(context.Background()) })
	c := &cloud{aws: moto.Config(), quota: 64, allowed: "allowed", home: t.TempDir(), driver: rt.Driver}
	var password string
	c.conn, password = shop(t, database, "")
	db := awsemu.Database{Name: "aurora", Host: c.conn.Host, Port: c.conn.Port, Database: c.conn.Database, User: c.conn.User, Password: password}
	if c.World, err = awsemu.Seed(ctx, c.aws, db, rt.Driver); err != nil {
		t.Fatal(err)
	}
	around, err := fakeemr.NewCloud(c.aws)
	if err != nil {
		t.Fatal(err)
	}
	if c.emr, err = fakeemr.Start(ctx, fakeemr.Config{Account: awsemu.Account, Region: awsemu.Region, Cloud: around, Runner: runner, Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.emr.Close() })
	c.apps = c.Applications()
	for id, in := range c.apps {
		if err = c.emr.AddApplication(id, in); err != nil {
			t.Fatal(err)
		}
	}
	c.answers = httptest.NewServer(http.HandlerFunc(c.answer))
	t.Cleanup(c.answers.Close)
	text, err := json.Marshal(c.Settings())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(c.home, settings.FileName), text, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// answer speaks what moto does not: Service Quotas (JSON), and IAM's
// SimulatePrincipalPolicy (Query protocol).
func (c *cloud) answer(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.Header.Get("X-Amz-Target"), "GetServiceQuota") {
		_, _ = fmt.Fprintf(w, `{"Quota": {"ServiceCode": "emr-serverless", "QuotaCode": "L-D05C8A75", "Value": %f}}`, c.quota)
		return
	}
	decision := c.allowed
	if c.refused != "" && r.FormValue("ResourceArns.member.1") == c.refused {
		decision = "implicitDeny"
	}
	_, _ = fmt.Fprintf(w, `<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated>
		<EvaluationResults><member><EvalActionName>%s</EvalActionName><EvalDecision>%s</EvalDecision></member></EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>`,
		r.FormValue("ActionNames.member.1"), decision)
}

// roles sends everything to moto but the simulation.
type roles struct {
	*iam.Client
	simulate *iam.Client
}

func (r roles) SimulatePrincipalPolicy(ctx context.Context, in *iam.SimulatePrincipalPolicyInput, opt ...func(*iam.Options)) (*iam.SimulatePrincipalPolicyOutput, error) {
	return r.simulate.SimulatePrincipalPolicy(ctx, in, opt...)
}

// config looks at the emulated AWS with the settings of the file.
func (c *cloud) config(t *testing.T) doctor.Config {
	t.Helper()
	s, err := settings.Load(c.home)
	if err != nil {
		t.Fatal(err)
	}
	s.Spark.DriverMemory = "256m"
	cfg := config(t, c.conn, "reader")
	cfg.Home, cfg.Settings = c.home, s
	cfg.Driver = func() (string, error) { return c.driver, nil }
	cfg.Save = func(change func(*settings.Settings) error) error { return settings.Update(c.home, change) }
	answers := c.aws
	answers.BaseEndpoint = aws.String(c.answers.URL)
	secrets := secretsmanager.NewFromConfig(c.aws)
	cfg.Login = func(ctx context.Context, conn sparkwright.Connection) (sparkwright.Connection, sparkwright.Credentials, error) {
		out, err := secrets.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: aws.String(strings.TrimPrefix(conn.Secret, "aws-sm:"))})
		if err != nil {
			return conn, sparkwright.Credentials{}, err
		}
		var v struct{ Username, Password string }
		err = json.Unmarshal([]byte(*out.SecretString), &v)
		conn.User = v.Username
		return conn, sparkwright.Credentials{User: v.Username, Password: v.Password}, err
	}
	cfg.AWS = &doctor.AWS{
		Region: awsemu.Region, Identity: sts.NewFromConfig(c.aws), Network: ec2.NewFromConfig(c.aws),
		Applications: emrserverless.NewFromConfig(c.aws, func(o *emrserverless.Options) { o.BaseEndpoint = aws.String(c.emr.URL()) }),
		Roles:        roles{iam.NewFromConfig(c.aws), iam.NewFromConfig(answers)},
		Storage:      s3.NewFromConfig(c.aws, func(o *s3.Options) { o.UsePathStyle = true }),
		Secrets:      secrets, Quotas: servicequotas.NewFromConfig(answers),
	}
	return cfg
}

// application adds an application like the PostgreSQL one, with changes, and
// returns its id.
func (c *cloud) application(t *testing.T, id string, change func(map[string]any)) string {
	t.Helper()
	var app map[string]any
	if err := json.Unmarshal(c.apps[awsemu.PostgresApp], &app); err != nil {
		t.Fatal(err)
	}
	app = maps.Clone(app)
	change(app)
	text, err := json.Marshal(app)
	if err == nil {
		err = c.emr.AddApplication(id, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}
