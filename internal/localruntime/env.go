package localruntime

import (
	"os"
	"path/filepath"
	"strings"
)

// Env is the environment of Spark's own processes: nothing of ours but what
// they need.
func (rt *Runtime) Env() []string {
	env := []string{
		"SPARK_HOME=" + rt.SparkHome, "PYSPARK_PYTHON=" + rt.Python, "PYSPARK_DRIVER_PYTHON=" + rt.Python,
		"PATH=" + filepath.Dir(rt.Python) + ":" + os.Getenv("PATH"), "TZ=UTC", "LC_ALL=C.UTF-8",
		"HOME=" + os.Getenv("HOME"),
	}
	if rt.JavaHome != "" {
		env = append(env, "JAVA_HOME="+rt.JavaHome)
	}
	return append(env, submitOptions()...)
}

// submitOptions are what the operator tells the Java of spark-submit, by the
// variable that Spark has for that.
func submitOptions() []string {
	if options := os.Getenv("SPARK_SUBMIT_OPTS"); options != "" {
		return []string{"SPARK_SUBMIT_OPTS=" + options}
	}
	return nil
}

// InsideEnv is the environment of Spark's processes in a sandbox: nothing of
// this process's but SPARK_SUBMIT_OPTS.
func (rt *Runtime) InsideEnv() []string {
	path := "/usr/bin:/bin"
	env := []string{"SPARK_HOME=" + rt.SparkHome, "TZ=UTC", "LC_ALL=C.UTF-8", "HOME=/tmp", "SPARK_LOCAL_IP=127.0.0.1"}
	if rt.JavaHome != "" {
		env = append(env, "JAVA_HOME="+rt.JavaHome)
		path = filepath.Join(rt.JavaHome, "bin") + ":" + path
	}
	return append(append(env, "PATH="+path), submitOptions()...)
}

// Visible are the paths that Python's processes need to see: the runtime, and
// the Python that its private environment was made with.
func (rt *Runtime) Visible() []string {
	out := []string{rt.Dir}
	text, err := os.ReadFile(filepath.Join(rt.Dir, "venv", "pyvenv.cfg"))
	if err != nil {
		return out // it will not start, and say so
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, "=")
		if strings.TrimSpace(key) == "home" { // the directory of its interpreter
			if base := filepath.Dir(strings.TrimSpace(value)); base != "/" && base != "/usr" {
				out = append(out, base)
			}
		}
	}
	return out
}
