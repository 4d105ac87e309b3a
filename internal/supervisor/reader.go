package supervisor

import (
	"context"
	"slices"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/receipt"
)

// Reader stands between the job of an attempt and the databases that it reads:
// it may hold a snapshot, put itself into the way, and keep what was read.
type Reader interface {
	// Begin is called before the attempt's script is rendered. It may change
	// reads. After a change of process it is called again for an attempt that
	// goes on.
	Begin(ctx context.Context, o Opening) (Reading, error)
	// Compare says whether analyses of one question give the same rows now, where
	// that is known cheaply; why tells what differs, or why it is not known. The
	// statements are what the database was asked.
	Compare(ctx context.Context, run *sparkwright.Run, catalog *sparkwright.Catalog, readings []*sparkwright.Analysis) (state sparkwright.SecondState, why string, asked []sparkwright.Statement)
	// Hold is called instead for a job in AWS, which reaches the databases by
	// itself: where this process reaches them too, it exports a state of each for
	// the job to adopt. Where it cannot, the reading's snapshot says why.
	Hold(ctx context.Context, o Opening) Reading
}

// Opening is what a Reader gets of an attempt.
type Opening struct {
	Run       *sparkwright.Run
	Attempt   *sparkwright.Attempt
	Reads     []readplan.Read
	Databases map[string]Database
	Distant   map[string]bool            // databases that this process does not reach
	Schema    []sparkwright.ResultColumn // of the answer, by the dry run on Spark; may be empty
	// Direct asks whether PostgreSQL can answer by itself; nil = Spark shall.
	Direct *Direct
}

// Direct says what PostgreSQL may answer by itself.
type Direct struct {
	Schema []sparkwright.ResultColumn // of the answer, by the dry run on Spark
	Cost   float64                    // that PostgreSQL may expect
	Time   time.Duration              // that it may take
}

// Reading is what one attempt reads through.
type Reading interface {
	// URL is how the job reaches a connection, without credentials.
	URL(connection string) (string, error)
	// Credentials are the job's login there.
	Credentials(connection string) sparkwright.Credentials
	// Snapshots are the states that are read, one for each connection.
	Snapshots() []sparkwright.Snapshot
	// Guard is what Spark may not hand to the database of a connection.
	Guard(connection string) readplan.Guard
	// Query is the statement with which PostgreSQL answers by itself, and why;
	// nil = Spark carries the attempt out.
	Query() (q *sparkwright.Query, reason string)
	// Cancel stops at once what the attempt reads, and refuses the rest.
	Cancel()
	// End is called once when the attempt is over, in whatever way. It may add
	// to the run: its receipt, its snapshot.
	End(ctx context.Context, run *sparkwright.Run)
}

// direct has jobs reach the databases by themselves.
type direct struct {
	runID string
	dbs   map[string]Database
	began time.Time
}

// URL implements Reading.
func (d *direct) URL(connection string) (string, error) { return d.dbs[connection].JDBCURL(d.runID) }

// Credentials implements Reading.
func (d *direct) Credentials(connection string) sparkwright.Credentials {
	return d.dbs[connection].Credentials()
}

// Snapshots implements Reading.
func (d *direct) Snapshots() []sparkwright.Snapshot { return nil }

// Guard implements Reading.
func (d *direct) Guard(string) readplan.Guard { return readplan.Guard{} }

// Query implements Reading.
func (d *direct) Query() (*sparkwright.Query, string) { return nil, "" }

// Cancel implements Reading.
func (d *direct) Cancel() {}

// End implements Reading.
func (d *direct) End(_ context.Context, run *sparkwright.Run) {
	if run.Receipt != nil {
		receipt.Took(run.Receipt, time.Since(d.began).Seconds())
	}
}

func (j *job) beginReading(ctx context.Context, a *sparkwright.Attempt) error {
	if j.reading != nil {
		return nil
	}
	if err := j.needReads(ctx); err != nil {
		return err
	}
	if j.s.cfg.Reader == nil || j.inAWS() {
		j.reading = &direct{runID: j.run.ID, dbs: j.opened, began: a.StartedAt}
		if a.Handle == nil && j.inAWS() { // else it is written
			j.expectAWS()
		}
		if j.s.cfg.Reader != nil && a.Script == "" { // a script that is written has its snapshot
			j.describeSecond()
			j.reading = j.s.cfg.Reader.Hold(ctx, Opening{Run: j.run, Attempt: a, Reads: j.reads, Databases: j.opened, Distant: j.distant})
		}
		return nil
	}
	j.describeSecond()
	var err error
	j.reading, err = j.s.cfg.Reader.Begin(ctx, Opening{Run: j.run, Attempt: a, Reads: j.reads, Databases: j.opened, Direct: j.mayBeDirect(a), Schema: j.work.Schema})
	return err
}

// expectAWS is the receipt of an attempt in AWS. What earlier ones were billed
// stays.
func (j *job) expectAWS() {
	var before sparkwright.Cost
	if j.run.Receipt != nil {
		before = j.run.Receipt.Actual
	}
	j.run.Receipt = receipt.ExpectAWS(j.reads, j.s.now().Rates[j.run.Placement.Executor])
	j.run.Receipt.Actual = before
}

// holds reports whether this process holds a state that a job elsewhere reads:
// then it is the one to follow the attempt.
func (j *job) holds() bool {
	return j.reading != nil && j.inAWS() &&
		slices.ContainsFunc(j.reading.Snapshots(), func(s sparkwright.Snapshot) bool { return s.ID != "" })
}

// sayUnchecked tells why nothing is held against the answer of a job in AWS
// that another process has begun, or this one before it was started anew.
func (j *job) sayUnchecked() {
	if _, is := j.reading.(*direct); j.s.cfg.Reader == nil || !j.inAWS() || j.reading != nil && !is {
		return
	}
	const why = "Sparkwright holds no snapshot of this job"
	second := j.second()
	if second != nil {
		second.Why = why
	}
	j.run.Crosscheck = &sparkwright.Crosscheck{State: sparkwright.CrosscheckNotChecked, Why: why, Second: second}
}

// endReading lets go of what the attempt read through.
func (j *job) endReading(ctx context.Context) {
	if j.reading != nil {
		j.reading.End(context.WithoutCancel(ctx), j.run)
		j.reading = nil
	}
}

// cancelBackends ends what the run still does in its databases.
func (j *job) cancelBackends(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if j.reading != nil {
		j.reading.Cancel()
	}
	if j.needReads(ctx) != nil {
		return // its tables cannot be found any more
	}
	for _, name := range jobscript.ConnectionsOf(j.reads) {
		if j.opened[name] == nil {
			continue
		}
		if err := j.opened[name].CancelRun(ctx, j.run.ID); err != nil {
			j.s.cfg.Log.WarnContext(ctx, "backends not cancelled", "run_id", j.run.ID, "connection", name, "error", err)
		}
	}
}
