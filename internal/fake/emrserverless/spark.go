package emrserverless

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright/internal/childproc"
)

// SparkRunner carries out attempts by spark-submit, on this machine.
type SparkRunner struct {
	SparkHome string
	Env       []string // of Spark's processes, without anything of AWS
	Master    string   // default local[2]
	Java      string   // options for the driver's Java, each after a space
	// Extra are further variables for each job, for tests.
	Extra []string
}

var _ Runner = SparkRunner{}

// shortJobs has Java compile once, quickly: an emulated job is over before more
// pays.
const shortJobs = " -XX:TieredStopAtLevel=1"

// stopGrace is how long a job has to end after it was told to.
const stopGrace = 10 * time.Second

// Run implements Runner. Entry point, jars and files are found by Spark itself
// at their s3:// URLs.
func (r SparkRunner) Run(ctx context.Context, t Task) Exit {
	conf := filepath.Join(t.Dir, "conf")
	if err := r.writeConf(conf, t); err != nil {
		return Exit{Err: err}
	}
	args := append([]string{"--properties-file", filepath.Join(conf, "spark-defaults.conf")}, t.Parameters...)
	args = append(args, t.EntryPoint)
	args = append(args, t.Arguments...)
	cmd := exec.Command(filepath.Join(r.SparkHome, "bin", "spark-submit"), args...) //nolint:gosec,noctx // G204: what the caller's job is; stopped as a group below
	cmd.Dir = t.Dir
	cmd.Env = slices.Concat(r.Env, t.Env, r.Extra, driverEnv(t.Defaults), driverEnv(confOf(t.Parameters)),
		[]string{"SPARK_LOCAL_IP=127.0.0.1", "TMPDIR=" + t.Dir, "PYTHONUNBUFFERED=1"})
	cmd.Stdout, cmd.Stderr = t.Stdout, t.Stderr
	child, err := childproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return Exit{Err: fmt.Errorf("start spark-submit: %w", err)}
	}
	select {
	case <-child.Done():
		return Exit{Code: child.ExitCode()}
	case <-ctx.Done():
		child.Stop(context.WithoutCancel(ctx), stopGrace)
		return Exit{Err: context.Cause(ctx)}
	}
}

// writeConf writes spark-defaults.conf: what an EMR image sets, then what the
// job's spark-defaults classification says.
func (r SparkRunner) writeConf(dir string, t Task) error {
	master := r.Master
	if master == "" {
		master = "local[2]"
	}
	all := map[string]string{ //nolint:gosec // G101: names of classes
		"spark.master": master, "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1",
		"spark.local.dir":                                                     filepath.Join(t.Dir, "local"),
		"spark.sql.warehouse.dir":                                             "file:" + filepath.Join(t.Dir, "warehouse"),
		"spark.driver.extraJavaOptions":                                       "-Djava.io.tmpdir=" + t.Dir + " -Dderby.system.home=" + t.Dir + shortJobs + r.Java,
		"spark.hadoop.fs.s3.impl":                                             "org.apache.hadoop.fs.s3a.S3AFileSystem",
		"spark.hadoop.fs.s3n.impl":                                            "org.apache.hadoop.fs.s3a.S3AFileSystem",
		"spark.hadoop.fs.s3a.aws.credentials.provider":                        "com.amazonaws.auth.EnvironmentVariableCredentialsProvider",
		"spark.hadoop.fs.s3a.path.style.access":                               "true",
		"spark.hadoop.fs.s3a.connection.ssl.enabled":                          "false",
		"spark.hadoop.fs.s3a.endpoint":                                        t.S3Endpoint,
		"spark.hadoop.fs.s3a.endpoint.region":                                 t.Region,
		"spark.hadoop.fs.s3a.attempts.maximum":                                "2",
		"spark.hadoop.fs.s3a.retry.limit":                                     "2",
		"spark.hadoop.fs.s3a.connection.establish.timeout":                    "5000",
		"spark.hadoop.fs.s3a.buffer.dir":                                      filepath.Join(t.Dir, "s3a"),
		"spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version":        "2",
		"spark.hadoop.mapreduce.fileoutputcommitter.cleanup-failures.ignored": "true",
	}
	maps.Copy(all, t.Defaults)
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if all[key] != "" && !strings.ContainsAny(key+all[key], "\n\r") {
			fmt.Fprintf(&b, "%s %s\n", key, all[key])
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("prepare the job: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "spark-defaults.conf"), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("prepare the job: %w", err)
	}
	return nil
}
