package main

import (
	"context"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/executor/lambda"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/netguard"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/result"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/glue"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// cloud is what a process uses of AWS. Its clients are made without a call.
type cloud struct {
	cfg     aws.Config
	s3      *s3.Client
	results *artifact.S3
	glue    *glue.Source
}

func newCloud(ctx context.Context, s *settings.Settings) (*cloud, error) {
	cfg, err := awscloud.Load(ctx, awscloud.Options{Region: s.Spark.Region})
	if err != nil {
		return nil, err
	}
	client := awscloud.NewS3(cfg)
	return &cloud{cfg: cfg, s3: client, results: artifact.NewS3(client), glue: glue.New(cfg)}, nil
}

// load reads and verifies the manifest of a result in S3.
func (c *cloud) load(location, runID, attemptID string) (*sparkwright.Manifest, error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTime)
	defer cancel()
	return c.results.Load(ctx, location, runID, attemptID)
}

// placementSettings are the settings that decide where a run goes.
func placementSettings(s *settings.Settings) placement.AWS {
	return placement.AWS{
		Application: s.Spark.EMRApplicationID, PostgresApplication: s.Spark.EMRPostgresApplicationID, Bucket: s.Spark.S3Bucket,
		Function: s.Spark.LambdaFunction, ThresholdMB: s.Spark.FileSizeThresholdMB, Driver: s.Postgres.JDBCDriverPath,
	}
}

// awsExecutors adds the executors of AWS, when anything of it is configured. An
// AWS that cannot be used keeps nobody from asking on this machine: it is told
// when a run is to go there.
func (a *app) awsExecutors(ctx context.Context, s *settings.Settings, v *supervisor.Varying) error {
	v.AWS, v.Place, v.LoadResult, v.RemoveResult, v.Modules = placementSettings(s), nil, artifact.Load, nil, nil
	if !v.AWS.Configured() {
		return nil
	}
	c, unusable := newCloud(ctx, s)
	if unusable != nil {
		v.Place = func(in placement.Input) (sparkwright.Placement, error) {
			p, err := placement.Decide(in)
			if err == nil && (p.Executor == placement.EMR || p.Executor == placement.Lambda) {
				err = unusable
			}
			return p, err
		}
		return nil //nolint:nilerr // told when a run is to go there
	}
	instance, err := s.InstanceName()
	if err != nil {
		return err
	}
	emr := emrserverless.New(emrserverless.Config{
		AWS: c.cfg, Instance: instance, Bucket: s.Spark.S3Bucket, RoleARN: s.Spark.ExecutionRoleARN,
		StandardRoleARN: s.Spark.StandardExecutionRoleARN,
		ExecutorMemory:  s.Spark.ExecutorMemory, ExecutorCores: s.Spark.ExecutorCores,
		DriverMemory: s.Spark.EMRDriverMemory, DriverCores: s.Spark.EMRDriverCores,
		TimeoutMinutes: s.Spark.EMRTimeoutMinutes, LogGroup: s.Spark.LogGroup, Log: a.log,
	})
	v.Executors[emrserverless.Name] = emr
	v.Modules = func(ctx context.Context) (string, error) {
		archive, err := a.modules.get(ctx, a.runtimeOptions)
		if err != nil {
			return "", err
		}
		return emr.PutModules(ctx, archive)
	}
	v.Executors[lambda.Name] = lambda.New(lambda.Config{
		AWS: c.cfg, Timeout: time.Duration(s.Spark.LambdaTimeoutSeconds) * time.Second, Log: a.log,
	})
	v.LoadResult = func(location, runID, attemptID string) (*sparkwright.Manifest, error) { //nolint:contextcheck // has a time limit of its own
		if !artifact.IsS3(location) {
			return artifact.Load(location, runID, attemptID)
		}
		return c.load(location, runID, attemptID)
	}
	v.RemoveResult = c.results.Remove
	return nil
}

// openPart opens a part of a result, wherever it is.
func (a *app) openPart(ctx context.Context, m *sparkwright.Manifest, part sparkwright.Part) (*os.File, error) {
	if !artifact.IsS3(m.Location) {
		return artifact.OpenLocal(ctx, m, part)
	}
	s, err := a.loadSettings()
	if err != nil {
		return nil, err
	}
	c, err := newCloud(ctx, s)
	if err != nil {
		return nil, err
	}
	return c.results.Open(ctx, m, part)
}

