package emrserverless

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

const (
	maxParameters  = 102_400
	maxEntryPoint  = 4096
	defaultTimeout = 720 // minutes
)

var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/.{1,64}$`)

// job is a job run.
type job struct {
	in                           startInput
	app, id, arn, release        string
	createdBy                    string
	state, details               string
	created, updated             time.Time
	started, ended               time.Time
	queued                       time.Duration
	attempt                      int // from 1
	attempts                     []attempt
	attemptCreated, attemptStart time.Time

	cancelled chan struct{} // closed when someone cancels it
	grace     time.Duration
	done      chan struct{} // closed in a terminal state
}

// attempt is one try of a job that is over.
type attempt struct {
	number                  int
	state, details          string
	created, started, ended time.Time
}

func terminal(state string) bool { return state == Success || state == Failed || state == Cancelled }

func (s *Server) startJobRun(r *http.Request, body []byte) (any, error) {
	var in startInput
	line := Entry{Operation: "StartJobRun", Application: r.PathValue("app"), RequestSHA256: digest(body)}
	err := decode(body, &in)
	line.ClientToken, line.Name = in.ClientToken, in.Name
	var j *job
	var replayed bool
	if err == nil {
		j, replayed, err = s.accept(r, in, line.RequestSHA256)
	}
	switch {
	case err != nil:
		line.Outcome = "refused: " + err.Error()
	case replayed:
		line.Outcome, line.JobRun = OutcomeReplayed, j.id
	default:
		line.Outcome, line.JobRun = OutcomeAccepted, j.id
	}
	if werr := s.ledger.write(line, s.cfg.Now()); werr != nil {
		return nil, werr
	}
	if err != nil {
		return nil, err
	}
	if !replayed {
		s.work.Go(func() { s.carryOut(s.ctx, j) })
	}
	return map[string]string{"applicationId": j.app, "jobRunId": j.id, "arn": j.arn}, nil
}

// accept makes a job of a request, or finds the one that its token has made.
func (s *Server) accept(r *http.Request, in startInput, sum string) (*job, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, false, err
	}
	if err = checkStart(in); err != nil {
		return nil, false, err
	}
	key := "jobruns/" + app.id + "/" + in.ClientToken
	known, err := s.rememberedLocked(key, sum)
	if err != nil {
		return nil, false, err
	}
	if j := s.jobs[known]; j != nil {
		return j, true, nil
	}
	switch app.state {
	case appStarted, appStarting:
	case appCreated, appStopped, appStopping:
		if app.in.AutoStart != nil && app.in.AutoStart.Enabled != nil && !*app.in.AutoStart.Enabled {
			return nil, false, conflict("Application " + app.id + " is " + app.state + " and does not start by itself")
		}
	default:
		return nil, false, conflict("Application " + app.id + " is " + app.state)
	}
	id, now := s.newIDLocked("job"), s.cfg.Now()
	sig, _ := parseSignature(r)
	j := &job{
		in: in, app: app.id, id: id, arn: app.arn + "/jobruns/" + id, release: *app.in.ReleaseLabel,
		createdBy: "arn:aws:iam::" + s.cfg.Account + ":user/" + sig.accessKey, state: Submitted, created: now, updated: now,
		attempt: 1, attemptCreated: now, cancelled: make(chan struct{}), done: make(chan struct{}),
	}
	s.jobs[id] = j
	s.tokens[key] = token{id, sum, now}
	app.running++
	return j, false, nil
}

// checkStart looks at a request as the service's model describes it.
func checkStart(in startInput) error {
	if err := checkToken(in.ClientToken); err != nil {
		return err
	}
	switch {
	case !roleARN.MatchString(in.ExecutionRoleARN):
		return invalid("executionRoleArn must be the ARN of a role")
	case in.Driver == nil || in.Driver.SparkSubmit == nil:
		return invalid("jobDriver.sparkSubmit must be given: this emulator runs Spark jobs only")
	case in.Driver.SparkSubmit.EntryPoint == "" || len(in.Driver.SparkSubmit.EntryPoint) > maxEntryPoint:
		return invalid("entryPoint must have 1 to 4096 characters")
	case len(in.Driver.SparkSubmit.Parameters) > maxParameters:
		return invalid("sparkSubmitParameters must not have more than 102400 characters")
	case in.TimeoutMinutes != nil && (*in.TimeoutMinutes < 0 || *in.TimeoutMinutes > 1_000_000):
		return invalid("executionTimeoutMinutes must be a number from 0 to 1000000")
	case in.Mode != "" && in.Mode != "BATCH" && in.Mode != "STREAMING":
		return invalid("mode must be BATCH or STREAMING")
	case in.Retry != nil && in.Retry.MaxAttempts != nil && *in.Retry.MaxAttempts < 1:
		return invalid("retryPolicy.maxAttempts must be at least 1")
	case len(in.Name) > 256:
		return invalid("name must have 1 to 256 characters")
	case len(in.Tags) > 200:
		return invalid("there may be 200 tags")
	}
	_, err := parameters(in.Driver.SparkSubmit.Parameters)
	return err
}

// findJobLocked returns a job run of the application in the path.
func (s *Server) findJobLocked(r *http.Request) (*job, error) {
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	j := s.jobs[r.PathValue("job")]
	if j == nil || j.app != app.id {
		return nil, notFound("JobRun", r.PathValue("job"))
	}
	return j, nil
}

func (s *Server) getJobRun(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.findJobLocked(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"jobRun": s.outputLocked(j)}, nil
}

func (s *Server) outputLocked(j *job) jobOutput {
	out := jobOutput{
		Application: j.app, ID: j.id, Name: j.in.Name, ARN: j.arn, CreatedBy: j.createdBy,
		CreatedAt: epoch(j.created), UpdatedAt: epoch(j.updated), StartedAt: epoch(j.started), EndedAt: epoch(j.ended),
		ExecutionRole: j.in.ExecutionRoleARN, ExecutionPolicy: j.in.ExecutionPolicy, State: j.state, StateDetails: j.details,
		ReleaseLabel: j.release, Overrides: j.in.Overrides, Driver: j.in.Driver, Tags: maps.Clone(j.in.Tags),
		TimeoutMinutes: j.timeout(), Mode: j.mode(), Retry: j.in.Retry, Attempt: j.attempt,
		AttemptCreated: epoch(j.attemptCreated), AttemptUpdated: epoch(j.updated), QueuedMillis: j.queued.Milliseconds(),
	}
	if app := s.apps[j.app]; app.in.Network != nil {
		out.Network = *app.in.Network
	}
	if !j.started.IsZero() {
		until := j.ended
		if until.IsZero() {
			until = s.cfg.Now()
		}
		seconds := int(until.Sub(j.started).Seconds())
		hours := until.Sub(j.started).Hours()
		out.Seconds = &seconds
		if terminal(j.state) {
			out.Utilization = map[string]float64{"vCPUHour": 4 * hours, "memoryGBHour": 16 * hours, "storageGBHour": 20 * hours}
			out.Billed = out.Utilization
		}
	}
	return out
}

func (j *job) timeout() int {
	if j.in.TimeoutMinutes != nil {
		return *j.in.TimeoutMinutes
	}
	return defaultTimeout
}

func (j *job) mode() string {
	if j.in.Mode != "" {
		return j.in.Mode
	}
	return "BATCH"
}

// jobType is what a list calls the type of a Spark job.
func (j *job) jobType() string {
	if strings.HasSuffix(j.in.Driver.SparkSubmit.EntryPoint, ".jar") {
		return "Spark"
	}
	return "SparkSubmit"
}

func (j *job) summary() jobSummary {
	return jobSummary{
		Application: j.app, ID: j.id, Name: j.in.Name, Mode: j.mode(), ARN: j.arn, CreatedBy: j.createdBy,
		CreatedAt: epoch(j.created), UpdatedAt: epoch(j.updated), ExecutionRole: j.in.ExecutionRoleARN,
		State: j.state, StateDetails: j.details, ReleaseLabel: j.release, Type: j.jobType(),
		Attempt: j.attempt, AttemptCreated: epoch(j.attemptCreated), AttemptUpdated: epoch(j.updated),
	}
}

func (s *Server) listJobRuns(r *http.Request, _ []byte) (any, error) {
	after, err := queryTime(r, "createdAtAfter")
	if err != nil {
		return nil, err
	}
	before, err := queryTime(r, "createdAtBefore")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	states, mode := r.URL.Query()["states"], r.URL.Query().Get("mode")
	var found []*job
	for _, j := range s.jobs {
		switch {
		case j.app != app.id,
			len(states) > 0 && !slices.Contains(states, j.state),
			mode != "" && mode != j.mode(),
			!after.IsZero() && !j.created.After(after),
			!before.IsZero() && !j.created.Before(before):
		default:
			found = append(found, j)
		}
	}
	sort.Slice(found, func(a, b int) bool { // newest first
		if !found[a].created.Equal(found[b].created) {
			return found[a].created.After(found[b].created)
		}
		return found[a].id > found[b].id
	})
	page, next, err := pageOf(r, found)
	out := []jobSummary{}
	for _, j := range page {
		out = append(out, j.summary())
	}
	return withNext(map[string]any{"jobRuns": out}, next), err
}

func (s *Server) listAttempts(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.findJobLocked(r)
	if err != nil {
		return nil, err
	}
	tries := append([]attempt{}, j.attempts...)
	if !terminal(j.state) || len(tries) == 0 {
		tries = append(tries, attempt{j.attempt, j.state, j.details, j.attemptCreated, j.attemptStart, time.Time{}})
	}
	all := make([]jobSummary, len(tries))
	for i, t := range tries {
		all[i] = j.summary()
		all[i].State, all[i].StateDetails, all[i].Attempt = t.state, t.details, t.number
		all[i].CreatedAt, all[i].StartedAt, all[i].EndedAt = epoch(t.created), epoch(t.started), epoch(t.ended)
		all[i].JobCreatedAt = epoch(j.created)
	}
	page, next, err := pageOf(r, all)
	return withNext(map[string]any{"jobRunAttempts": page}, next), err
}

func (s *Server) cancelJobRun(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	j, err := s.findJobLocked(r)
	if err == nil && terminal(j.state) {
		err = invalid("JobRun " + j.id + " is in the terminal state " + j.state)
	}
	if err == nil && j.state != Cancelling {
		j.state, j.updated = Cancelling, s.cfg.Now()
		j.details = "JobRun is being cancelled by the caller."
		if text := r.URL.Query().Get("shutdownGracePeriodInSeconds"); text != "" {
			j.grace, err = time.ParseDuration(text + "s")
		}
		close(j.cancelled)
	}
	s.mu.Unlock()
	line := Entry{Operation: "CancelJobRun", Application: r.PathValue("app"), JobRun: r.PathValue("job"), Outcome: OutcomeAccepted}
	if err != nil {
		line.Outcome = "refused: " + err.Error()
	}
	if werr := s.ledger.write(line, s.cfg.Now()); werr != nil {
		return nil, werr
	}
	if err != nil {
		return nil, err
	}
	return map[string]string{"applicationId": j.app, "jobRunId": j.id}, nil
}

func (s *Server) jobDashboard(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, err := s.findJobLocked(r)
	if err != nil {
		return nil, err
	}
	return map[string]string{"url": s.url + "/dashboard/" + j.app + "/" + j.id}, nil
}
