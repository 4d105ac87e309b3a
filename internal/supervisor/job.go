package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/redact"
	"github.com/sparkwright/sparkwright/internal/store"
)

// The steps, as they are stored.
const (
	stepCatalog  = "catalog"
	stepGenerate = "generate"
	stepCheck    = "check"
	stepApproval = "approval"
	stepSubmit   = "submit"
	stepPoll     = "poll"
	stepCollect  = "collect"
	stepCancel   = "cancel"
)

// steps are what is done in each step, and how people see it.
var steps = map[string]struct {
	shown string // in events and timings; submit, poll and collect are one
	do    func(*job, context.Context) (next, error)
}{
	stepCatalog:  {"catalog", (*job).catalogStep},
	stepGenerate: {"generate", (*job).generateStep},
	stepCheck:    {"check", (*job).checkStep},
	stepApproval: {"", (*job).approvalStep},
	stepSubmit:   {"", (*job).submitStep},
	stepPoll:     {"", (*job).pollStep},
	stepCollect:  {"", (*job).collectStep},
	stepCancel:   {"", (*job).cancelStep},
}

// next is what a step leads to.
type next struct {
	step  string
	wait  time.Duration // before it
	own   bool          // in this process only
	yield bool          // in a job of its own
	final bool          // the run has ended; step is not used
	until bool          // somebody outside puts the run into the queue again
}

// work is what the steps remember beside the run itself.
type work struct {
	Began    time.Time `json:"began"`              // of the first step
	Approved string    `json:"approved,omitempty"` // hash of the code that may run
	Cached   string    `json:"cached,omitempty"`   // hash under which the code is kept
	Tries    int       `json:"tries,omitempty"`    // cancels sent
	Spark    time.Time `json:"spark,omitzero"`     // when the last attempt began
	Waits    string    `json:"waits,omitempty"`    // what the run was last said to wait for
	Linted   bool      `json:"linted,omitempty"`   // the lint has sent the code back once
	Modules  string    `json:"modules,omitempty"`  // where the newest attempt's Python modules are
	// Schema is the answer's by the dry run; NotDirect, that PostgreSQL could not
	// answer by itself after all.
	Schema    []sparkwright.ResultColumn `json:"schema,omitempty"`
	NotDirect bool                       `json:"not_direct,omitempty"`
}

// job is one run under way in this process.
type job struct {
	s       *Service
	lease   store.Lease
	run     *sparkwright.Run
	req     sparkwright.Request
	step    string
	work    work
	approve func(*sparkwright.Run) bool
	observe func(*sparkwright.Run, sparkwright.Event)
	alone   bool      // in the foreground: no queue
	held    time.Time // when the store last said that the run is this server's; see certain

	// What goes into the next transaction.
	events   []sparkwright.Event
	entered  bool // the run is in another state
	put      *sparkwright.Attempt
	revision *sparkwright.Revision
	fault    *sparkwright.Fault // of the newest revision
	places   int

	// What is found again at need after a change of process.
	opened  map[string]Database
	distant map[string]bool // databases that this process does not reach
	catalog *sparkwright.Catalog
	reads   []readplan.Read
	client  check.Client // of the check; the attempt may go on in it
	reading Reading
	unheld  string                    // why the attempt has no modules
	hidden  *redact.Secrets           // passwords that no log may hold
	streams map[string]*redact.Stream // what the attempt prints, by stream
}

// resume goes on with a run that is held.
func (s *Service) resume(h *store.Held) *job {
	j := &job{s: s, lease: h.Lease, run: h.Run, req: h.Request, step: h.Step, opened: map[string]Database{}, distant: map[string]bool{}}
	if h.Work != nil {
		_ = json.Unmarshal(h.Work, &j.work) // what is missing begins anew
	}
	if j.step == "" {
		j.step = stepCatalog
	}
	return j
}