// resultFiles opens the files of results, wherever they are.
type resultFiles struct{ app *app }

var _ result.Files = resultFiles{}

// Open implements result.Files.
func (r resultFiles) Open(ctx context.Context, m *sparkwright.Manifest, part sparkwright.Part) (result.File, error) {
	if !artifact.IsS3(m.Location) {
		return result.Dir{}.Open(ctx, m, part)
	}
	return r.app.openPart(ctx, m, part)
}

// maxLinked is how large a result may be, in bytes of its files, for its
// download to be made with the reply.
const maxLinked = 256 << 20

// link implements server.Config.Link. A link that cannot be made never spoils
// an answer.
func (a *app) link(ctx context.Context, m *sparkwright.Manifest) string {
	var size int64
	for i := range m.Parts {
		size += m.Parts[i].Bytes
	}
	if !artifact.IsS3(m.Location) || size > maxLinked {
		return ""
	}
	c, err := newCloud(ctx, a.settings)
	if err == nil {
		var link artifact.Link
		good := time.Duration(a.settings.Spark.PresignedURLExpiryHours) * time.Hour
		link, err = c.results.Export(ctx, m, m.RunID+".csv", good, func(w io.Writer) error { return a.writeCSV(ctx, w, m) })
		if err == nil {
			return link.URL
		}
	}
	a.log.WarnContext(ctx, "no download link", "run_id", m.RunID, "error", err)
	return ""
}

// loadTime bounds how long a manifest and the list of its parts are read.
const loadTime = 2 * time.Minute

// sweepEvery is how often jobs are looked for that nobody claims.
const sweepEvery = 5 * time.Minute

