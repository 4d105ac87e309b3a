// Package batch carries out attempts by spark-submit: one process group and
// one JVM per attempt, for the very file that the connect executor runs.
package batch

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/attempts"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/sandbox"
)

// Name is the executor's name in placements and handles.
const Name = "batch"

// Config says how the executor works.
type Config struct {
	Runtime      *localruntime.Runtime
	Master       string
	DriverMemory string
	Timeout      time.Duration // of one attempt; 0 = none
	// Unconfined is that generated code runs outside of the sandbox, because a
	// person said so.
	Unconfined bool
	Sockets    string // the broker's directory of sockets
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
	defer os.RemoveAll(scratch) //nolint:errcheck // best effort; the name is ours
	outR, outW, err1 := os.Pipe()
	errR, errW, err2 := os.Pipe()
	if err = errors.Join(err1, err2); err != nil {
		return notStarted(err)
	}
	defer outR.Close()                                                                //nolint:errcheck // read only
	defer errR.Close()                                                                //nolint:errcheck // read only
	child, end, err := e.start(a, scratch, sandbox.Stdio{Stdout: outW, Stderr: errW}) //nolint:contextcheck // connections of the box live as long as it
	_, _ = outW.Close(), errW.Close()
	if err != nil {
		return notStarted(err)
	}
	defer end()
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

// start starts spark-submit: inside, with Java and Python of this attempt only,
// or without a sandbox. end takes down what is left of it.
func (e *Executor) start(a *attempts.Attempt, scratch string, files sandbox.Stdio) (child *childproc.Child, end func(), err error) {
	path, args := filepath.Join(e.cfg.Runtime.SparkHome, "bin", "spark-submit"), e.args(a, scratch)
	if e.cfg.Unconfined {
		cmd := exec.Command(path, args...) //nolint:gosec,noctx // G204: arguments from validated settings; stopped as a group
		cmd.Env = append(e.cfg.Runtime.Env(), secrets(a)...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = scratch, files.Stdout, files.Stderr
		child, err = childproc.Start(cmd, syscall.SIGTERM)
		return child, func() {}, err
	}
	if !strings.HasPrefix(e.cfg.Master, "local") {
		return nil, nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "spark-submit cannot be locked in with Spark on other machines", Because: "spark.master is " + e.cfg.Master,
			Remedy: "use the connect executor, or --sandbox=off, which runs generated code with all that you can read and reach",
		}
	}
	box, err := sandbox.Start(e.box(a, scratch, path, args), files, syscall.SIGTERM)
	if err != nil {
		return nil, nil, err
	}
	if e.cfg.Sockets != "" {
		go sandbox.Forward(box.Listener(0), sandbox.Sockets(e.cfg.Sockets))
	}
	return box.Child, box.Close, nil
}

// box is what one attempt may reach.
func (e *Executor) box(a *attempts.Attempt, scratch, path string, args []string) sandbox.Spec {
	rt := e.cfg.Runtime
	return sandbox.Spec{
		Path: path, Args: args, Env: append(append(rt.InsideEnv(), "PYSPARK_PYTHON="+rt.Python, "PYSPARK_DRIVER_PYTHON="+rt.Python), secrets(a)...),
		Dir: scratch, Read: append(append(rt.Visible(), rt.JavaHome), a.Files...), Write: []string{scratch, a.Location},
		Listen: []int{sandbox.Port}, Fork: true, Datagrams: true, Limits: sandbox.Limits{Tasks: 4096},
	}
}

func secrets(a *attempts.Attempt) []string {
	out := make([]string, 0, len(a.Secrets))
	for k, v := range a.Secrets {
		out = append(out, k+"="+v)
	}
	return out
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
	f := &sparkwright.Fault{
		Kind: sparkwright.FaultInfrastructure, Class: "SPARK_NOT_STARTED", Message: "spark-submit did not start",
		Because: err.Error(), Remedy: "sparkwright runtime status",
	}
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		f.Message, f.Because, f.Remedy = e.Message, e.Because, e.Remedy
	}
	return f
}
