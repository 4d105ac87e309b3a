package supervisor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// Located is a Database that says where it is, and how a job in AWS logs in to
// it.
type Located interface {
	Connection() sparkwright.Connection
	// AWSConnection is for the job's script. CodeInvalid when a job elsewhere
	// cannot log in.
	AWSConnection(runID string) (jobscript.AWSConnection, error)
}

// GivenDatabases are Databases that also open what a request describes whole.
type GivenDatabases interface {
	// OpenGiven returns the database of a table. CodeInvalid when its URL or its
	// secret may not be used.
	OpenGiven(ctx context.Context, t *sparkwright.GivenTable) (Database, error)
}

// TableFinder is Databases that find some tables by their whole names, without
// a catalog: Glue tables and s3:// URLs.
type TableFinder interface {
	// FindTable returns the table; nil when the name is of another kind.
	FindTable(ctx context.Context, name string) (*sparkwright.Table, error)
}

// given adds the tables that the request describes whole. Where this process
// cannot reach their database, what the request says of the columns is their
// catalog.
func (j *job) given(ctx context.Context, catalog *sparkwright.Catalog) error {
	if len(j.req.Given) == 0 {
		return nil
	}
	dbs, ok := j.s.cfg.Databases.(GivenDatabases)
	if !ok {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "tables without a saved connection cannot be asked about here")
	}
	names := map[string]string{} // by what makes a database another one
	for i := range j.req.Given {
		g := &j.req.Given[i]
		key := g.Connection + "\n" + g.JDBCURL + "\n" + g.SecretARN + "\n" + g.Database
		name := names[key]
		if name == "" {
			name = g.Connection
			for n := 2; j.opened[name] != nil; n++ { // a saved one, or another given one
				name = fmt.Sprintf("%s_%d", g.Connection, n)
			}
			db, err := dbs.OpenGiven(ctx, g)
			if err != nil {
				return err
			}
			names[key], j.opened[name] = name, db
		}
		t, err := j.givenTable(ctx, name, g)
		if err != nil {
			return err
		}
		catalog.Tables = append(catalog.Tables, *t)
	}
	return nil
}

// lookTime bounds how long it is tried to reach a given table's database.
const lookTime = 12 * time.Second

func (j *job) givenTable(ctx context.Context, name string, g *sparkwright.GivenTable) (*sparkwright.Table, error) {
	var all *sparkwright.Catalog
	var err error
	if !j.distant[name] {
		look, cancel := context.WithTimeout(ctx, lookTime)
		all, err = j.opened[name].Catalog(look)
		cancel()
	}
	if all != nil {
		for i := range all.Tables {
			if t := &all.Tables[i]; t.Schema == g.Schema && t.Name == g.Table {
				found := *t
				found.Connection = name
				return &found, nil
			}
		}
		return nil, notFound("table", name+"."+g.Schema+"."+g.Table, nil, "the database "+g.Database)
	}
	if len(g.Columns) == 0 {
		if err == nil {
			err = sparkwright.Errorf(sparkwright.CodeUnavailable, "the database of %s cannot be reached, and the request says nothing of its columns", name)
		}
		return nil, err
	}
	j.distant[name] = true
	t := &sparkwright.Table{
		Connection: name, Database: g.Database, Schema: g.Schema, Name: g.Table, Kind: sparkwright.KindTable, Readable: true,
		RowEstimate: -1, Bytes: -1,
	}
	for _, c := range g.Columns {
		if c.BaseType == "" {
			c.BaseType = baseType(c.Type)
		}
		t.Columns = append(t.Columns, c)
	}
	return t, nil
}

// baseType is pg_type's name of a type as information_schema writes it.
func baseType(name string) string {
	name, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(name)), "(")
	name = strings.TrimSpace(name)
	if b, ok := map[string]string{
		"integer": "int4", "bigint": "int8", "smallint": "int2", "double precision": "float8", "real": "float4", "boolean": "bool",
		"character varying": "varchar", "character": "bpchar", "timestamp without time zone": "timestamp",
		"timestamp with time zone": "timestamptz", "time without time zone": "time", "time with time zone": "timetz",
		"decimal": "numeric", "array": "_text", "user-defined": "text", "bit varying": "varbit",
	}[name]; ok {
		return b
	}
	return name
}