// sweep cancels the jobs of this installation on EMR Serverless that no run
// claims, as long as ctx lasts.
func (a *app) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		now := a.varying.now() //nolint:contextcheck // it looks with a context of its own
		if emr, is := now.Executors[emrserverless.Name].(*emrserverless.Executor); is {
			orphans, err := emr.Sweep(ctx, applications(now.AWS), a.claimed)
			switch {
			case err != nil && ctx.Err() == nil:
				a.log.WarnContext(ctx, "jobs not swept", "error", err)
			case len(orphans) > 0:
				a.log.WarnContext(ctx, "jobs cancelled that no run claims", "jobs", orphans)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// applications are those of EMR Serverless, each once.
func applications(aws placement.AWS) (ids []string) {
	for _, id := range []string{aws.Application, aws.PostgresApplication} {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// claimed reports whether an attempt belongs to a run that is not over.
func (a *app) claimed(ctx context.Context, attempt string) (bool, error) {
	i := strings.LastIndexByte(attempt, '-')
	if i < 0 {
		return true, nil // not a name that we give
	}
	run, err := a.runs.Run(ctx, attempt[:i])
	if sparkwright.ErrorCode(err) == sparkwright.CodeNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return !run.State.Final(), nil
}

// Connection implements supervisor.Located.
func (d *database) Connection() sparkwright.Connection { return d.conn }

// AWSConnection implements supervisor.Located.
func (d *database) AWSConnection(runID string) (jobscript.AWSConnection, error) {
	return awsConnection(d.conn, runID)
}

// awsConnection is how a job in AWS logs in. Files of this machine are not
// there; TLS is on unless the connection, or its being on loopback, says no.
func awsConnection(conn sparkwright.Connection, runID string) (jobscript.AWSConnection, error) {
	out := jobscript.AWSConnection{Name: conn.Name, Host: conn.Host, Port: conn.Port, User: conn.User}
	if conn.TLS == "" && !onLoopback(conn.Host) {
		conn.TLS = sparkwright.TLSRequire
	}
	conn.RootCert = ""
	var err error
	if out.URL, err = postgres.JDBCURL(conn, "sparkwright/"+runID); err != nil {
		return out, err
	}
	out.SecretARN, _ = strings.CutPrefix(conn.Secret, "aws-sm:")
	if !strings.HasPrefix(conn.Secret, "aws-sm:") {
		out.SecretARN = ""
	}
	out.IAM = conn.AuthMethod == sparkwright.AuthIAM
	out.Region = secret.Region(out.SecretARN)
	if out.IAM {
		ctx, cancel := context.WithTimeout(context.Background(), secretTime)
		defer cancel()
		if out.Region, err = secret.DatabaseRegion(ctx, conn.Host); err != nil {
			return out, err
		}
	}
	if out.SecretARN == "" && !out.IAM || out.Region == "" {
		return out, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "a job in AWS cannot log in to " + conn.Name,
			Because: "its login is neither in AWS Secrets Manager nor by RDS IAM", Remedy: "give the connection a secret_arn",
		}
	}
	return out, nil
}

func onLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// givenDatabase is a database that a request describes. Its login is read at
// the first look; a job elsewhere needs none from here.
type givenDatabase struct {
	conn    sparkwright.Connection
	secrets *secret.Cache

	mu sync.Mutex
	db *database
}

var (
	_ supervisor.Database       = (*givenDatabase)(nil)
	_ supervisor.Located        = (*givenDatabase)(nil)
	_ supervisor.Located        = (*database)(nil)
	_ supervisor.GivenDatabases = (*databases)(nil)
	_ supervisor.TableFinder    = (*databases)(nil)
)

// OpenGiven implements supervisor.GivenDatabases.
func (d *databases) OpenGiven(_ context.Context, t *sparkwright.GivenTable) (supervisor.Database, error) {
	conn, err := secret.Given(t, d.settings.Postgres.SecretsManagerPrefix)
	if err != nil {
		return nil, err
	}
	if literal, no := netip.ParseAddr(conn.Host); no == nil { // names are for the job to look up, in its own network
		if why := netguard.Private.Why(literal); why != "" {
			return nil, (&netguard.Error{Host: conn.Host, Addr: literal, Why: why}).Refused()
		}
	}
	return &givenDatabase{conn: conn, secrets: d.secrets}, nil
}

func (g *givenDatabase) open(ctx context.Context) (*database, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.db == nil {
		conn, cred, err := g.secrets.Complete(ctx, g.conn)
		if err != nil {
			return nil, err
		}
		g.db = &database{login: login{conn: conn, cred: cred, asked: &g.conn}, secrets: g.secrets}
	}
	return g.db, nil
}

// Catalog implements supervisor.Database.
func (g *givenDatabase) Catalog(ctx context.Context) (*sparkwright.Catalog, error) {
	db, err := g.open(ctx)
	if err != nil {
		return nil, err
	}
	return db.Catalog(ctx)
}

// JDBCURL implements supervisor.Database.
func (g *givenDatabase) JDBCURL(runID string) (string, error) {
	return postgres.JDBCURL(g.conn, "sparkwright/"+runID)
}

// Credentials implements supervisor.Database.
func (g *givenDatabase) Credentials() sparkwright.Credentials {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.db == nil {
		return sparkwright.Credentials{}
	}
	return g.db.Credentials()
}

// CancelRun implements supervisor.Database. What was never reached has nothing
// to cancel from here: the job's end closes its connections.
func (g *givenDatabase) CancelRun(ctx context.Context, runID string) error {
	g.mu.Lock()
	db := g.db
	g.mu.Unlock()
	if db == nil || db.unseen() {
		return nil
	}
	return db.CancelRun(ctx, runID)
}

// Connection implements supervisor.Located.
func (g *givenDatabase) Connection() sparkwright.Connection { return g.conn }

// AWSConnection implements supervisor.Located.
func (g *givenDatabase) AWSConnection(runID string) (jobscript.AWSConnection, error) {
	return awsConnection(g.conn, runID)
}

// unseen reports whether the database has never shown its catalog.
func (d *database) unseen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.catalog == nil
}

// FindTable implements supervisor.TableFinder: glue.DATABASE.TABLE and s3://
// URLs.
func (d *databases) FindTable(ctx context.Context, name string) (*sparkwright.Table, error) {
	rest, isGlue := strings.CutPrefix(name, glue.Connection+".")
	if _, err := d.settings.Connection(glue.Connection); err == nil {
		isGlue = false // a connection of that name comes first
	}
	database, table, ok := strings.Cut(rest, ".")
	if (!isGlue || !ok) && !artifact.IsS3(name) {
		return nil, nil //nolint:nilnil // a name of another kind
	}
	c, err := newCloud(ctx, d.settings)
	if err != nil {
		return nil, err
	}
	if artifact.IsS3(name) {
		return s3Table(ctx, c.s3, name)
	}
	return c.glue.Table(ctx, database, table)
}
