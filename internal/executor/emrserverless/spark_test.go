//go:build soak

package emrserverless_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	executor "github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/executortest"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emulator "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// world is an emulated AWS whose jobs run on a real Spark 3.5.
type world struct {
	cfg    aws.Config // of everything but EMR Serverless
	emr    *emulator.Server
	ledger string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	opt := localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t), Progress: func(text string) { t.Log(text) }}
	rt, err := localruntime.InstallEMR(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	cloud, err := awsemu.Start(t.Context(), opt, filepath.Join(t.TempDir(), "moto.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cloud.Stop(t.Context()) })
	w := &world{cfg: cloud.Config(), ledger: filepath.Join(t.TempDir(), "ledger.jsonl")}
	seeded, err := awsemu.Seed(t.Context(), w.cfg, awsemu.Database{Name: "none", Host: "127.0.0.1", Port: 5432, Database: "d", User: "u", Password: "p"}, rt.Driver)
	if err != nil {
		t.Fatal(err)
	}
	around, err := emulator.NewCloud(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.emr, err = emulator.Start(t.Context(), emulator.Config{
		Runner: emulator.SparkRunner{SparkHome: rt.SparkHome, Env: rt.Env(), Java: rt.JavaOptions()}, Cloud: around, LedgerPath: w.ledger, Dir: t.TempDir(),
		Timing: emulator.Timing{LogFlush: 200 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.emr.Close() })
	for id, input := range seeded.Applications() {
		if err = w.emr.AddApplication(id, input); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// executor has S3 and logs at one address and EMR Serverless at another, as
// AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_EMR_SERVERLESS say it.
func (w *world) executor(t *testing.T) *executor.Executor {
	t.Helper()
	return executor.New(executor.Config{
		AWS: w.cfg, EMR: func(o *emrserverless.Options) { o.BaseEndpoint = aws.String(w.emr.URL()) },
		Instance: "swtest", Bucket: awsemu.Bucket, ExecutorMemory: "1g", ExecutorCores: 2, TimeoutMinutes: 10,
		LogGroup: "/aws/emr-serverless", Interval: 200 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
}

// The suite of all executors, on Spark 3.5 behind the wire protocol, with the
// job's own policy in force.
func TestConformance(t *testing.T) {
	w := newWorld(t)
	results := artifact.NewS3(awscloud.NewS3(w.cfg))
	executortest.Suite{
		Executor:  w.executor(t),
		Restarted: func() sparkwright.Executor { return w.executor(t) },
		Job: func(t *testing.T, id, analysis string) sparkwright.Job {
			t.Helper()
			location := "s3://" + awsemu.Bucket + "/output/s1/" + id + "/1"
			script, err := jobscript.RenderAWS(jobscript.AWSSpec{
				RunID: id, AttemptID: id + "-1", Location: location, Analysis: analysis, PreviewRows: 10,
			})
			if err != nil {
				t.Fatal(err)
			}
			return sparkwright.Job{
				Attempt:   sparkwright.Attempt{ID: id + "-1", RunID: id, Number: 1, Analysis: analysis, Script: script, StartedAt: time.Now().UTC()},
				Location:  location,
				Placement: sparkwright.Placement{Executor: executor.Name, Application: awsemu.StandardApp},
			}
		},
		Load: func(t *testing.T, job sparkwright.Job) *sparkwright.Manifest {
			t.Helper()
			m, err := results.Load(t.Context(), job.Location, job.Attempt.RunID, job.Attempt.ID)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			for _, p := range m.Parts {
				if err = fetch(t, results, m, p, filepath.Join(dir, p.Path)); err != nil {
					t.Fatal(err)
				}
			}
			local := *m
			local.Location = dir
			return &local
		},
		Gone: func(h sparkwright.Handle) sparkwright.Handle {
			var data map[string]any
			if err := json.Unmarshal(h.Data, &data); err != nil {
				t.Fatal(err)
			}
			data["job"], data["location"] = "00nobody", "s3://"+awsemu.Bucket+"/output/s1/r_gone/1"
			h.Data, _ = json.Marshal(data)
			return h
		},
	}.Run(t)
	entries, err := emulator.ReadLedger(w.ledger)
	if err != nil {
		t.Fatal(err)
	}
	if twice := emulator.Duplicates(entries); len(twice) > 0 {
		t.Errorf("started twice: %v", twice)
	}
}

func fetch(t *testing.T, results *artifact.S3, m *sparkwright.Manifest, p sparkwright.Part, path string) error {
	t.Helper()
	from, err := results.Open(t.Context(), m, p)
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // read only
	if err = os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	to, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err = io.Copy(to, from); err != nil {
		return err
	}
	return to.Close()
}
