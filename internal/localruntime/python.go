package localruntime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

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
	out, err := exec.CommandContext(ctx, python, "-m", "venv", "--clear", filepath.Join(rt.Dir, "venv")).CombinedOutput() //nolint:gosec // G204: the interpreter is the operator's choice
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return cancelled(ctx)
	}
	if strings.Contains(string(out), "ensurepip") {
		return &sparkwright.Error{
			Code: sparkwright.CodeMissing, Message: "Python cannot make virtual environments",
			Because: python + " comes without the venv module",
			Remedy:  "install it (Debian and Ubuntu: apt-get install python3-venv), then try again", Err: err,
		}
	}
	return installError("make the private Python environment", string(out), err)
}

// pip installs the pinned requirements by the ordinary client, with its
// ordinary settings (index, proxy, certificates).
func (rt *Runtime) pip(ctx context.Context, opt Options) error {
	reqs, err := os.CreateTemp(rt.Dir, "requirements-*.txt")
	if err != nil {
		return diskError("write the requirements", err)
	}
	defer os.Remove(reqs.Name()) //nolint:errcheck // best effort; the name is ours
	text, err := requirements()
	if err == nil {
		_, err = reqs.WriteString(text)
	}
	if err = errors.Join(err, reqs.Close()); err != nil {
		return diskError("write the requirements", err)
	}
	cmd := exec.CommandContext(ctx, rt.Python, "-m", "pip", "install", //nolint:gosec // G204: our own interpreter
		"--no-input", "--disable-pip-version-check", "--progress-bar", "off", "-r", reqs.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start pip: %w", err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start pip: %w", err)
	}
	var tail []string
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		line := lines.Text()
		tail = append(tail, line)
		tail = tail[max(0, len(tail)-30):]
		if word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word == "Collecting" || word == "Building" || word == "Installing" || word == "Downloading" {
			opt.say("      %s %s", strings.ToLower(word), shorten(rest))
		}
	}
	if err := cmd.Wait(); err != nil {
		if ctx.Err() != nil {
			return cancelled(ctx)
		}
		return installError("install pyspark", strings.Join(tail, "\n"), err)
	}
	home, err := exec.CommandContext(ctx, rt.Python, "-c", //nolint:gosec // G204: our own interpreter
		"import os, importlib.util as u; print(os.path.dirname(u.find_spec('pyspark').origin))").Output()
	if err != nil {
		return installError("find the installed pyspark", "", err)
	}
	_ = os.Remove(rt.SparkHome)
	if err := os.Symlink(strings.TrimSpace(string(home)), rt.SparkHome); err != nil {
		return diskError("link Spark's home", err)
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
	found := "no python3 is on PATH"
	for _, name := range names {
		path := name
		if !strings.Contains(name, "/") {
			var err error
			if path, err = opt.lookPath(name); err != nil {
				continue
			}
		}
		out, err := exec.CommandContext(ctx, path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").Output()
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
	switch {
	case strings.Contains(low, "no space left"):
		e.Code, e.Because = sparkwright.CodeResource, "the disk is full"
		e.Remedy = "free about 2 GB, then run sparkwright runtime install again; it continues"
	case strings.Contains(low, "temporary failure in name resolution"), strings.Contains(low, "name or service not known"),
		strings.Contains(low, "connection refused"), strings.Contains(low, "network is unreachable"),
		strings.Contains(low, "timed out"), strings.Contains(low, "max retries exceeded"), strings.Contains(low, "connection broken"),
		strings.Contains(low, "no matching distribution"):
		e.Because = "the Python package index does not answer"
		e.Remedy = "check the network or pip's settings (PIP_INDEX_URL, PIP_PROXY), then run sparkwright runtime install again; it continues"
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
