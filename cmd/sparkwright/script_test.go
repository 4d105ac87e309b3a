package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

func TestMain(m *testing.M) {
	pgembed.KeeperMain()
	connect.KeeperMain()
	testscript.Main(m, map[string]func(){"sparkwright": main})
}

const scriptData = `
CREATE TABLE orders (id int PRIMARY KEY, country text NOT NULL, amount numeric(12,2), note text);
INSERT INTO orders SELECT i, (ARRAY['DE', 'FR', 'IT'])[1 + i % 3], i + 0.25, CASE WHEN i % 2 = 0 THEN '' END FROM generate_series(1, 300) i;
CREATE TABLE "Odd ""one""" ("a.b" int, esc text);
INSERT INTO "Odd ""one""" VALUES (1, E'red\x1b[31m\x07 bell');
CREATE TABLE empty (id int, name text);
CREATE TABLE secret (id int);
CREATE VIEW slow AS SELECT i, pg_sleep(0.1)::text AS s FROM generate_series(1, 100000) i;
CREATE ROLE reader LOGIN PASSWORD 'canary-pw-5d1e';
GRANT SELECT ON orders, "Odd ""one""", empty, slow TO reader;
ANALYZE;
`

// TestScripts specifies the command line by scripts that run the real program
// against a real PostgreSQL and a real Spark.
func TestScripts(t *testing.T) {
	srv, err := pgembed.Start(t.Context(), pgembed.Options{
		Dir: filepath.Join(t.TempDir(), "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
		RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Stop(context.Background()) })
	conn := srv.Connection()
	loadScriptData(t, conn)
	testkit.Runtime(t)
	spark := filepath.Join(t.TempDir(), "spark") // one warm server for all scripts
	if err := os.Mkdir(spark, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connect.StopKept(context.Background(), spark) })
	shared, defined := testkit.NewDatabase(t, conn, "shared"), testkit.NewDatabase(t, conn, "defined")
	objects, programs := s3ForScripts(t), program(t)
	model := openaitest.New(t, repliesOfScripts()...)
	host := conn.Host + ":" + strconv.Itoa(conn.Port) + "/" + conn.Database
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(env *testscript.Env) error {
			home := filepath.Join(env.WorkDir, "home")
			env.Setenv("SPARKWRIGHT_HOME", home)
			env.Setenv("SPARKWRIGHT_MAVEN_URL", testkit.MavenURL(t))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("URL", "postgresql://reader:canary-pw-5d1e@"+host)
			env.Setenv("HOST", conn.Host)
			env.Setenv("PORT", strconv.Itoa(conn.Port))
			env.Setenv("DATABASE", conn.Database)
			env.Setenv("PASSWORD", "canary-pw-5d1e")
			env.Setenv("S3_URL", objects)
			env.Setenv("MODEL_URL", model.URL)
			env.Setenv("PATH", programs+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("SHARED_URL", shared)
			env.Setenv("DEFINED_URL", defined)
			env.Setenv("PGPORT", strconv.Itoa(conn.Port))
			env.Setenv("PGDATABASE", conn.Database)
			env.Setenv("APP_PASSWORD", "canary-pw-5d1e")
			env.Setenv("WRONG_URL", "postgresql://reader:canary-wrong@"+host)
			env.Setenv("SPARKWRIGHT_SPARK_DRIVER_MEMORY", "1g")
			return errors.Join(os.Mkdir(home, 0o700),
				os.Symlink(filepath.Join(testkit.Home(t), "runtime"), filepath.Join(home, "runtime")),
				os.Symlink(spark, filepath.Join(home, "spark")))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "terminal": onTerminal},
	})
}

// repliesOfScripts are those of the model that spark_replay.txtar records: the
// first is repaired, as it takes any row.
func repliesOfScripts() []openaitest.Answer {
	const head = "```python\n# understood: U.\nfrom pyspark.sql import functions as F\n"
	var out []openaitest.Answer
	for _, code := range []string{
		"s = spark.table('orders').groupBy('country').agg(F.sum('amount').alias('s'))\nresult = s.limit(1)",
		"s = spark.table('orders').groupBy('country').agg(F.sum('amount').alias('s'))\nresult = s.orderBy(F.desc('s'), 'country').limit(1)",
		"result = spark.sql(\"SELECT country, count(*) AS n FROM orders WHERE note = '' GROUP BY country ORDER BY country\")",
	} {
		out = append(out, openaitest.Stream(openaitest.Chunk(head+code+"\n```", "stop"), openaitest.Usage(100, 10), openaitest.Done))
	}
	return out
}

// program is the directory of the program as users have it. The race detector
// would have each of the tests' hundred processes take seconds to start; raced
// is for the one server that all routes are asked of.
func program(t *testing.T) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// built makes the program once. It stays, as what make build makes does.
var built = sync.OnceValues(func() (string, error) {
	dir, err := filepath.Abs(filepath.Join("..", "..", "bin", "test"))
	if err != nil {
		return "", err
	}
	text, err := exec.Command("go", "build", "-o", filepath.Join(dir, "sparkwright"), ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, text)
	}
	return dir, nil
})

// raced is the program with the race detector: this test binary itself.
func raced(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("sparkwright") // TestMain puts it there
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// s3ForScripts is where an S3 is that has clicks in two objects.
func s3ForScripts(t *testing.T) string {
	t.Helper()
	moto, err := awsemu.Start(t.Context(), localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t)}, filepath.Join(t.TempDir(), "moto.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { moto.Stop(context.Background()) })
	client := awscloud.NewS3(moto.Config())
	if _, err = client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("lake")}); err != nil {
		t.Fatal(err)
	}
	for key, text := range map[string]string{
		"clicks/a.csv": "page,seen\nhome,3\nabout,1\n", "clicks/b.csv": "page,seen\nhome,4\n", "clicks/_SUCCESS": "x", "clicksmore/c.csv": "page,seen\nhome,100\n",
		"one.csv": "id\n7\n", "large.csv": "id\n" + strings.Repeat("1234567\n", 150_000),
	} {
		if _, err = client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: strings.NewReader(text)}); err != nil {
			t.Fatal(err)
		}
	}
	return moto.URL()
}

func loadScriptData(t *testing.T, conn sparkwright.Connection) {
	t.Helper()
	password, err := os.ReadFile(strings.TrimPrefix(conn.Secret, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := postgres.Config(conn, sparkwright.Credentials{User: conn.User, Password: strings.TrimSpace(string(password))})
	if err != nil {
		t.Fatal(err)
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	pg, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer pg.Close(context.Background()) //nolint:errcheck // nothing is lost
	if _, err = pg.Exec(t.Context(), scriptData); err != nil {
		t.Fatal(err)
	}
}

// exits CODE COMMAND… runs the command and wants that exit code. No run may
// ever print a password or a stack trace.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		code = e.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want, _ := strconv.Atoi(args[0]); code != want {
		ts.Fatalf("exit %d, want %d\n%s", code, want, ts.ReadFile("stderr"))
	}
	for _, never := range []string{"canary", "goroutine ", "Traceback"} {
		if out := ts.ReadFile("stdout") + ts.ReadFile("stderr"); strings.Contains(out, never) {
			ts.Fatalf("the output holds %q:\n%s", never, out)
		}
	}
}
