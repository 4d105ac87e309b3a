package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/auth"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/redact"
	"github.com/sparkwright/sparkwright/internal/secret"
)

const (
	bundleRuns  = 20      // failed runs that are told of
	bundleLines = 500     // of the log
	bundleLine  = 4 << 10 // bytes of one
)

const bundleReadme = `What sparkwright support-bundle has gathered. No rows, questions, code or secrets are in it.

versions.json  this program, this system, and what the local runtime consists of
settings.json  every key; of a secret only whether it is set
doctor.json    what sparkwright doctor has found
runs.json      the runs that failed last: how, where, and which known failure it is
log.jsonl      the last lines of the server's log, when --log named it

Names of hosts, databases, tables and columns are in it: look at it before you send it.
`

func newSupportCommand(app *app) *cobra.Command {
	var log string
	cmd := &cobra.Command{
		Use: "support-bundle FILE", Short: "Gather what somebody who helps needs to know, without rows and secrets", Args: cobra.ExactArgs(1),
		Long: "Writes FILE (.zip): versions, settings without secrets, what the doctor finds, how the last\nruns failed, and the end of a server's log. No rows, questions, code or secrets are in it; names\n" +
			"of hosts, tables and columns are.",
		Example: "  journalctl -u sparkwright -o cat | sparkwright support-bundle bundle.zip --log -",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.OpenFile(filepath.Clean(args[0]), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
			if err != nil {
				return sparkwright.Errorf(sparkwright.CodeInvalid, "the bundle cannot be written: %w", err)
			}
			if err = errors.Join(app.bundle(cmd.Context(), f, log), f.Close()); err != nil {
				_ = os.Remove(args[0])
				return err
			}
			app.say("bundle", args[0]+": look at it before you send it")
			return nil
		},
	}
	cmd.Flags().StringVar(&log, "log", "", "take the end of this log of serve; - is stdin")
	return cmd
}

// bundle writes everything. What cannot be found out is said in its place: a
// bundle is asked for when something is broken.
func (a *app) bundle(ctx context.Context, w io.Writer, log string) error {
	hidden := a.allSecrets(ctx)
	out := zip.NewWriter(w)
	write := func(name, text string) error {
		part, err := out.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now()})
		if err == nil {
			_, err = io.WriteString(part, scrub(hidden, text))
		}
		return err
	}
	errs := []error{write("README.txt", bundleReadme)}
	for name, gather := range map[string]func(context.Context) (any, error){
		"versions.json": a.bundleVersions, "settings.json": func(context.Context) (any, error) { return a.settingValues() },
		"doctor.json": a.bundleDoctor, "runs.json": a.bundleFailures,
	} {
		found, err := gather(ctx)
		if err != nil {
			found = map[string]string{"missing": err.Error()}
		}
		text, err := json.MarshalIndent(found, "", "  ")
		errs = append(errs, err, write(name, string(text)))
	}
	if log != "" {
		lines, err := a.bundleLog(log)
		errs = append(errs, err, write("log.jsonl", lines))
	}
	return errors.Join(append(errs, out.Close())...)
}

func (a *app) bundleVersions(ctx context.Context) (any, error) {
	found := map[string]any{"sparkwright": version, "go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH, "cores": runtime.NumCPU()}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		found["kernel"] = strings.TrimSpace(string(kernel))
	}
	s, err := a.loadSettings()
	if err != nil {
		return found, nil //nolint:nilerr // settings.json tells
	}
	st, err := localruntime.Inspect(ctx, localruntime.Options{Home: a.home, Python: s.Runtime.Python, MavenURL: s.Runtime.MavenURL})
	found["runtime"] = st
	if err != nil {
		found["runtime"] = err.Error()
	}
	return found, nil
}

func (a *app) bundleDoctor(ctx context.Context) (any, error) {
	cfg, err := a.doctorConfig(ctx)
	if err != nil {
		return nil, err
	}
	return doctor.Run(ctx, doctor.Checks(cfg)), nil
}

// failure is how a run failed, without what it was about.
type failure struct {
	Run       string                `json:"run"`
	At        time.Time             `json:"at"`
	State     sparkwright.RunState  `json:"state"`
	Executor  string                `json:"executor"`
	Generator string                `json:"generator"`
	Attempts  int                   `json:"attempts"`
	Repairs   int                   `json:"repairs"`
	Timings   []sparkwright.Timing  `json:"timings"`
	Fault     string                `json:"fault"` // values are taken out
	Kind      sparkwright.FaultKind `json:"kind"`
	Known     string                `json:"known,omitempty"` // see docs/troubleshooting.md
	Check     string                `json:"check,omitempty"` // of the doctor
}

