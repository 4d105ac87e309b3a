package localruntime

import (
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"time"

	"github.com/sparkwright/sparkwright"
)

//go:embed archive.py
var archiveScript string

// archiveTime bounds the making of an archive.
const archiveTime = 10 * time.Minute

// archive is Java's archive of Spark's classes: with it Spark starts with about
// half of the processor time. Java itself ignores one that another Java or
// other jars have made.
func (rt *Runtime) archive() string { return filepath.Join(rt.Dir, "classes.jsa") }

// JavaOptions are options for the Java of Spark, each after a space, that take
// Spark's classes from the archive; "" without one.
func (rt *Runtime) JavaOptions() string {
	if _, err := os.Stat(rt.archive()); err != nil {
		return ""
	}
	return " -XX:SharedArchiveFile=" + rt.archive() + " -Xshare:auto -Xlog:disable -Xlog:all=error:stderr"
}

// Archived are the paths that Spark reads besides for JavaOptions.
func (rt *Runtime) Archived() []string {
	if rt.JavaOptions() == "" {
		return nil
	}
	return []string{rt.archive()}
}

// Archive makes the archive of Spark's classes, unless it is there. Spark runs
// without it too: nothing is lost when it cannot be made. It holds 200 MB.
func (rt *Runtime) Archive(ctx context.Context, opt Options) error {
	if _, err := os.Stat(rt.archive()); err == nil {
		return nil
	}
	unlock, err := lock(ctx, filepath.Join(filepath.Dir(rt.Dir), "install.lock"), opt)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err = os.Stat(rt.archive()); err == nil {
		return nil // another process was faster
	}
	opt.say("an archive of Spark's classes, for quicker starts (half a minute)")
	scratch, err := os.MkdirTemp("", "sparkwright-archive-")
	if err != nil {
		return diskError("make the archive's directory", err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // best effort; the name is ours
	script := filepath.Join(scratch, "archive.py")
	if err = os.WriteFile(script, []byte(archiveScript), 0o600); err != nil {
		return diskError("write the archive's script", err)
	}
	within, cancel := context.WithTimeout(ctx, archiveTime)
	defer cancel()
	made := rt.archive() + ".tmp"
	out, err := command(within, nil, "/usr/bin/env", append(rt.Env(), rt.archiveCommand(script, made)...)...)
	if err == nil {
		err = os.Rename(made, rt.archive())
	}
	if err != nil {
		_ = os.Remove(made)
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
		return &sparkwright.Error{
			Code: sparkwright.CodeUnavailable, Message: "Spark's classes could not be archived; it starts as fast as without", Because: lastLine(out), Err: err,
			Remedy: "nothing has to be done",
		}
	}
	return nil
}

// archiveCommand has the class path that Spark has later: Java wants the same.
func (rt *Runtime) archiveCommand(script, made string) []string {
	args := []string{filepath.Join(rt.SparkHome, "bin", "spark-submit"), "--master", "local[2]", "--driver-memory", "1g"}
	mode := "plain"
	if rt.ClientDir != "" {
		args, mode = append(args, "--jars", rt.Driver, "--driver-class-path", rt.Driver), "connect"
	}
	return append(args, "--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1",
		"--conf", "spark.local.dir="+filepath.Dir(script), "--conf", "spark.sql.warehouse.dir="+filepath.Join(filepath.Dir(script), "warehouse"),
		"--conf", "spark.driver.extraJavaOptions=-XX:ArchiveClassesAtExit="+made+" -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="+filepath.Dir(script), script, mode)
}
