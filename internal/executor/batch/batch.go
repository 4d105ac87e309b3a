// Package batch carries out attempts by spark-submit: one process group and
// one JVM per attempt, for the very file that the connect executor runs.
package batch

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/attempts"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// Name is the executor's name in placements and handles.
const Name = "batch"

// Config says how the executor works.
type Config struct {
	Runtime      *localruntime.Runtime
	Master       string
	DriverMemory string
	Timeout      time.Duration // of one attempt; 0 = none
}

// Executor implements sparkwright.Executor.
type Executor struct {
	*attempts.Set
	cfg Config
}

var _ sparkwright.Executor = (*Executor)(nil)

// New returns an executor.
func New(cfg Config) *Executor {
	e := &Executor{cfg: cfg}
	e.Set = attempts.NewSet(Name, cfg.Timeout, e.carryOut)
	return e
}

// carryOut implements attempts.CarryOut.
func (e *Executor) carryOut(ctx context.Context, a *attempts.Attempt) *sparkwright.Fault {
	scratch, err := os.MkdirTemp("", "sparkwright-batch-")
	if err != nil {
		return notStarted(err)
	}
	defer os.RemoveAll(scratch)                                                                               //nolint:errcheck // best effort; the name is ours
	cmd := exec.Command(filepath.Join(e.cfg.Runtime.SparkHome, "bin", "spark-submit"), e.args(a, scratch)...) //nolint:gosec,noctx // G204: arguments from validated settings; stopped as a group below
	cmd.Env = e.cfg.Runtime.Env()
	for k, v := range a.Secrets {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	cmd.Dir = scratch
	outR, outW, err1 := os.Pipe()
	errR, errW, err2 := os.Pipe()
	if err = errors.Join(err1, err2); err != nil {
		return notStarted(err)
	}
	defer outR.Close() //nolint:errcheck // read only
	defer errR.Close() //nolint:errcheck // read only
	cmd.Stdout, cmd.Stderr = outW, errW
	child, err := childproc.Start(cmd, syscall.SIGTERM)
	_, _ = outW.Close(), errW.Close()
	if err != nil {
		return notStarted(err)
	}
	a.Running()
	var readers sync.WaitGroup
	readers.Go(func() { a.Collect("stdout", outR) })
	readers.Go(func() { a.Collect("stderr", errR) })
	var fault *sparkwright.Fault
	select {
	case <-child.Done():
		_ = child.Signal(syscall.SIGKILL) // members of the group that are left
	case <-ctx.Done():
		child.Stop(context.WithoutCancel(ctx), 5*time.Second)
		fault = notStarted(ctx.Err()) // replaced by the reason
	}
	readers.Wait()
	return fault
}

// args are spark-submit's arguments. Secrets are not among them.
func (e *Executor) args(a *attempts.Attempt, scratch string) []string {
	return []string{
		"--master", e.cfg.Master, "--driver-memory", e.cfg.DriverMemory,
		"--jars", e.cfg.Runtime.Driver, "--driver-class-path", e.cfg.Runtime.Driver,
		"--conf", "spark.driver.extraJavaOptions=-Duser.timezone=UTC -Djava.io.tmpdir=" + scratch,
		"--conf", "spark.executor.extraJavaOptions=-Duser.timezone=UTC",
		"--conf", "spark.local.dir=" + scratch,
		"--conf", "spark.sql.warehouse.dir=" + filepath.Join(scratch, "warehouse"),
		"--conf", "spark.sql.shuffle.partitions=4",
		"--conf", "spark.ui.enabled=false",
		a.Script,
	}
}

func notStarted(err error) *sparkwright.Fault {
	return &sparkwright.Fault{
		Kind: sparkwright.FaultInfrastructure, Class: "SPARK_NOT_STARTED", Message: "spark-submit did not start",
		Because: err.Error(), Remedy: "sparkwright runtime status",
	}
}