// place decides where the run goes that reads these tables.
func (j *job) place(tables []sparkwright.Table) (sparkwright.Placement, error) {
	in := placement.Input{
		Asked: j.req.Executor, AWS: j.s.now().AWS, Local: j.s.cfg.PlaceReason, OutputPath: j.req.OutputPath, Session: j.run.Session,
	}
	for i := range tables {
		t := &tables[i]
		p := placement.Table{
			Name: t.QualifiedName(), Source: t.Source, Location: t.Location, Bytes: placement.Estimate(t, named(j.run.Analysis, t)), Distant: j.distant[t.Connection],
		}
		if db, ok := j.opened[t.Connection].(Located); ok {
			c := db.Connection()
			p.Host = c.Host
			p.Remote = strings.HasPrefix(c.Secret, "aws-sm:") || c.AuthMethod == sparkwright.AuthIAM
		}
		in.Tables = append(in.Tables, p)
	}
	return j.s.place(in)
}

// preflight looks at what would make the run fail there.
func (j *job) preflight(ctx context.Context, p sparkwright.Placement, tables []sparkwright.Table) ([]string, error) {
	look := j.s.now().Preflight
	if look == nil {
		return nil, nil
	}
	site, seen := Site{Placement: p}, map[string]bool{}
	for i := range tables {
		name := tables[i].Connection
		db, ok := j.opened[name].(Located)
		if !ok || seen[name] {
			continue
		}
		seen[name] = true
		c := db.Connection()
		c.Name = name
		site.Databases = append(site.Databases, SiteDatabase{Database: j.opened[name], Connection: c, Distant: j.distant[name]})
	}
	return look(ctx, site)
}

// word is what may be the name of a column in an analysis.
var word = regexp.MustCompile(`[\pL_][\pL\pN_]*`)

// named are the columns of a table whose names occur in an analysis; nil when
// that cannot be told, which counts as all of them.
func named(analysis string, t *sparkwright.Table) []string {
	if analysis == "" || strings.Contains(analysis, "*") {
		return nil
	}
	words := map[string]bool{}
	for _, w := range word.FindAllString(analysis, -1) {
		words[strings.ToLower(w)] = true
	}
	var list []string
	for i := range t.Columns {
		name := t.Columns[i].Name
		if words[strings.ToLower(name)] || word.FindString(name) != name {
			list = append(list, name)
		}
	}
	return list
}

// inAWS reports whether the run's jobs run there.
func (j *job) inAWS() bool {
	return j.run.Placement.Executor == placement.EMR || j.run.Placement.Executor == placement.Lambda
}

// location is where an attempt writes.
func (j *job) location(attempt int) string {
	if j.inAWS() {
		return fmt.Sprintf("%s/%d", resultsInS3(j.run), attempt)
	}
	return filepath.Join(j.s.cfg.ResultsDir, j.run.ID, fmt.Sprint(attempt))
}

// resultsInS3 is below which the attempts of a run write in AWS.
func resultsInS3(run *sparkwright.Run) string {
	return strings.TrimRight(run.Placement.OutputPath, "/") + "/" + run.ID
}

// findModules has what the job of a new attempt holds one state of its
// databases with.
func (j *job) findModules(ctx context.Context) {
	j.work.Modules, j.unheld = "", ""
	if j.run.Placement.Executor != placement.EMR || len(jobscript.ConnectionsOf(j.reads)) == 0 {
		return
	}
	store := j.s.now().Modules
	if store == nil {
		j.unheld = "pg8000 is not there"
		return
	}
	url, err := j.awaitModules(ctx, store)
	if err != nil {
		j.s.cfg.Log.WarnContext(ctx, "the job holds no snapshot by itself", "run_id", j.run.ID, "error", err)
		j.unheld = err.Error()
	}
	j.work.Modules = url
}

// silence is how long something may take before people are told of it.
const silence = 2 * time.Second

// awaitModules says what the run waits for, when that is not quick: the modules
// are made ready once.
func (j *job) awaitModules(ctx context.Context, store func(context.Context) (string, error)) (url string, err error) {
	made := make(chan struct{})
	go func() {
		defer close(made)
		url, err = store(ctx)
	}()
	late := time.NewTimer(silence)
	defer late.Stop()
	select {
	case <-made:
		return url, err
	case <-late.C:
	}
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: j.engine(), Text: "makes pg8000 ready for the first job, to read one state of the database"})
	if failed := j.flush(ctx); failed != nil {
		j.s.cfg.Log.WarnContext(ctx, "progress not stored", "run_id", j.run.ID, "error", failed)
	}
	<-made
	return url, err
}