// carryOut does steps until the run is final or has to wait. An error says
// that it could not be stored how it goes on; the reconcile loop then finds the
// run.
func (j *job) carryOut(parent context.Context) error {
	if !j.alone {
		parent = context.WithoutCancel(parent) // the queue ends its jobs only when this server stops
	}
	ctx, cancel := context.WithCancelCause(access.As(parent, j.run.User))
	defer cancel(nil)
	stop := context.AfterFunc(j.s.ctx, func() { cancel(errStopping) }) //nolint:contextcheck // the service's own end
	defer stop()
	j.s.active.cancellable(j.run.ID, cancel)
	comesBack := true // when it could not be stored how it goes on
	defer func() {
		j.letGo(ctx)
		j.keepReading(ctx, comesBack)
	}()
	j.findReading(ctx)
	if wanted, err := j.s.cfg.Store.CancelRequested(ctx, j.run.ID); err != nil {
		return err
	} else if wanted {
		cancel(errCancelWanted)
	}
	for {
		n, err := j.advance(ctx)
		if err != nil {
			return err
		}
		if n.final || n.until || n.yield && !j.alone {
			comesBack = n.own
			return nil
		}
		if n.wait > 0 {
			if !j.alone {
				comesBack = n.own
				return nil
			}
			wait(ctx, n.wait, context.Cause(ctx) != nil)
		}
	}
}

// wait lets time pass. A cancel that is to be sent again waits all of it.
func wait(ctx context.Context, d time.Duration, again bool) {
	if again {
		ctx = context.WithoutCancel(ctx)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// advance does one step and stores what came of it.
func (j *job) advance(ctx context.Context) (next, error) {
	var n next
	var err error
	if context.Cause(ctx) == nil {
		if j.work.Began.IsZero() {
			j.work.Began = time.Now().UTC()
		}
		began := time.Now()
		shown := steps[j.step].shown
		if shown != "" {
			j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: shown, Text: "started"})
			if err = j.flush(ctx); err != nil {
				return n, err
			}
		}
		n, err = j.guarded(ctx)
		if shown != "" {
			j.took(shown, began, err)
		}
	}
	// What ends the step from outside comes before what the step says.
	switch cause := context.Cause(ctx); {
	case errors.Is(err, store.ErrFenced):
		j.abandon(ctx)
		return n, err
	case errors.Is(cause, errStopping):
		return n, errors.Join(err, cause)
	case cause != nil && !n.final:
		ctx = context.WithoutCancel(ctx)
		var again error
		if n, again = j.cancelStep(ctx); again != nil {
			n, err = next{step: stepCancel, wait: j.cancelAgain()}, nil
			j.s.cfg.Log.WarnContext(ctx, "cancel to be sent again", "run_id", j.run.ID, "error", again)
		} else {
			err = nil
		}
	}
	if err != nil {
		if n, err = j.failed(ctx, err); err != nil {
			return n, err
		}
	}
	err = j.commit(ctx, n)
	if errors.Is(err, store.ErrFenced) {
		j.abandon(ctx)
	}
	return n, err
}

// abandon stops what this process carries out for a run that it has lost.
func (j *job) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	a, executor := j.attempt(), j.s.now().Executors[j.run.Placement.Executor]
	if a != nil && a.Handle != nil && executor != nil && !durable(executor) {
		if err := executor.Cancel(ctx, *a.Handle); err != nil {
			j.s.cfg.Log.WarnContext(ctx, "lost attempt not stopped", "run_id", j.run.ID, "error", err)
		}
	}
	j.endReading(ctx)
}

// took notes when a step began, how long it took and how it ended.
func (j *job) took(shown string, began time.Time, err error) {
	j.run.Timings = append(j.run.Timings, sparkwright.Timing{
		Step: shown, StartedAt: began.UTC().Truncate(time.Microsecond), Seconds: time.Since(began).Seconds(),
	})
	text := "done"
	if err != nil {
		text = "failed"
	}
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: shown, Text: text})
}

