package supervisor

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// Reader stands between the job of an attempt and the databases that it reads:
// it may hold a snapshot, put itself into the way, and keep what was read.
type Reader interface {
	// Begin is called before the attempt's script is rendered. It may change
	// reads. After a change of process it is called again for an attempt that
	// goes on.
	Begin(ctx context.Context, run *sparkwright.Run, a *sparkwright.Attempt, reads []readplan.Read, dbs map[string]Database) (Reading, error)
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

// Cancel implements Reading.
func (d *direct) Cancel() {}

// End implements Reading.
func (d *direct) End(context.Context, *sparkwright.Run) {}

func (j *job) beginReading(ctx context.Context, a *sparkwright.Attempt) error {
	if j.reading != nil {
		return nil
	}
	if err := j.needReads(ctx); err != nil {
		return err
	}
	if j.s.cfg.Reader == nil || j.inAWS() {
		j.reading = &direct{runID: j.run.ID, dbs: j.opened}
		return nil
	}
	j.describeSecond()
	var err error
	j.reading, err = j.s.cfg.Reader.Begin(ctx, j.run, a, j.reads, j.opened)
	return err
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
