package localruntime

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// The oldest versions that pyspark 4.3 runs with.
const (
	minPythonMinor = 11
	minJava        = 17
)

// makeVenv builds the private environment anew.
func (rt *Runtime) makeVenv(ctx context.Context, opt Options) error {
	python, err := findPython(ctx, opt)
	if err != nil {
		return err
	}
	out, err := command(ctx, nil, python, "-I", "-m", "venv", "--clear", rt.venv())
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return err
	case strings.Contains(out, "ensurepip"), strings.Contains(out, "No module named venv"):
		return &sparkwright.Error{
			Code: sparkwright.CodeMissing, Message: "Python cannot make virtual environments",
			Because: python + " comes without the venv module",
			Remedy:  "install it (Debian and Ubuntu: apt-get install python3-venv), then try again", Err: err,
		}
	default:
		return installError("make the private Python environment", out, err)
	}
}

// pip installs the pinned requirements by the ordinary client, with its
// ordinary settings (index, proxy, certificates). An environment in which an
// earlier pip was broken off is made anew: a package that is half there counts
// as installed. What pip has downloaded is in its cache.
func (rt *Runtime) pip(ctx context.Context, opt Options) error {
	begun := rt.marker("python") + ".begun"
	if _, err := os.Stat(begun); err == nil {
		if err := rt.makeVenv(ctx, opt); err != nil {
			return err
		}
	}
	if err := os.WriteFile(begun, nil, 0o644); err != nil { //nolint:gosec // G306: holds no secrets
		return diskError("record the begin of a step", err)
	}
	text, err := requirements()
	if err != nil {
		return fmt.Errorf("read the embedded requirements: %w", err)
	}
	reqs := filepath.Join(rt.Dir, "requirements.txt")
	if err = os.WriteFile(reqs, []byte(text), 0o644); err != nil { //nolint:gosec // G306: holds no secrets
		return diskError("write the requirements", err)
	}
	if err = rt.pipInstall(ctx, opt, reqs, "install pyspark"); err != nil {
		return err
	}
	out, err := command(ctx, nil, rt.Python, "-I", "-W", "ignore", "-c",
		"import os, sqlglot, pyspark.sql.connect.session; print(os.path.dirname(pyspark.__file__))")
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return installError("start the installed pyspark", out, err)
	}
	_ = os.Remove(rt.SparkHome)
	if err := os.Symlink(lastLine(out), rt.SparkHome); err != nil {
		return diskError("link Spark's home", err)
	}
	_ = os.Remove(begun)
	return nil
}

// pipInstall installs what the file reqs names into the environment.
func (rt *Runtime) pipInstall(ctx context.Context, opt Options, reqs, doing string) error {
	// -I: a PYTHONPATH of the user's may hold another pyspark.
	out, err := command(ctx, func(line string) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "Collecting", "Building", "Installing", "Downloading":
			opt.say("      %s %s", strings.ToLower(word), shorten(rest))
		}
	}, rt.Python, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--require-hashes", "-r", reqs)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return installError(doing, out, err)
	}
	return nil
}

func shorten(s string) string {
	if s, _, _ = strings.Cut(s, " (from"); len(s) > 70 {
		return s[:70] + "…"
	}
	return s
}

