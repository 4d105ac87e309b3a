package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	"github.com/sparkwright/sparkwright/internal/jobscript"
)

// victimDir names, in the environment, the directory of a process that is
// there to be killed.
const victimDir = "SPARKWRIGHT_TEST_VICTIM"

// victim carries the attempts of its directory to their end, as a server does:
// what it knows of an attempt is on disk before it goes on. It may be killed at
// any time and started again.
func victim(dir string) error {
	ctx := context.Background()
	cfg, err := awscloud.Load(ctx, awscloud.Options{})
	if err != nil {
		return err
	}
	e := emrserverless.New(emrserverless.Config{
		AWS: cfg, Instance: "victim", Bucket: awsemu.Bucket, RoleARN: awsemu.RoleARN, TimeoutMinutes: 10, Interval: 20 * time.Millisecond,
	})
	jobs, err := filepath.Glob(filepath.Join(dir, "*.job"))
	if err != nil {
		return err
	}
	for _, path := range jobs {
		if err := attend(ctx, e, strings.TrimSuffix(path, ".job")); err != nil {
			return err
		}
	}
	return nil
}

// attend submits an attempt unless its handle is known, and polls it.
func attend(ctx context.Context, e *emrserverless.Executor, base string) error {
	if _, err := os.Stat(base + ".done"); err == nil {
		return nil
	}
	text, err := os.ReadFile(base + ".job")
	if err != nil {
		return err
	}
	var job sparkwright.Job
	if err = json.Unmarshal(text, &job); err != nil {
		return err
	}
	script, err := os.ReadFile(base + ".py")
	if err != nil {
		return err
	}
	job.Attempt.Script = string(script)
	var h sparkwright.Handle
	if known, readErr := os.ReadFile(base + ".handle"); readErr == nil {
		if err = json.Unmarshal(known, &h); err != nil {
			return err
		}
	} else {
		// As the supervisor does: that a job may have been started is known before it is.
		_, tried := os.Stat(base + ".tried")
		if err = artifact.WriteFile(base+".tried", nil); err != nil {
			return err
		}
		job.Again = tried == nil
		if h, err = submit(ctx, e, job); err != nil {
			return err
		}
		if text, err = json.Marshal(h); err != nil {
			return err
		}
		if err = artifact.WriteFile(base+".handle", text); err != nil {
			return err
		}
	}
	for {
		out, err := e.Poll(ctx, h, &sink{})
		if err != nil {
			return err
		}
		if out.State.Final() {
			return artifact.WriteFile(base+".done", []byte(out.State))
		}
		e.Wait(ctx, h)
	}
}

func submit(ctx context.Context, e *emrserverless.Executor, job sparkwright.Job) (sparkwright.Handle, error) {
	for {
		h, err := e.Submit(ctx, job)
		if _, later := errors.AsType[*sparkwright.LaterError](err); !later {
			return h, err
		}
		job.Again = true
		time.Sleep(20 * time.Millisecond) //nolint:forbidigo // a process that only waits
	}
}

// killRounds kills a process that carries attempts out, again and again, until
// the number of kills is reached and every attempt has ended well. The calls of
// the process meet lost answers, lost requests, throttling and a service that
// has forgotten its tokens.
func killRounds(t *testing.T, l *lab.Lab, kills int, longest time.Duration, newJob func(n int) sparkwright.Job) {
	t.Helper()
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	killed, jobs := 0, 0
	for ; killed < kills; jobs++ {
		job := newJob(jobs)
		base := filepath.Join(dir, fmt.Sprintf("%03d", jobs))
		text, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		for path, content := range map[string][]byte{base + ".job": text, base + ".py": []byte(job.Attempt.Script)} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for range 6 { // then it is left alone
			l.EMR.SetFaults(faults(random)...)
			if random.IntN(3) == 0 {
				l.EMR.ForgetTokens()
			}
			ended, err := round(t, l, dir, time.Duration(random.Int64N(int64(longest))))
			if err != nil {
				t.Fatal(err)
			}
			if ended {
				break
			}
			killed++
		}
		l.EMR.SetFaults()
		if _, err := round(t, l, dir, 5*time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d kills, %d attempts", killed, jobs)
	for n := range jobs {
		state, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%03d.done", n)))
		if err != nil || string(state) != string(sparkwright.AttemptSucceeded) {
			t.Errorf("attempt %d: %s, %v", n, state, err)
		}
	}
	entries, err := emr.ReadLedger(l.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	for _, e := range entries {
		if e.Outcome == emr.OutcomeAccepted && e.Operation == "StartJobRun" {
			accepted++
		}
	}
	if d := emr.Duplicates(entries); len(d) > 0 || accepted != jobs {
		t.Errorf("%d jobs were started for %d attempts; twice: %v", accepted, jobs, d)
	}
}

func faults(random *rand.Rand) []emr.Fault {
	kinds := []emr.FaultKind{emr.LoseResponse, emr.LoseRequest, emr.Throttle, emr.Error503, emr.Stall, emr.Forget}
	start := emr.Fault{Operation: "StartJobRun", Kind: kinds[random.IntN(len(kinds))], Times: 1 + random.IntN(2), Delay: 200 * time.Millisecond}
	if start.Kind == emr.Forget {
		start.Times = 1 // tokens live for hours: none is forgotten between a call and the SDK's repetition of it
	}
	return []emr.Fault{
		start,
		{Operation: "ListJobRuns", Kind: kinds[1+random.IntN(len(kinds)-1)], Skip: random.IntN(3), Times: 1, Delay: 100 * time.Millisecond},
	}
}

// round runs the process once. It reports whether it ended by itself before it
// was killed.
func round(t *testing.T, l *lab.Lab, dir string, after time.Duration) (ended bool, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	cmd := exec.Command(self, "-test.run=^$")
	cmd.Env = append(os.Environ(), append(l.Env(), victimDir+"="+dir)...)
	out, err := os.Create(filepath.Join(dir, "victim.log"))
	if err != nil {
		return false, err
	}
	defer func() { _ = out.Close() }()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return false, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case err := <-done:
		if err != nil {
			text, _ := os.ReadFile(out.Name())
			return true, fmt.Errorf("the process failed by itself: %w\n%s", err, text)
		}
		return true, nil
	case <-timer.C:
		_ = cmd.Process.Kill()
		<-done //nolint:errcheck // killed
		// Tokens live for hours, so none is forgotten while its request is on its way.
		settle, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		return false, l.EMR.Settle(settle)
	}
}

// plainJob is an attempt on the standard application that reads nothing.
func plainJob(t *testing.T, n int) sparkwright.Job {
	t.Helper()
	return awsJob(t, fmt.Sprintf("r-kill-%d", n), awsemu.StandardApp, "", jobscript.AWSSpec{Analysis: "result = spark.range(1)"})
}

// A process that is killed at any time, and whose calls go wrong, starts one
// job for each attempt and finds it again.
func TestKilledProcessStartsEachJobOnce(t *testing.T) {
	t.Parallel()
	l := plainLab(t, emr.ResultRunner{Takes: 300 * time.Millisecond})
	killRounds(t, l, 20, 1500*time.Millisecond, func(n int) sparkwright.Job { return plainJob(t, n) })
}
