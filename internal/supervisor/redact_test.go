package supervisor_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

const loudPassword = "canary pä+ss/w0rd-77"

// withPassword are databases whose logins have a password that can be looked for.
type withPassword struct{ supervisor.Databases }

func (w withPassword) Open(ctx context.Context, name string) (supervisor.Database, error) {
	db, err := w.Databases.Open(ctx, name)
	return login{db}, err
}

type login struct{ supervisor.Database }

func (login) Credentials() sparkwright.Credentials {
	return sparkwright.Credentials{User: "reader", Password: loudPassword}
}

// leaky is an executor whose jobs print the password in every way, in pieces,
// and fail with it.
type leaky struct{ sparkwright.Executor }

func (l leaky) Poll(ctx context.Context, h sparkwright.Handle, sink sparkwright.Sink) (sparkwright.Outcome, error) {
	out, err := l.Executor.Poll(ctx, h, sink)
	if err != nil || !out.State.Final() {
		return out, err
	}
	for i := range len(loudPassword) {
		sink.Log("stdout", loudPassword[i:i+1])
	}
	sink.Log("stdout", "\n"+base64.StdEncoding.EncodeToString([]byte("reader:" + loudPassword))[:20])
	sink.Log("stdout", base64.StdEncoding.EncodeToString([]byte("reader:" + loudPassword))[20:]+"\nends like it: cana")
	return sparkwright.Outcome{State: sparkwright.AttemptFailed, Fault: &sparkwright.Fault{
		Kind: sparkwright.FaultInfrastructure, Class: "X", Message: "login with " + loudPassword + " failed", Because: "p=" + loudPassword, Log: "log " + loudPassword,
	}}, nil
}

// TestPasswordsOfJobs: what a job prints goes into events, faults and replies,
// the password does not.
func TestPasswordsOfJobs(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"result = spark.table('t')"}, func(cfg *supervisor.Config) {
		cfg.Databases = withPassword{cfg.Databases}
		for name, e := range cfg.Executors {
			cfg.Executors[name] = leaky{e}
		}
	})
	run := p.end(t, p.submit(t, sparkwright.Request{Question: "q", Tables: []string{"t"}}))
	events, err := p.Events(t.Context(), run.ID, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	printed := ""
	for i := range events {
		printed += events[i].Text
	}
	whole, err := json.Marshal([]any{run, events})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"canary p", "w0rd-77", base64.StdEncoding.EncodeToString([]byte("reader:" + loudPassword))[12:30]} {
		if strings.Contains(string(whole), part) || strings.Contains(printed, part) {
			t.Errorf("%q is told: %s", part, whole)
		}
	}
	if !strings.Contains(printed, "[redacted]\n") || !strings.Contains(printed, "ends like it: cana") || !strings.Contains(run.Fault.Message, "login with [redacted] failed") {
		t.Errorf("printed %q, fault %+v", printed, run.Fault)
	}
}
