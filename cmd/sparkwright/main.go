// Command sparkwright answers questions about PostgreSQL data in plain
// English by writing PySpark, checking it, running it, and returning rows that
// can be trusted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/pgembed"
)

// version is set by the linker.
var version = "dev"

func main() {
	pgembed.KeeperMain()
	connect.KeeperMain() // and the helper of sandboxes
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the program: it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app := newApp(stdin, stdout, stderr)
	defer app.close()
	root := newRoot(app)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && ctx.Err() != nil && sparkwright.ErrorCode(err) == sparkwright.CodeInternal {
		err = sparkwright.Errorf(sparkwright.CodeCancelled, "interrupted")
	}
	return app.report(err)
}

func newRoot(app *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "sparkwright",
		Short:         "Answers questions about PostgreSQL data with Spark",
		Long:          "Sparkwright answers questions about PostgreSQL data in plain English by writing\nPySpark, checking it, running it, and returning rows that can be trusted.\n\n" + exitHelp,
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: err.Error(), Remedy: "see " + cmd.CommandPath() + " --help",
		}
	})
	root.PersistentFlags().BoolVar(&app.json, "json", false, "write JSON to stdout, and errors as JSON to stderr")
	root.PersistentFlags().StringVar(&app.databaseURL, "database-url", "", "keep runs in this PostgreSQL instead of a file: postgresql://… or env:NAME, file:PATH, aws-sm:ARN")
	root.PersistentFlags().BoolVar(&app.rawCSV, "raw-csv", false, "in CSV leave text that begins like a formula as it is; else it gets an apostrophe")
	root.PersistentFlags().Var(&app.sandbox, "sandbox", "on, or off: generated code runs with all that you can read and reach")
	root.PersistentFlags().BoolVarP(&app.quiet, "quiet", "q", false, "no progress on stderr")
	root.AddCommand(
		newAskCommand(app),
		newExplainCommand(app),
		newRunCommand(app),
		newRunsCommand(app),
		newBackupCommand(app),
		newRestoreCommand(app),
		newUpgradeCommand(app),
		newTablesCommand(app),
		newDescribeCommand(app),
		newConnectionsCommand(app),
		newFilesCommand(app),
		newRuntimeCommand(app),
		newDoctorCommand(app),
		newSupportCommand(app),
		newServeCommand(app),
		newTokenCommand(app),
		newSecretsCommand(app),
		newAuditCommand(app),
		newAgentCommand(app),
		newDemoCommand(app),
		newEmulateCommand(app),
		newVerifyCommand(app),
		newEvalCommand(app),
		newDefinitionsCommand(app),
		newSettingsCommand(app),
	)
	return root
}

// The exit codes. exitHelp tells of them.
const (
	exitInternal     = 1
	exitInvalid      = 2
	exitNotFound     = 3
	exitDeclined     = 4
	exitJobFailed    = 5
	exitUnavailable  = 6
	exitUnauthorized = 7
	exitMissing      = 8
	exitResource     = 9
	exitTimeout      = 10
	exitConflict     = 11
	exitCancelled    = 130
)

const exitHelp = `Exit codes: 0 answered · 1 a defect of ours · 2 wrong input · 3 not found ·
4 declined · 5 the job failed · 6 a service does not answer · 7 not allowed ·
8 Python or Java is missing · 9 disk, memory or a limit · 10 time limit · 11 conflict ·
130 cancelled`

// exitCode is the one table from error codes to exit codes.
func exitCode(err error) int {
	codes := map[sparkwright.Code]int{
		"": 0, sparkwright.CodeInvalid: exitInvalid, sparkwright.CodeNotFound: exitNotFound,
		sparkwright.CodeConflict: exitConflict, sparkwright.CodeUnauthorized: exitUnauthorized,
		sparkwright.CodeUnavailable: exitUnavailable, sparkwright.CodeResource: exitResource,
		sparkwright.CodeBusy:    exitResource,
		sparkwright.CodeLimited: exitResource, sparkwright.CodeMissing: exitMissing, sparkwright.CodeCancelled: exitCancelled,
		sparkwright.CodeTimeout: exitTimeout, sparkwright.CodeJobFailed: exitJobFailed,
		sparkwright.CodeDeclined: exitDeclined, sparkwright.CodeInternal: exitInternal,
	}
	return codes[sparkwright.ErrorCode(err)]
}

// report tells of an error and returns the exit code.
func (a *app) report(err error) int {
	code := exitCode(err)
	if err == nil || errors.Is(err, errReported) {
		return code
	}
	e, ok := errors.AsType[*sparkwright.Error](err)
	if !ok {
		// Cobra's own complaints (unknown command, wrong number of arguments).
		e = &sparkwright.Error{Code: sparkwright.CodeInternal, Message: err.Error()}
		if s := err.Error(); strings.HasPrefix(s, "unknown command") || strings.Contains(s, "arg(s)") || strings.Contains(s, "required flag") {
			e.Code, e.Remedy = sparkwright.CodeInvalid, "see sparkwright --help"
			code = exitInvalid
		}
	}
	if a.json {
		_ = json.NewEncoder(plainJSON{a.stderr}).Encode(map[string]any{"error": map[string]any{
			"code": e.Code, "message": e.Message, "because": e.Because, "remedy": e.Remedy, "exit": code,
		}})
		return code
	}
	word := "failed"
	if e.Code == sparkwright.CodeCancelled {
		word = "cancelled"
	}
	a.out.field(word, e.Message)
	a.out.field("because", e.Because)
	a.out.field("do", e.Remedy)
	return code
}

// errReported marks an error that the user has been told already.
var errReported = errors.New("reported")

func reported(code sparkwright.Code, text string) error {
	return &sparkwright.Error{Code: code, Message: text, Err: errReported}
}

// printf writes to stdout for people. Names, rows and logs are not ours: what
// could steer a terminal is taken out, wherever it came from.
func (a *app) printf(format string, args ...any) {
	_, _ = fmt.Fprint(a.stdout, clean(strings.ReplaceAll(fmt.Sprintf(format, args...), "\r\n", "\n")))
}
