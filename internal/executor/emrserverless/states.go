package emrserverless

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// attemptState maps the nine states of a job run; it is the only place that
// knows them. A state that is new to us counts as running.
func attemptState(state string) sparkwright.AttemptState {
	switch state {
	case "SUBMITTED", "PENDING", "QUEUED", "SCHEDULED":
		return sparkwright.AttemptSubmitted
	case "RUNNING":
		return sparkwright.AttemptRunning
	case "SUCCESS":
		return sparkwright.AttemptSucceeded
	case "FAILED":
		return sparkwright.AttemptFailed
	case "CANCELLING":
		return sparkwright.AttemptCancelling
	case "CANCELLED":
		return sparkwright.AttemptCancelled
	default:
		return sparkwright.AttemptRunning
	}
}

// judge decides the outcome of a job that is over, by what it has left.
func (e *Executor) judge(ctx context.Context, d *data, st *status, told *told) sparkwright.Outcome {
	out := sparkwright.Outcome{State: attemptState(st.state)}
	if out.State == sparkwright.AttemptSucceeded {
		_, err := e.results.Load(ctx, d.Location, d.RunID, d.Attempt)
		switch {
		case err == nil:
			return out
		case awscloud.Passing(err): // ask again
			told.keep(sparkwright.AttemptRunning)
			return sparkwright.Outcome{State: sparkwright.AttemptRunning}
		}
		out.State = sparkwright.AttemptFailed
		out.Fault = &sparkwright.Fault{
			Kind: sparkwright.FaultLost, Class: "JOB_LOST", Message: "EMR Serverless says SUCCESS, but there is no result (" + err.Error() + ")",
			Remedy: "look at the job's log, and at " + d.Location,
		}
	}
	fault, err := e.results.LoadFault(ctx, d.Location)
	if err != nil && awscloud.Passing(err) {
		told.keep(sparkwright.AttemptRunning)
		return sparkwright.Outcome{State: sparkwright.AttemptRunning}
	}
	switch {
	case fault != nil && out.State == sparkwright.AttemptFailed:
		out.Fault = fault
		out.Fault.Kind, out.Fault.Because = "", st.details
	case out.Fault != nil:
	case out.State == sparkwright.AttemptCancelled && e.timedOut(st):
		out.State, out.Fault = sparkwright.AttemptFailed, e.timeout(st)
	case out.State == sparkwright.AttemptCancelled:
		out.Fault = &sparkwright.Fault{Kind: sparkwright.FaultCancelled, Class: "CANCELLED", Message: "the run was cancelled", Because: st.details}
	case e.timedOut(st):
		out.Fault = e.timeout(st)
	default:
		out.Fault = &sparkwright.Fault{
			Kind: sparkwright.FaultInfrastructure, Class: "EMR_JOB_FAILED", Message: "the job failed on EMR Serverless before it could say why",
			Because: st.details, Remedy: "look at its log: sparkwright runs logs " + d.RunID,
		}
	}
	if log := told.recent(); log != "" { // else what the job said of its causes
		out.Fault.Log = log
	}
	return out
}

// What a job's details say of its time limit, and of connections that it
// waited for: those are no time limit.
var (
	timeLimit    = regexp.MustCompile(`(?i)time-?out|timed out`)
	otherTimeout = regexp.MustCompile(`(?i)\b(connect|connection|read|socket) (time-?out|timed out)`)
)

// timedOut reports whether a job was ended by its time limit.
func (e *Executor) timedOut(st *status) bool {
	if timeLimit.MatchString(otherTimeout.ReplaceAllString(st.details, "")) {
		return true
	}
	limit := time.Duration(e.cfg.TimeoutMinutes) * time.Minute
	return limit > 0 && st.state == "CANCELLED" && !st.updated.IsZero() && st.updated.Sub(st.created) > limit+grace
}

func (e *Executor) timeout(st *status) *sparkwright.Fault {
	return &sparkwright.Fault{
		Kind: sparkwright.FaultTimeout, Class: "ATTEMPT_TIMEOUT", Message: "the run took longer than the time limit", Because: st.details,
		Remedy: "ask for less, or raise spark.emr_timeout_minutes in the settings",
	}
}

// lost is the outcome of a job that EMR Serverless does not know: its files
// may still tell.
func (e *Executor) lost(ctx context.Context, d *data) sparkwright.Outcome {
	if _, err := e.results.Load(ctx, d.Location, d.RunID, d.Attempt); err == nil {
		return sparkwright.Outcome{State: sparkwright.AttemptSucceeded}
	}
	return sparkwright.Outcome{State: sparkwright.AttemptLost, Fault: &sparkwright.Fault{
		Kind: sparkwright.FaultLost, Class: "JOB_LOST", Message: "EMR Serverless does not know the job " + d.Job,
		Remedy: "check the application " + d.Application + " and the region",
	}}
}

// waiting says for people what an attempt waits for.
func waiting(err error) string {
	switch awscloud.Classify(err) {
	case awscloud.Credentials:
		return "waiting: the AWS credentials have expired or are missing; log in to AWS again"
	case awscloud.Throttled:
		return "waiting: AWS accepts no more requests at the moment"
	default:
		return "waiting: AWS does not answer"
	}
}

// told is what has been said of a job, so that nothing is said twice, and the
// cursors of its logs.
type told struct {
	mu      sync.Mutex
	line    string
	known   sparkwright.AttemptState
	end     string // last lines, for faults
	bytes   int
	read    time.Time         // of the logs
	reading sync.Mutex        // held while the logs are read; guards the cursors
	streams map[string]string // CloudWatch: next token by stream
	offsets map[string]int64  // S3: bytes read by object
}

func (e *Executor) told(job string) *told {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := e.said[job]
	if t == nil {
		t = &told{streams: map[string]string{}, offsets: map[string]int64{}}
		e.said[job] = t
	}
	return t
}

// note tells a line once.
func (t *told) note(sink sparkwright.Sink, line string) {
	t.mu.Lock()
	again := t.line == line
	t.line = line
	t.mu.Unlock()
	if !again {
		sink.Log("emr", line+"\n")
	}
}

// state tells a state of EMR's with its details.
func (t *told) state(sink sparkwright.Sink, st *status) {
	line := st.state
	if st.details != "" {
		line += ": " + st.details
	}
	t.note(sink, line)
	t.keep(attemptState(st.state))
}

func (t *told) keep(state sparkwright.AttemptState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known = state
}

func (t *told) last() sparkwright.AttemptState {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.known
}

func (t *told) recent() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.end
}

// forget drops what is kept of a job that is over.
func (e *Executor) forget(d *data) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.said, d.Job)
	if a := e.watched[d.Application]; a != nil {
		delete(a.jobs, d.Job)
	}
}
