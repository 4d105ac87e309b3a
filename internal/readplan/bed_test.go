package readplan_test

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/pgembed"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

//go:embed testdata/parity.py
var parityProgram string

// peer is a Spark session that makes views, explains and answers.
type peer struct {
	version string
	old     bool // Spark 3.5, where the plan is not known before
	lines   *bufio.Reader
	conn    net.Conn
	// views writes the program that makes the views of reads, with a guard, and
	// the environment that it wants.
	views func(conn jobscript.Connection, user, password string, reads []readplan.Read) (string, map[string]string, error)
}

// answer is what the peer says.
type answer struct {
	Version string            `json:"version"`
	Error   string            `json:"error"`
	Plan    string            `json:"plan"`
	Types   []string          `json:"types"`
	Rows    [][]*string       `json:"rows"`
	Answers map[string]answer `json:"answers"`
}

func (p *peer) call(request map[string]any) (answer, error) {
	var a answer
	text, err := json.Marshal(request)
	if err != nil {
		return a, err
	}
	if err = p.conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return a, err
	}
	if _, err = p.conn.Write(append(text, '\n')); err != nil {
		return a, err
	}
	return a, p.receive(&a)
}

func (p *peer) receive(a *answer) error {
	line, err := p.lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the Spark session is gone: %w", err)
	}
	return json.Unmarshal(line, a)
}

// meet waits for the program that begin has started with a socket's path.
func meet(dir string, begin func(socket string) error) (*peer, error) {
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	defer l.Close() //nolint:errcheck // one peer
	if err = begin(socket); err != nil {
		return nil, err
	}
	if err = l.(*net.UnixListener).SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return nil, err
	}
	p := &peer{}
	if p.conn, err = l.Accept(); err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(p.conn)
	var hello answer
	if err = p.receive(&hello); err != nil {
		return nil, err
	}
	p.version = hello.Version
	return p, nil
}

// bed is what the tests with Spark share: one PostgreSQL, whose database orders
// text as ICU does, one warm Spark, one session in it.
type bed struct {
	dir    string
	server *pgembed.Server
	conn   sparkwright.Connection
	cred   sparkwright.Credentials
	login  *pgx.ConnConfig
	owner  *pgx.Conn
	source *postgres.Source
	broker *broker.Broker
	spark  *connect.Executor
	peer   *peer
	checks *connect.Client
	worlds int
}

var shared struct {
	sync.Mutex
	bed *bed
	err error
}

// directRun has a process of its own, which finds out what PostgreSQL answers by itself.
const directRun = "direct"

// theBed is made once. Tests that use its session run one after the other.
func theBed(t *testing.T) *bed {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.bed == nil && shared.err == nil {
		shared.bed, shared.err = newBed(t)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.bed
}

func newBed(t *testing.T) (*bed, error) {
	ctx := context.WithoutCancel(t.Context())
	dir, err := os.MkdirTemp("", "readplan-test-") //nolint:usetesting // it outlives the test that makes it
	if err != nil {
		return nil, err
	}
	b := &bed{dir: dir, broker: broker.New(slog.New(slog.DiscardHandler))}
	b.server, err = pgembed.Start(ctx, pgembed.Options{
		Dir: filepath.Join(dir, "pg"), CacheDir: filepath.Join(testkit.Home(t), "runtime", "postgres"),
		RepositoryURL: testkit.MavenURL(t), Settings: map[string]string{"fsync": "off"},
	})
	if err != nil {
		return nil, err
	}
	b.conn, b.cred = loginOf(t, b.server)
	if err = b.makeDatabase(ctx); err != nil {
		return nil, err
	}
	b.spark = connect.New(connect.Config{Runtime: testkit.Runtime(t), Master: "local[2]", DriverMemory: "1g", Unconfined: true}) // its scripts are the tests' own
	b.peer, err = meet(dir, func(socket string) error {
		_, err = b.spark.Submit(ctx, sparkwright.Job{
			Attempt:  sparkwright.Attempt{ID: "parity-1", RunID: "parity", Script: parityProgram},
			Location: filepath.Join(dir, "result"), Secrets: map[string]string{"PARITY_SOCKET": socket},
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	b.peer.views = localViews
	b.checks, err = b.spark.Client(ctx, directRun)
	return b, err
}

func (b *bed) makeDatabase(ctx context.Context) error {
	cfg, err := postgres.Config(b.conn, b.cred)
	if err != nil {
		return err
	}
	delete(cfg.RuntimeParams, "default_transaction_read_only")
	admin, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer admin.Close(ctx) //nolint:errcheck // nothing is lost
	if _, err = admin.Exec(ctx, `CREATE DATABASE parity TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'`); err != nil {
		return err
	}
	if _, err = admin.Exec(ctx, `ALTER DATABASE parity SET timezone = 'America/Los_Angeles'`); err != nil { // every session of ours says UTC
		return err
	}
	b.conn.Database = "parity"
	if b.login, err = postgres.Config(b.conn, b.cred); err != nil {
		return err
	}
	writer := b.login.Copy()
	delete(writer.RuntimeParams, "default_transaction_read_only")
	if b.owner, err = pgx.ConnectConfig(ctx, writer); err != nil {
		return err
	}
	if _, err = b.owner.Exec(ctx, `CREATE TYPE mood AS ENUM ('sad', 'happy', 'Angry'); CREATE DOMAIN small AS int CHECK (value < 10);
		CREATE COLLATION folds (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`); err != nil {
		return err
	}
	b.source, err = postgres.Open(ctx, b.conn, b.cred)
	return err
}

// closeBed ends what theBed has started.
func closeBed() {
	b := shared.bed
	if b == nil {
		return
	}
	ctx := context.Background()
	_ = b.peer.conn.Close()
	b.checks.Close(ctx)
	b.spark.Close(ctx)
	b.source.Close()
	_ = b.owner.Close(ctx)
	b.broker.Close(ctx)
	_ = b.server.Stop(ctx)
	_ = os.RemoveAll(b.dir)
}

// localViews are those of a script of this machine.
func localViews(conn jobscript.Connection, user, password string, reads []readplan.Read) (string, map[string]string, error) {
	code, err := jobscript.Views(jobscript.Spec{RunID: "parity", Connections: []jobscript.Connection{conn}, Reads: reads})
	return code, map[string]string{jobscript.UserEnv(0): user, jobscript.PasswordEnv(0): password}, err
}

// loginOf is the superuser's.
func loginOf(t *testing.T, srv *pgembed.Server) (sparkwright.Connection, sparkwright.Credentials) {
	t.Helper()
	conn := srv.Connection()
	conn.Name = "t"
	text, err := os.ReadFile(strings.TrimPrefix(conn.Secret, "file:"))
	if err != nil {
		t.Fatal(err)
	}
	return conn, sparkwright.Credentials{User: conn.User, Password: strings.TrimSpace(string(text))}
}
