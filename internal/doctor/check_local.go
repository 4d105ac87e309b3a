package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

func localChecks(c Config) []Check {
	list := []Check{localDisk(c), localMemory(c)}
	if c.Inspect != nil {
		status := once(c.Inspect)
		list = append([]Check{localJava(status), localPython(c), localRuntime(c, status)}, list...)
	}
	list = append(list, localSandbox())
	if c.Port != 0 {
		list = append(list, localPort(c.Port))
	}
	return list
}

func localJava(status func(context.Context) (*localruntime.Status, error)) Check {
	const remedy = "install Java 17: apt install openjdk-17-jre-headless, or brew install openjdk@17"
	return Check{
		Info: Info{ID: "local.java", Group: "local", Title: "Java 17 or newer is there", How: "looks at JAVA_HOME and PATH, starts it and reads its version"},
		Run: func(ctx context.Context) Finding {
			st, err := status(ctx)
			if err != nil {
				return fromError(err, remedy)
			}
			for _, s := range st.Steps {
				if s.Name == "java" && !s.Done {
					return fail("Java 17 or newer is missing", s.Note, command(remedy))
				}
				if s.Name == "java" {
					return ok(firstLine(s.Note, "the one on PATH"))
				}
			}
			return skip("the runtime does not tell")
		},
	}
}

func localPython(c Config) Check {
	program := c.Settings.Runtime.Python
	if program == "" {
		program = "python3"
	}
	return Check{
		Info: Info{ID: "local.python", Group: "local", Title: "Python 3.11 or newer is there", How: "starts " + program + " and asks for its version and for venv"},
		Run: func(ctx context.Context) Finding {
			fix := command("install Python 3.11 or newer with venv (apt install python3-venv), or set runtime.python to one")
			out, err := exec.CommandContext(ctx, program, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])").Output()
			version := strings.TrimSpace(string(out))
			var major, minor int
			if err == nil {
				_, err = fmt.Sscanf(version, "%d.%d", &major, &minor)
			}
			switch {
			case err != nil:
				return fail(program+" cannot be used", err.Error(), fix)
			case major < 3 || major == 3 && minor < 11:
				return fail(program+" is Python "+version, "Spark needs 3.11 or newer here", fix)
			}
			return ok("Python " + version)
		},
	}
}

func firstLine(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// fromError makes a failure of an error that tells people what to do.
func fromError(err error, remedy string) Finding {
	if e, isOurs := errors.AsType[*sparkwright.Error](err); isOurs {
		if e.Remedy != "" {
			remedy = e.Remedy
		}
		return fail(e.Message, e.Because, command(remedy))
	}
	return fail("it cannot be looked at", err.Error(), command(remedy))
}

func localRuntime(c Config, status func(context.Context) (*localruntime.Status, error)) Check {
	check := Check{
		Info: Info{ID: "local.runtime", Group: "local", Title: "the local Spark runtime is installed", How: "sparkwright runtime status", Needs: "local.java"},
		Run: func(ctx context.Context) Finding {
			st, err := status(ctx)
			if err != nil {
				return fromError(err, "sparkwright runtime install")
			}
			if !st.Complete {
				return warn("the local runtime is not complete", "the first local run installs it, which takes a minute or two", command("sparkwright runtime install"))
			}
			return ok(fmt.Sprintf("%s, %d MB", st.Dir, st.Bytes>>20))
		},
	}
	if c.Install != nil {
		check.Repair = func() *Repair { return &Repair{Plan: "install the local Spark runtime", Do: c.Install} }
	}
	return check
}

func localDisk(c Config) Check {
	dir := c.Settings.ResultsDir()
	return Check{
		Info: Info{ID: "local.disk", Group: "local", Title: "there is disk space for results", How: "free space of " + dir + " against results.min_free_mb", Cheap: true},
		Run: func(context.Context) Finding {
			if err := artifact.CheckSpace(dir, int64(c.Settings.Results.MinFreeMB)<<20); err != nil {
				return fromError(err, "set results.dir to a directory on a larger disk")
			}
			return ok(fmt.Sprintf("more than %d MB free", c.Settings.Results.MinFreeMB))
		},
	}
}

func localMemory(c Config) Check {
	return Check{
		Info: Info{ID: "local.memory", Group: "local", Title: "there is memory for local Spark", How: "available memory against spark.driver_memory and one client"},
		Run: func(context.Context) Finding {
			have, known := availableMemory()
			if !known {
				return skip("this system does not tell its free memory")
			}
			const clientGB = 0.3 // measured: an idle client takes 140 MB
			need := gigabytes(c.Settings.Spark.DriverMemory) + clientGB
			if have < need {
				return warn(fmt.Sprintf("%.1f GB of memory are free", have), fmt.Sprintf("local Spark may take %.1f GB (spark.driver_memory)", need), setting(`{"spark": {"driver_memory": "1g"}}`))
			}
			return ok(fmt.Sprintf("%.1f GB free", have))
		},
	}
}

// availableMemory reads what Linux says can be used without swapping, in GB.
func availableMemory() (float64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == "MemAvailable:" {
			kb, err := strconv.ParseFloat(fields[1], 64)
			return kb / (1 << 20), err == nil
		}
	}
	return 0, false
}

func localPort(port int) Check {
	return Check{
		Info: Info{ID: "local.port", Group: "local", Title: "the port of serve is free", How: "binds 127.0.0.1:" + strconv.Itoa(port)},
		Run: func(ctx context.Context) Finding {
			var lc net.ListenConfig
			l, err := lc.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				return warn(fmt.Sprintf("port %d is in use", port), "a server runs there already, perhaps this one", command("sparkwright serve --port 0"))
			}
			if err := l.Close(); err != nil {
				return warn("the port could not be given back", err.Error())
			}
			return ok(strconv.Itoa(port))
		},
	}
}
