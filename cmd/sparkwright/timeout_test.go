package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
)

// A job that runs longer than spark.emr_timeout_minutes is ended by EMR
// Serverless: the run has failed and says why, and nothing goes on, neither on
// the workers nor in PostgreSQL.
func TestRunOverItsTimeLimit(t *testing.T) {
	t.Parallel()
	conn, pg := ordersDatabase(t)
	if _, err := pg.Exec(t.Context(), "CREATE VIEW slow AS SELECT i, pg_sleep(0.1)::text AS s FROM generate_series(1, 100000) i"); err != nil {
		t.Fatal(err)
	}
	l := sparkLab(t, conn, emr.Timing{Step: 20 * time.Millisecond, Minute: 40 * time.Second})
	conf := l.World.Settings()
	conf["spark"].(map[string]any)["emr_timeout_minutes"] = 1
	s := l.serve(t, conf)
	read := make(chan bool, 1)
	go func() { // what the job does in PostgreSQL before its time is over
		other, err := pgx.ConnectConfig(t.Context(), pg.Config())
		if err != nil {
			read <- false
			return
		}
		defer other.Close(t.Context()) //nolint:errcheck // nothing is lost
		n := 0
		for n == 0 && other.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sparkwright/r%' AND query LIKE '%slow%' AND state = 'active'").Scan(&n) == nil {
			time.Sleep(200 * time.Millisecond) //nolint:forbidigo // until the run is over
		}
		read <- n > 0
	}()
	result := s.post(t, "/spark/execute", map[string]any{
		"spark_code": "result = spark.table(\"slow\")", "session_id": t.Name(), "execution_platform": "emr",
		"selected_postgres_tables": []any{map[string]any{"connection_name": "aurora", "database": conn.Database, "schema": "public", "table": "slow"}},
	})
	if result.Outcome != "failed" || !strings.Contains(result.Message, "longer than the time limit") || !strings.Contains(result.Message, "spark.emr_timeout_minutes") {
		t.Errorf("%s, %q", result.Outcome, result.Message)
	}
	select {
	case ok := <-read:
		if !ok {
			t.Error("nobody looked at PostgreSQL")
		}
	default:
		t.Error("the job never read: its time limit has shown nothing")
	}
	within(t, "no backend of the run", func() bool {
		n := -1
		err := pg.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'sparkwright/r%'").Scan(&n)
		return err == nil && n == 0
	})
	within(t, "no scratch directory of a job", func() bool {
		left, err := os.ReadDir(filepath.Join(l.dir, "jobs"))
		return err == nil && len(left) == 0
	})
	if left := processesIn(t, l.dir); len(left) > 0 {
		t.Errorf("processes of the job are left: %v", left)
	}
	jobs, err := emrserverless.NewFromConfig(l.Config()).ListJobRuns(t.Context(), &emrserverless.ListJobRunsInput{ApplicationId: &[]string{awsemu.PostgresApp}[0]})
	if err != nil || len(jobs.JobRuns) != 1 || jobs.JobRuns[0].State != types.JobRunStateCancelled {
		t.Errorf("%+v, %v", jobs, err)
	}
}

// within waits for something that happens soon.
func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		if ok() {
			return
		}
	}
	t.Errorf("not so after 30 s: %s", what)
}

// processesIn are the processes whose command line names a job's directory.
func processesIn(t *testing.T, dir string) (found []string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), filepath.Join(dir, "jobs")) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}