func findPython(ctx context.Context, opt Options) (string, error) {
	names := []string{"python3", "python3.13", "python3.12", "python3.11"}
	if opt.Python != "" {
		names = []string{opt.Python}
	}
	found := names[0] + " is not on PATH"
	for _, name := range names {
		path := name
		if !strings.Contains(name, "/") {
			var err error
			if path, err = opt.lookPath(name); err != nil {
				continue
			}
		}
		out, err := exec.CommandContext(ctx, path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output() //nolint:gosec // G204: the interpreter is the operator's choice
		if ctx.Err() != nil {
			return "", cancelled(ctx)
		}
		if err != nil {
			found = path + " does not run"
			continue
		}
		version := strings.TrimSpace(string(out))
		major, minor, _ := strings.Cut(version, ".")
		if n, _ := strconv.Atoi(minor); major == "3" && n >= minPythonMinor {
			return path, nil
		}
		found = fmt.Sprintf("%s is Python %s", path, version)
	}
	return "", &sparkwright.Error{
		Code: sparkwright.CodeMissing, Message: fmt.Sprintf("Python 3.%d or newer is needed", minPythonMinor), Because: found,
		Remedy: "install it (Debian and Ubuntu: apt-get install python3 python3-venv; macOS: brew install python@3.12), or name one with SPARKWRIGHT_PYTHON",
	}
}

// findJava returns JAVA_HOME, or "" when java is on PATH.
func findJava(ctx context.Context, opt Options) (string, error) {
	home, java := opt.getenv("JAVA_HOME"), ""
	found := "JAVA_HOME is not set and no java is on PATH"
	if home != "" {
		java = filepath.Join(home, "bin", "java")
	} else if path, err := opt.lookPath("java"); err == nil {
		java = path
	}
	if java != "" {
		out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput() //nolint:gosec // G204: the operator's own JAVA_HOME
		version := javaVersion(string(out))
		switch {
		case ctx.Err() != nil:
			return "", cancelled(ctx)
		case err != nil:
			found = java + " does not run"
		case version == 0:
			found = java + " does not tell its version"
		case version < minJava:
			found = fmt.Sprintf("%s is Java %d", java, version)
		default:
			return home, nil
		}
	}
	return "", &sparkwright.Error{
		Code: sparkwright.CodeMissing, Message: fmt.Sprintf("Java %d or newer is needed", minJava), Because: found,
		Remedy: "install it (Debian and Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17), or set JAVA_HOME",
	}
}

// javaVersion reads the major version from `java -version`; 0 = unknown.
func javaVersion(out string) int {
	_, rest, ok := strings.Cut(out, `version "`)
	if !ok {
		return 0
	}
	first, rest, _ := strings.Cut(rest, ".")
	if first == "1" { // 1.8.0 is Java 8
		first, _, _ = strings.Cut(rest, ".")
	}
	n, _ := strconv.Atoi(strings.TrimRight(strings.SplitN(first, `"`, 2)[0], "-ea"))
	return n
}

// installError says in one sentence why an installer failed.
func installError(doing, output string, err error) error {
	e := &sparkwright.Error{Code: sparkwright.CodeUnavailable, Message: "could not " + doing, Err: err}
	low := strings.ToLower(output)
	says := func(signs ...string) bool {
		return slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(low, sign) })
	}
	switch {
	case says("no space left", "disk quota exceeded"):
		e.Code, e.Because = sparkwright.CodeResource, "the disk is full"
		e.Remedy = "free about 2 GB, then run sparkwright runtime install again; it continues"
	case says("certificate_verify_failed", "certificate verify failed"):
		e.Because = "the certificate of the Python package index is not trusted"
		e.Remedy = "name your organisation's certificates with PIP_CERT, then run sparkwright runtime install again"
	case says("do not match the hashes"):
		e.Because = "a package of the Python package index is not the one that is pinned"
		e.Remedy = "check the index or mirror that pip uses (PIP_INDEX_URL), then run sparkwright runtime install again"
	case says("temporary failure in name resolution", "name or service not known", "nodename nor servname", "connection refused",
		"network is unreachable", "timed out", "max retries exceeded", "connection broken", "newconnectionerror", "connection reset",
		"proxyerror", "cannot connect to proxy"):
		e.Because = "the Python package index does not answer"
		e.Remedy = "check the network or pip's settings (PIP_INDEX_URL, PIP_PROXY), then run sparkwright runtime install again; it continues"
	case says("from versions: none"): // pip does not tell a silent index from an empty one
		e.Because = "the Python package index does not answer, or has none of the packages"
		e.Remedy = "check the network or pip's settings (PIP_INDEX_URL, PIP_PROXY), then run sparkwright runtime install again; it continues"
	case says("no matching distribution"):
		e.Because = lastLine(output)
		e.Remedy = "check the index or mirror that pip uses (PIP_INDEX_URL): it must have these versions for this Python and this machine"
	default:
		e.Code, e.Because = sparkwright.CodeInternal, lastLine(output)
		e.Remedy = "sparkwright runtime remove && sparkwright runtime install"
	}
	return e
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

func cancelled(ctx context.Context) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeCancelled, Message: "the install was interrupted",
		Remedy: "run it again; it continues where it stopped", Err: ctx.Err(),
	}
}
