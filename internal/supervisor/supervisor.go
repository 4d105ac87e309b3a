// Package supervisor carries runs from their request to a final state. The
// control flow is plain and deterministic; a generator only ever writes the
// analysis body.
//
// A run goes through short steps, one file each:
//
//	catalog → generate → check → (approval) → submit → poll → collect
//	                ↑ repair ←──────┴──────────────────┴───────┘
//
// Every step ends in one transaction that stores what came of it together with
// the job of the queue that goes on (Store.Commit). Steps that need not wait
// follow one another in the same job.
//
// Ownership. A run that is carried out has a lease: a fence number in its row.
// A server that has been silent for too long, or whose process is gone, loses
// its leases: the others, or the next one on this machine, take its runs over
// within seconds (reconcile.go). A paused server that wakes up finds its writes
// refused and stops. It asks before it submits; what was past that question in
// the very moment of the pause goes out late, finds the job of its token, or,
// when it runs on this machine, is cancelled with the commit that is refused.
// A foreground run (Ask) belongs to the process that asked; when that dies, the
// run fails with OWNER_LOST.
//
// What is outside is done once: an attempt is stored before it is submitted,
// and its handle at once after it. An executor whose attempts outlive the
// process gets the same attempt again (Job.Again) when the handle is not known.
// Attempts in the process that died are lost and made once more, as they only
// read. A generator may be asked twice when a server dies between its answer
// and the transaction that stores it.
package supervisor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/store"
)

// Databases finds databases by the names of their connections.
type Databases interface {
	// Open returns the database of that connection; CodeNotFound names the
	// nearest ones.
	Open(ctx context.Context, connection string) (Database, error)
	// Names lists the connections.
	Names(ctx context.Context) ([]string, error)
}

// Database is one PostgreSQL database that can be asked about.
type Database interface {
	// Catalog is everything in it. It may be some seconds old.
	Catalog(ctx context.Context) (*sparkwright.Catalog, error)
	// JDBCURL is how a job reaches it, without credentials.
	JDBCURL(runID string) (string, error)
	Credentials() sparkwright.Credentials
	// CancelRun ends what a run left in the database.
	CancelRun(ctx context.Context, runID string) error
}

// Config is what a Service works with.
type Config struct {
	Varying

	// Now tells what the settings say at this moment; nil = what is above, for
	// good. It is asked often and answers from memory.
	Now func() *Varying

	Store       *store.Store
	Databases   Databases
	Reaped      func(ctx context.Context) []string // connections in which dead processes may have left something; nil = none
	CheckClient func(ctx context.Context, runID string) (check.Client, error)
	Reader      Reader // nil = jobs reach the databases by themselves
	// Readings reads a question as one of the choices that it was asked back with;
	// nil = every ambiguous question is asked back.
	Readings sparkwright.Generator
	// Definitions are those of the catalog's connections that hold for its
	// tables, and notes on those that do not; nil = none.
	Definitions func(ctx context.Context, catalog *sparkwright.Catalog) (*sparkwright.Definitions, []string, error)
	ViewsOf     func(code string, catalog *sparkwright.Catalog) []string
	NewID       func() string
	CheckSpace  func() error
	Explain     func(f *sparkwright.Fault)
	Nearest     func(name string, candidates []string, n int) []string
	ResultsDir  string
	PreviewRows int
	Cores       int
	PlaceReason string // why the local executor is the place
	Timing      Timing
	Failpoint   func(name string) // called at named points, for crash tests; may be nil
	Log         *slog.Logger
}

// Varying is what the settings may change while runs are under way. A run takes
// what holds at each of its steps.
type Varying struct {
	Generator     sparkwright.Generator
	GeneratorName string
	// Executors by placement. One that has attempts stays, whatever the settings say.
	Executors  map[string]sparkwright.Executor
	LoadResult func(location, runID, attemptID string) (*sparkwright.Manifest, error)
	// RemoveResult removes what is at an s3:// location; nil = nothing is there.
	RemoveResult func(ctx context.Context, location string) error
	// Copy says where on this machine a table of S3 is, for jobs that run here;
	// it may make a copy first. nil = nowhere.
	Copy func(ctx context.Context, url string) (path string, err error)
	// Modules stores the Python modules with which a job on EMR Serverless holds
	// one state of a database, and says at which s3:// URL; nil = nowhere.
	Modules func(ctx context.Context) (url string, err error)
	AWS     placement.AWS
	Place   func(placement.Input) (sparkwright.Placement, error) // nil = placement.Decide
	// Preflight looks at what would make a run fail at its place, before a model
	// is paid; it answers from memory where it can. What it returns beside an
	// error is told. nil = it does not look.
	Preflight func(ctx context.Context, site Site) (warnings []string, err error)
	// Engine is which of them answers when a request leaves it open:
	// placement.EngineAuto or EngineSpark, which "" means too.
	Engine string
	Direct DirectLimits
	// Rates are what places in AWS have and cost, by executor.
	Rates  map[string]receipt.Rate
	Limits Limits
	House  House
}

