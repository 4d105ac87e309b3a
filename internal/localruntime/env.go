package localruntime

import (
	"os"
	"path/filepath"
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
	return env
}