// snapshot is the state of a connection that this process holds for a job in
// AWS, or why it holds none and, without modules, the job cannot either.
func (j *job) snapshot(name string, a *sparkwright.Attempt) sparkwright.Snapshot {
	out := sparkwright.Snapshot{Connection: name, Time: a.StartedAt, None: "Sparkwright holds no snapshot for jobs elsewhere"}
	for _, s := range j.reading.Snapshots() {
		if s.Connection == name {
			out = s
		}
	}
	if out.ID == "" && j.work.Modules == "" {
		out.None += "; and the job cannot hold one by itself: " + j.unheld
	}
	return out
}

// awsScript renders the file of an attempt in AWS.
func (j *job) awsScript(a *sparkwright.Attempt) (string, error) {
	spec := jobscript.AWSSpec{
		RunID: j.run.ID, AttemptID: a.ID, Location: j.location(a.Number), Analysis: a.Analysis, Driver: j.run.Placement.Driver,
		Modules: j.work.Modules, Reads: j.reads, PreviewRows: j.s.cfg.PreviewRows,
	}
	guards := readplan.AllGuards(j.reads, a.Analysis) // Spark's plan is not known before
	for _, name := range jobscript.ConnectionsOf(j.reads) {
		c, err := j.awsConnection(name)
		if err != nil {
			return "", err
		}
		c.Guard, c.Snapshot = guards[name], j.snapshot(name, a)
		spec.Connections = append(spec.Connections, c)
	}
	return jobscript.RenderAWS(spec)
}

func (j *job) awsConnection(name string) (jobscript.AWSConnection, error) {
	db, ok := j.opened[name].(Located)
	if !ok {
		return jobscript.AWSConnection{}, sparkwright.Errorf(sparkwright.CodeInvalid, "no job in AWS can read %s", name)
	}
	c, err := db.AWSConnection(j.run.ID)
	c.Name = name
	return c, err
}

// access is what a job in AWS reads.
func (j *job) access() (sparkwright.Access, error) {
	var out sparkwright.Access
	if !j.inAWS() {
		return out, nil
	}
	for _, name := range jobscript.ConnectionsOf(j.reads) {
		c, err := j.awsConnection(name)
		if err != nil {
			return out, err
		}
		if c.SecretARN != "" {
			out.Secrets = append(out.Secrets, c.SecretARN)
		}
		if c.IAM {
			user := c.User
			if user == "" {
				user = "*" // the secret knows
			}
			out.Logins = append(out.Logins, sparkwright.RDSLogin{Region: c.Region, User: user})
		}
	}
	for i := range j.reads {
		t := &j.reads[i].Table
		if t.Source == sparkwright.SourceGlue {
			out.Glue = append(out.Glue, sparkwright.GlueTable{Database: t.Database, Table: t.Name})
		}
		if strings.HasPrefix(t.Location, "s3://") {
			out.Prefixes = append(out.Prefixes, t.Location)
		}
	}
	return out, nil
}

// later goes on with a step that has to wait for something outside, and says
// for what; ok is false for any other error.
func (j *job) later(step string, err error) (_ next, ok bool) {
	wait, ok := errors.AsType[*sparkwright.LaterError](err)
	if !ok {
		return next{}, false
	}
	if j.work.Waits != wait.Why {
		j.work.Waits = wait.Why
		j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "waiting", Text: wait.Why})
	}
	return next{step: step, wait: max(wait.After, time.Second)}, true
}

// lambdaResources is the class of faults of executor/lambda that a larger
// place may not have.
const lambdaResources = "LAMBDA_RESOURCES"

// move takes a run from Lambda to EMR Serverless, once, and says so.
func (j *job) move(f *sparkwright.Fault) bool {
	if f.Class != lambdaResources || j.run.Placement.Executor != placement.Lambda || j.s.now().AWS.Application == "" {
		return false
	}
	p := &j.run.Placement
	p.Executor, p.Application = placement.EMR, j.s.now().AWS.Application
	p.Reason = fmt.Sprintf("moved from Lambda to EMR Serverless application %s: %s", p.Application, f.Message)
	if f.Because != "" {
		p.Reason += " (" + f.Because + ")"
	}
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "move", Text: p.Reason})
	return true
}