// guarded turns a panic of a step into an error: a defect in one question
// must not end the process that carries others.
func (j *job) guarded(ctx context.Context) (n next, err error) {
	defer func() {
		if p := recover(); p != nil {
			j.s.cfg.Log.ErrorContext(ctx, "step panicked", "run_id", j.run.ID, "step", j.step, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &sparkwright.Error{
				Code: sparkwright.CodeInternal, Message: "a defect of Sparkwright stopped the run in the step " + j.step,
				Because: fmt.Sprint(p), Remedy: "ask in other words, and please report it with the run's id",
			}
		}
	}()
	step, is := steps[j.step]
	if !is {
		return n, sparkwright.Errorf(sparkwright.CodeInternal, "the run is at an unknown step %q", j.step)
	}
	return step.do(j, ctx)
}

// enter changes the state of the run, in the next transaction.
func (j *job) enter(state sparkwright.RunState) {
	if j.run.State != state {
		j.run.State, j.entered = state, true
	}
}

// tell adds an event to the next transaction.
func (j *job) tell(e sparkwright.Event) {
	e.RunID, e.At = j.run.ID, time.Now().UTC().Truncate(time.Microsecond)
	j.events = append(j.events, e)
}

// flush stores the events that have been told so far.
func (j *job) flush(ctx context.Context) error {
	began := time.Now()
	if err := j.s.cfg.Store.AppendEvents(ctx, j.lease, j.events); err != nil {
		return err
	}
	if len(j.events) > 0 {
		j.confirmed(began)
	}
	j.show()
	return nil
}

// show hands on the events that are stored.
func (j *job) show() {
	events := j.events
	j.events = nil
	if len(events) > 0 {
		j.s.changed.tell(j.run.ID)
	}
	if j.observe != nil {
		for _, e := range events {
			j.observe(j.run, e)
		}
	}
}

// storeTime bounds a transaction that has to be made although its caller has
// gone.
const storeTime = 15 * time.Second

// commit stores a transition, with the job that goes on from it.
func (j *job) commit(ctx context.Context, n next) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	j.step = n.step
	if j.entered { // what led to it comes first
		j.tell(sparkwright.Event{Type: sparkwright.EventState, State: j.run.State})
		j.entered = false
	}
	memory, err := json.Marshal(j.work)
	if err != nil {
		return fmt.Errorf("store the run: %w", err)
	}
	c := &store.Change{
		Run: j.run, Step: n.step, Work: memory, Attempt: j.put, Places: j.places, Events: j.events, Revision: j.revision, Fault: j.fault,
	}
	if !j.alone && !n.final {
		switch {
		case n.own:
			if n.wait > 0 || n.yield {
				c.Then = j.goOn(j.s.ownQueue(), n.wait)
			}
		case n.until:
			c.Release = true
		case n.wait > 0 || n.yield:
			c.Release = true
			c.Then = j.goOn(anyServer, n.wait)
		}
	}
	j.s.failpoint(j.failpointName(n) + ":before")
	began := time.Now()
	if err := j.s.cfg.Store.Commit(ctx, j.lease, c); err != nil {
		return err
	}
	j.confirmed(began)
	j.s.failpoint(j.failpointName(n) + ":after")
	j.put, j.revision, j.fault, j.places = nil, nil, nil, 0
	j.show()
	if n.final {
		j.s.changed.tell(j.run.ID)
	}
	return nil
}

func (j *job) goOn(queue string, d time.Duration) func(context.Context, tx) (int64, error) {
	return func(ctx context.Context, t tx) (int64, error) { return j.s.enqueue(ctx, t, j.lease, queue, d) }
}

func (j *job) failpointName(n next) string {
	if n.final {
		return "commit:final"
	}
	return "commit:" + n.step
}

// attempt is the newest attempt; nil when there is none.
func (j *job) attempt() *sparkwright.Attempt {
	if n := len(j.run.Attempts); n > 0 {
		return &j.run.Attempts[n-1]
	}
	return nil
}