func (a *app) bundleFailures(ctx context.Context) (any, error) {
	st, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	page, err := st.List(ctx, sparkwright.RunFilter{State: sparkwright.RunFailed, Limit: bundleRuns})
	if err != nil {
		return nil, err
	}
	out := []failure{}
	for i := range page.Runs {
		run, err := st.Run(ctx, page.Runs[i].ID)
		if err != nil {
			return nil, err
		}
		f := failure{
			Run: run.ID, At: run.CreatedAt, State: run.State, Executor: run.Placement.Executor, Generator: run.Generator,
			Attempts: len(run.Attempts), Repairs: run.Repairs, Timings: run.Timings,
		}
		if run.Fault != nil {
			f.Fault, f.Kind = codegen.FaultText(run.Fault), run.Fault.Kind
			if d := run.Fault.Diagnosis; d != nil {
				f.Known, f.Check = d.Class, d.Check
			}
		}
		out = append(out, f)
	}
	return out, nil
}

// bundleLog is the end of a log: the lines that the server itself has written.
// What others have printed between them may be anything.
func (a *app) bundleLog(path string) (string, error) {
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // G304: the person who calls names it
		if err != nil {
			return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the log cannot be read: %w", err)
		}
		defer f.Close() //nolint:errcheck // read only
		in = f
	}
	var last []string
	r := bufio.NewReaderSize(in, bundleLine)
	for {
		line, whole, err := r.ReadLine()
		for cut := whole; cut && err == nil; { // the rest of one that is too long
			_, cut, err = r.ReadLine()
		}
		if err != nil {
			break
		}
		var said struct{ Time, Level, Msg string }
		if !whole && json.Unmarshal(line, &said) == nil && said.Level != "" && said.Msg != "" {
			if last = append(last, string(bytes.TrimSpace(line))); len(last) > bundleLines {
				last = last[1:]
			}
		}
	}
	return strings.Join(last, "\n") + "\n", nil
}

// allSecrets are those that this machine can look up without asking others.
func (a *app) allSecrets(ctx context.Context) *redact.Secrets {
	var found []string
	if a.settings == nil {
		_, _ = a.loadSettings() // broken ones are told of elsewhere
	}
	if a.settings == nil {
		return redact.New()
	}
	references := []string{a.settings.Model.APIKey, a.settings.Anthropic.APIKey, a.settings.Auth.OIDCClientSecret, a.settings.Database.URL}
	for _, c := range a.settings.Connections() {
		references = append(references, c.Secret)
	}
	kept, _ := filepath.Glob(filepath.Join(a.home, "secrets", "*"))
	for _, path := range kept {
		references = append(references, "file:"+path)
	}
	for _, r := range references {
		if kind, _, _ := strings.Cut(r, ":"); kind != "env" && kind != "file" {
			continue
		}
		if v, err := secret.Lookup(ctx, r); err == nil {
			found = append(found, v.Credentials.Password)
		}
	}
	if _, err := os.Stat(filepath.Join(a.home, auth.TokenFile)); err == nil {
		if token, err := auth.NewTokens(a.home).Show(); err == nil {
			found = append(found, token)
		}
	}
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "SPARK_CONNECT_AUTHENTICATE_TOKEN"} {
		found = append(found, os.Getenv(name))
	}
	return redact.New(found...)
}

// secretLike is what looks like a secret that nobody has told of.
var secretLike = []*regexp.Regexp{
	regexp.MustCompile(`(?i)(://[^/\s:@"]*:)[^@\s/"]+(@)`),
	regexp.MustCompile(`(?i)(bearer\s+|token=|password["']?\s*[=:]\s*["']?|secret_access_key["']?\s*[=:]\s*["']?)[^\s"'&;,]{5,}()`),
	regexp.MustCompile(`()\b(?:AKIA|ASIA)[A-Z0-9]{16}\b()`),
	regexp.MustCompile(`()\bsk-[A-Za-z0-9_-]{16,}()`),
}

func scrub(hidden *redact.Secrets, text string) string {
	text = hidden.Text(text)
	for _, r := range secretLike {
		text = r.ReplaceAllString(text, "${1}"+redact.Mark+"${2}")
	}
	return text
}
