package localruntime_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

func TestInstallErrors(t *testing.T) {
	t.Parallel()
	remove := func(names ...string) func(*testing.T, *testBundle) {
		return func(t *testing.T, b *testBundle) {
			t.Helper()
			for _, name := range names {
				if err := os.Remove(filepath.Join(b.bin, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	program := func(name, script string) func(*testing.T, *testBundle) {
		return func(t *testing.T, b *testBundle) {
			t.Helper()
			b.program(t, name, script)
		}
	}
	pip := func(output string) func(*testing.T, *testBundle) {
		return program("python3.pip", "cat <<'EOF'\n"+output+"\nEOF\nexit 1")
	}
	for _, test := range []struct {
		name    string
		broken  func(*testing.T, *testBundle)
		code    sparkwright.Code
		because string
		remedy  string
	}{
		{"no java", remove("java"), sparkwright.CodeMissing, "no java is on PATH", "openjdk-17"},
		{
			"empty PATH",
			func(_ *testing.T, b *testBundle) { b.opt.Getenv = func(string) string { return "" } },
			sparkwright.CodeMissing, "JAVA_HOME is not set and no java is on PATH", "JAVA_HOME",
		},
		{
			"JAVA_HOME without java",
			func(t *testing.T, b *testBundle) {
				t.Helper()
				home := t.TempDir()
				b.opt.Getenv = func(string) string { return home }
			},
			sparkwright.CodeMissing, "/bin/java does not run", "JAVA_HOME",
		},
		{"java 11", program("java", `echo 'openjdk version "11.0.22" 2024-01-16' >&2`), sparkwright.CodeMissing, "java is Java 11", "openjdk-17"},
		{"java 8", program("java", `echo 'java version "1.8.0_202"' >&2`), sparkwright.CodeMissing, "java is Java 8", "openjdk-17"},
		{"java that only says where to get it", program("java", `echo 'No Java runtime present' >&2; exit 1`), sparkwright.CodeMissing, "java does not run", "openjdk-17"},
		{"java without a version", program("java", `echo hello`), sparkwright.CodeMissing, "does not tell its version", "openjdk-17"},
		{"no python", remove("python3"), sparkwright.CodeMissing, "python3 is not on PATH", "apt-get install python3"},
		{"python 3.9", program("python3", `echo 3.9`), sparkwright.CodeMissing, "python3 is Python 3.9", "SPARKWRIGHT_PYTHON"},
		{"python 2.7", program("python3", `echo 2.11`), sparkwright.CodeMissing, "python3 is Python 2.11", "SPARKWRIGHT_PYTHON"},
		{"python that does not run", program("python3", `exit 127`), sparkwright.CodeMissing, "python3 does not run", "apt-get install python3"},
		{
			"named python is not there",
			func(_ *testing.T, b *testBundle) { b.opt.Python = "/nowhere/python" },
			sparkwright.CodeMissing, "/nowhere/python does not run", "SPARKWRIGHT_PYTHON",
		},
		{
			"named python is not on PATH",
			func(_ *testing.T, b *testBundle) { b.opt.Python = "python9" },
			sparkwright.CodeMissing, "python9 is not on PATH", "SPARKWRIGHT_PYTHON",
		},
		{
			"python without ensurepip",
			program("python3", `case "$*" in *version_info*) echo 3.11 ;; *) echo "The virtual environment was not created successfully because ensurepip is not available."; exit 1 ;; esac`),
			sparkwright.CodeMissing, "comes without the venv module", "python3-venv",
		},
		{
			"python without venv",
			program("python3", `case "$*" in *version_info*) echo 3.11 ;; *) echo "/usr/bin/python3: No module named venv"; exit 1 ;; esac`),
			sparkwright.CodeMissing, "comes without the venv module", "python3-venv",
		},
		{
			"disk full in pip", pip("Downloading pyspark\nERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"),
			sparkwright.CodeResource, "the disk is full", "free about 2 GB",
		},
		{
			"no name resolution in pip", pip("NewConnectionError: [Errno -3] Temporary failure in name resolution\nERROR: No matching distribution found for pyspark==4.3.0"),
			sparkwright.CodeUnavailable, "the Python package index does not answer", "PIP_INDEX_URL",
		},
		{
			"untrusted index", pip("Retrying after SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]'))\nERROR: No matching distribution found"),
			sparkwright.CodeUnavailable, "is not trusted", "PIP_CERT",
		},
		{
			"another package than the pinned", pip("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n    Got        1234"),
			sparkwright.CodeUnavailable, "not the one that is pinned", "PIP_INDEX_URL",
		},
		{
			"mirror without the version", pip("ERROR: No matching distribution found for pyspark==4.3.0"),
			sparkwright.CodeUnavailable, "No matching distribution found for pyspark==4.3.0", "mirror",
		},
		{
			"anything else in pip", pip("Collecting a\nERROR: it broke"),
			sparkwright.CodeInternal, "ERROR: it broke", "sparkwright runtime remove && sparkwright runtime install",
		},
		{
			"pyspark that cannot be imported",
			program("python3.pip", `case "$*" in *import*) echo "ImportError: libstdc++.so.6: cannot open shared object file"; exit 1 ;; esac`),
			sparkwright.CodeInternal, "libstdc++.so.6", "sparkwright runtime",
		},
		{
			"no Maven repository",
			func(t *testing.T, b *testBundle) { t.Helper(); b.opt.MavenURL = closedPort(t) },
			sparkwright.CodeUnavailable, "connection was refused", "network",
		},
		{
			"Maven repository without the driver",
			func(_ *testing.T, b *testBundle) { b.opt.MavenURL += "/empty.jar?" },
			sparkwright.CodeUnavailable, "HTTP 404", "repository URL",
		},
		{
			"the data directory is a file",
			func(t *testing.T, b *testBundle) {
				t.Helper()
				b.opt.Home = filepath.Join(b.bin, "java")
			},
			sparkwright.CodeResource, "not a directory", "SPARKWRIGHT_HOME",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.broken(t, b)
			rt, err := localruntime.Install(t.Context(), b.opt)
			if err == nil {
				t.Fatalf("installed %+v", rt)
			}
			checkError(t, err, test.code, test.because, test.remedy)
			if test.name != "the data directory is a file" {
				b.checkComplete(t, false)
			}
		})
	}
}

// TestPipWithoutNetwork has the real pip and an index that does not answer.
// pip reads the process's environment: not parallel.
func TestPipWithoutNetwork(t *testing.T) {
	for key, value := range map[string]string{
		"PIP_INDEX_URL": closedPort(t), "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.DevNull,
		"PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "1", "PIP_TIMEOUT": "1", "PIP_PROXY": "", "NO_PROXY": "127.0.0.1",
	} {
		t.Setenv(key, value)
	}
	b := setup(t)
	b.opt.Getenv = nil // the real java and python
	_, err := localruntime.Install(t.Context(), b.opt)
	checkError(t, err, sparkwright.CodeUnavailable, "the Python package index does not answer", "PIP_INDEX_URL")
	st := b.checkComplete(t, false)
	for _, s := range st.Steps {
		if want := s.Name == "java" || s.Name == "driver" || s.Name == "environment"; s.Done != want {
			t.Errorf("step %s: done = %v, want %v", s.Name, s.Done, want)
		}
	}
}

func TestDiskTooSmall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	checkError(t, localruntime.CheckDisk(dir, 1<<60), sparkwright.CodeResource, "MB are needed", "SPARKWRIGHT_HOME")
	if err := localruntime.CheckDisk(dir, 1); err != nil {
		t.Error(err)
	}
}

func TestCancelledInPip(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.program(t, "python3.pip", "echo 'Collecting pyspark'; sleep 600")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.opt.Progress = func(text string) {
		if text == "      collecting pyspark" {
			cancel()
		}
	}
	_, err := localruntime.Install(ctx, b.opt)
	checkError(t, err, sparkwright.CodeCancelled, "", "run it again")
}

func TestJavaVersion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		out  string
		want int
	}{
		{"OpenJDK 17", `openjdk version "17.0.15" 2025-04-15`, 17},
		{"first release", `java version "21" 2023-09-19 LTS`, 21},
		{"early access", `openjdk version "25-ea" 2025-09-16`, 25},
		{"Java 8", `java version "1.8.0_202"`, 8},
		{"options are told first", "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"17.0.2\" 2022-01-18", 17},
		{"nothing", "", 0},
		{"another program", "hello", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := localruntime.JavaVersion(test.out); got != test.want {
				t.Errorf("got %d, want %d", got, test.want)
			}
		})
	}
}

// closedPort is the URL of a port on which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it only gave the number
	return "http://" + l.Addr().String()
}

// TestDiskFullWhileWriting lets the requirements go to a full device.
func TestDiskFullWhileWriting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rt := b.install(t)
	for _, path := range []string{"python.done", "requirements.txt"} {
		if err := os.Remove(filepath.Join(rt.Dir, path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/full", filepath.Join(rt.Dir, "requirements.txt")); err != nil {
		t.Fatal(err)
	}
	_, err := localruntime.Install(t.Context(), b.opt)
	checkError(t, err, sparkwright.CodeResource, "the disk is full", "SPARKWRIGHT_HOME")
}