// Site is where a run goes and what it reads there.
type Site struct {
	Placement sparkwright.Placement
	Databases []SiteDatabase
}

// SiteDatabase is one database of PostgreSQL that a run reads.
type SiteDatabase struct {
	Database   Database
	Connection sparkwright.Connection
	Distant    bool // this process does not reach it
}

// DirectLimits bound what PostgreSQL answers by itself.
type DirectLimits struct {
	Cost float64 // of EXPLAIN
	Time time.Duration
}

// Limits bound what is accepted and what a run may cost. 0 = no limit, but for
// Repairs and Retries, where it is none.
type Limits struct {
	QuestionChars int
	Queue         int            // open runs
	SessionRuns   int            // open runs of one session
	Attempts      map[string]int // open attempts, by executor
	ResultBytes   int64          // of one result
	Repairs       int            // revisions that replace a faulty analysis
	Retries       int            // attempts made once more after a transient fault
	Losses        int            // attempts made once more after their server has died
	RunTokens     int            // that a run may use at the model; no repair is begun above it
	RunTime       time.Duration  // after which no repair is begun
	RunCents      int            // US cents at the model above which no repair is begun
	DayTokens     int            // of all runs of 24 hours; no model is asked above it
}

// Timing says how often and how long. Zero values are replaced by defaults.
type Timing struct {
	Beat    time.Duration // between two signs of life; 1 s
	Silence time.Duration // after which a server is taken for dead; 8 s
	Look    time.Duration // between two looks for runs without an owner; 2 s
	Fetch   time.Duration // between two looks into the queue; 100 ms
	Slice   time.Duration // how long one job of the queue may follow an attempt in this process; 20 s
	Backoff time.Duration // before the first retry; doubles; 1 s
	Workers int           // jobs of the queue at once; 32
}

func (t *Timing) defaults() {
	for _, d := range []struct {
		value *time.Duration
		is    time.Duration
	}{
		{&t.Beat, time.Second},
		{&t.Silence, 8 * time.Second},
		{&t.Look, 2 * time.Second},
		{&t.Fetch, 100 * time.Millisecond},
		{&t.Slice, 20 * time.Second},
		{&t.Backoff, time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.is
		}
	}
	if t.Workers == 0 {
		t.Workers = 32
	}
}

// Service carries out runs. It is safe for concurrent use. Close it.
type Service struct {
	cfg     Config
	id      string // of this server, in the store and in the queue
	changed *broadcast
	active  *active
	kept    *kept
	beat    *heartbeat

	mu       sync.Mutex
	queue    *river.Client[tx]
	ctx      context.Context //nolint:containedctx // of everything in the background; Close ends it
	end      context.CancelCauseFunc
	alive    bool // this server is known, and says so
	watching bool // lookElsewhere runs
	worked   sync.WaitGroup
}

// errStopping ends what is under way because the process does.
var errStopping = errors.New("the server stops")

// New returns a Service that accepts runs. Start has it carry them out.
func New(cfg Config) *Service {
	cfg.Timing.defaults()
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	s := &Service{
		cfg: cfg, id: "s_" + hex.EncodeToString(random[:]), changed: newBroadcast(), active: newActive(), kept: newKept(),
	}
	s.beat = &heartbeat{silence: cfg.Timing.Silence}
	s.ctx, s.end = context.WithCancelCause(context.Background())
	return s
}

// Close lets go of everything: what this process carried out is taken over by
// another server, or by the next one here. It waits as long as ctx lasts.
func (s *Service) Close(ctx context.Context) error {
	s.end(errStopping)
	s.mu.Lock()
	queue, alive := s.queue, s.alive
	s.mu.Unlock()
	var err error
	if queue != nil && alive {
		err = queue.StopAndCancel(ctx)
	}
	done := make(chan struct{})
	go func() { s.worked.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, sparkwright.Errorf(sparkwright.CodeTimeout, "runs have not let go in time"), ctx.Err())
	}
	if alive {
		err = errors.Join(err, s.cfg.Store.Forget(ctx, s.id))
	}
	return err
}

// now is what the settings say at this moment.
func (s *Service) now() *Varying {
	if s.cfg.Now != nil {
		return s.cfg.Now()
	}
	return &s.cfg.Varying
}

// place decides where a run goes.
func (s *Service) place(in placement.Input) (sparkwright.Placement, error) {
	if place := s.now().Place; place != nil {
		return place(in)
	}
	return placement.Decide(in)
}

// failpoint is a named point at which crash tests end the process.
func (s *Service) failpoint(name string) {
	if s.cfg.Failpoint != nil {
		s.cfg.Failpoint(name)
	}
}
