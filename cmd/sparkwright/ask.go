package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// askOptions are the flags that ask and run share.
type askOptions struct {
	connections []string
	tables      []string
	files       []string
	url         string
	csv         string
	glossary    string
	follow      string // a run
	codeOnly    bool
	batch       bool
	engine      string
	yes         bool
}

func (o *askOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.connections, "connection", nil, "ask about this connection; all its tables unless --table is given; may be repeated")
	f.StringArrayVar(&o.tables, "table", nil, "a table, as connection.schema.table; may be repeated")
	f.StringArrayVar(&o.files, "file", nil, "a CSV, JSON lines or Parquet file (or a directory of them) as a table; may be repeated")
	f.StringVar(&o.url, "url", "", "a database that is not saved: postgresql://user@host/db (password in PGPASSWORD or in the URL)")
	f.StringVar(&o.csv, "csv", "", "write all rows as CSV to this file, or - for stdout")
	f.BoolVar(&o.batch, "batch", false, "run by spark-submit instead of the warm session")
	f.BoolVar(&o.yes, "yes", false, "do not ask before running")
}

func newAskCommand(app *app) *cobra.Command {
	var o askOptions
	cmd := &cobra.Command{
		Use:   `ask "QUESTION"`,
		Short: "Ask a question in English",
		Long:  "Ask a question in English. The rows go to stdout, everything else to stderr.\n\n" + exitHelp,
		Example: `  sparkwright ask "top 5 countries by number of customers" --connection shop
  sparkwright ask "orders per month in 2025" --table shop.sales.orders
  sparkwright ask "total amount per country" --connection shop --file refunds.csv
  sparkwright ask "how many users are there" --url postgresql://reader@localhost/app`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			instructions, err := o.instructions()
			if err != nil {
				return err
			}
			if err = checkEngine(o.engine); err != nil {
				return err
			}
			return app.carryOut(cmd, o, supervisor.Request{Question: args[0], Instructions: instructions, Engine: o.engine})
		},
	}
	o.addFlags(cmd)
	cmd.Flags().StringVar(&o.glossary, "glossary", "", "a text file that says how terms are to be read")
	cmd.Flags().StringVar(&o.follow, "follow", "", "a run that the question follows up, or whose question back it answers: a number or words")
	cmd.Flags().StringVar(&o.engine, "engine", "", "auto: PostgreSQL answers by itself what it answers cheaply; spark: always Spark (default: the setting spark.engine)")
	cmd.Flags().BoolVar(&o.codeOnly, "code-only", false, "write the checked code to stdout and run nothing")
	return cmd
}

func checkEngine(name string) error {
	switch name {
	case "", placement.EngineAuto, placement.EngineSpark:
		return nil
	}
	return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: fmt.Sprintf("there is no engine %q", name), Remedy: "--engine auto or --engine spark"}
}

func newRunCommand(app *app) *cobra.Command {
	var o askOptions
	cmd := &cobra.Command{
		Use:   "run FILE.py",
		Short: "Run analysis code of your own",
		Long: "Run analysis code of your own: it sees `spark` and one temp view per table, and\n" +
			"ends by assigning a DataFrame to `result`. - reads it from stdin.\n\n" + exitHelp,
		Example: "  sparkwright run late.py --table shop.sales.orders --batch",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			code, err := app.readCode(args[0])
			if err != nil {
				return err
			}
			return app.carryOut(cmd, o, supervisor.Request{Code: code})
		},
	}
	o.addFlags(cmd)
	return cmd
}

// maxCode bounds the size of analysis code.
const maxCode = 100_000

func (a *app) readCode(path string) (string, error) {
	r := a.stdin
	if path != "-" {
		f, err := os.Open(path) //nolint:gosec // G304: the user's own file
		if err != nil {
			return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the analysis cannot be read: %w", err)
		}
		defer f.Close() //nolint:errcheck // read only
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, maxCode+1))
	if err != nil {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the analysis cannot be read: %w", err)
	}
	if len(text) > maxCode {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the analysis is larger than %d bytes", maxCode)
	}
	if strings.TrimSpace(string(text)) == "" {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the analysis is empty")
	}
	return string(text), nil
}

func (o *askOptions) instructions() (string, error) {
	if o.glossary == "" {
		return "", nil
	}
	text, err := os.ReadFile(o.glossary)
	if err != nil {
		return "", sparkwright.Errorf(sparkwright.CodeInvalid, "the glossary cannot be read: %w", err)
	}
	return string(text), nil
}

// carryOut runs a request and shows what comes of it.
func (a *app) carryOut(cmd *cobra.Command, o askOptions, req supervisor.Request) error {
	ctx := cmd.Context()
	if err := a.followed(ctx, &o, &req); err != nil {
		return err
	}
	if err := a.selectSources(ctx, &o, &req); err != nil {
		return err
	}
	// Before a first run installs half a gigabyte.
	if err := supervisor.Valid(sparkwright.Request{Question: req.Question, Code: req.Code}, a.settings.Limits.QuestionChars); err != nil {
		return err
	}
	a.oneRun = true
	svc, err := a.service(ctx)
	if err != nil {
		return err
	}
	req.Batch, req.CodeOnly = o.batch, o.codeOnly
	view := &progressView{app: a}
	req.Observe = view.observe
	if a.interactive() && !o.yes {
		req.Approve = a.approve
	}
	if !o.batch { // while the question is read; a declined one ends it
		warm, stop := context.WithCancel(ctx)
		defer stop()
		go func() { _ = a.connect.Warm(warm) }()
	}
	run, err := svc.Ask(ctx, req)
	a.out.clear()
	if run != nil && err == nil && a.interactive() && !o.yes && askedBack(run) {
		if choice := a.choose(run); choice != "" {
			req.Question, req.Parent = choice, run.ID
			run, err = svc.Ask(ctx, req)
			a.out.clear()
		}
	}
	if run == nil {
		return err
	}
	return a.show(ctx, run, err, o)
}

// interactive reports whether a person sits at both ends.
func (a *app) interactive() bool {
	return a.out.terminal && isTerminal(a.stdin) && !a.json && !a.quiet && os.Getenv("CI") == ""
}

// confirmBytes is how much a run may read without being asked about.
const confirmBytes = 10 << 30

// approve asks before a run that reads very much.
func (a *app) approve(run *sparkwright.Run) bool {
	var bytes int64
	for _, v := range run.Views {
		bytes += v.Bytes
	}
	if bytes < confirmBytes {
		return true
	}
	a.out.clear()
	_, _ = fmt.Fprintf(a.stderr, "  This may read %s. Run it? [y/N] ", size(bytes))
	var answer string
	_, _ = fmt.Fscanln(a.stdin, &answer)
	return strings.HasPrefix(strings.ToLower(answer), "y")
}

func (a *app) addURL(ctx context.Context, raw string) (string, error) {
	conn, cred, err := postgres.ParseURL(raw)
	if err != nil {
		return "", err
	}
	if cred.Password == "" {
		cred.Password = os.Getenv("PGPASSWORD")
	}
	dbs, err := a.openDatabases(ctx)
	if err != nil {
		return "", err
	}
	if conn.Name == "" {
		conn.Name = "url"
	}
	dbs.extra[conn.Name] = login{conn: conn, cred: cred}
	return conn.Name, nil
}

// show writes the outcome of a run.
func (a *app) show(ctx context.Context, run *sparkwright.Run, err error, o askOptions) error {
	if a.json {
		enc := json.NewEncoder(plainJSON{a.stdout})
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		if e := enc.Encode(run); e != nil {
			return fmt.Errorf("write the run: %w", e)
		}
		if err == nil && run.Declined != nil {
			return reported(sparkwright.CodeDeclined, run.Declined.Message)
		}
		return err
	}
	switch {
	case run.Declined != nil:
		return a.showDeclined(run)
	case err != nil:
		code := a.report(err)
		if run.Fault != nil && run.Fault.Line > 0 {
			a.out.field("line", codeLine(run.Analysis, run.Fault.Line))
		}
		a.out.field("run", run.ID+" · sparkwright runs show "+run.ID)
		_ = code
		return reported(sparkwright.ErrorCode(err), err.Error())
	case o.codeOnly:
		a.printf("%s\n", strings.TrimRight(run.Analysis, "\n"))
		return nil
	}
	if !a.quiet {
		a.say("code", strings.TrimSpace(run.Analysis))
		_, _ = fmt.Fprintln(a.stderr)
	}
	if e := a.writeResult(ctx, run.Result, o.csv); e != nil {
		return e
	}
	a.trust(run)
	if !a.quiet {
		a.out.line(summary(run))
		a.out.line("run " + run.ID + " · code: sparkwright runs show " + run.ID + " --code")
	}
	return nil
}

// writeResult writes the rows: CSV to a file or pipe, a table for people.
func (a *app) writeResult(ctx context.Context, m *sparkwright.Manifest, csvFile string) error {
	width := terminalWidth(a.stdout)
	if csvFile == "-" || csvFile == "" && width == 0 { // a pipe gets plain rows, all of them
		return a.writeCSV(ctx, a.stdout, m)
	}
	if csvFile != "" {
		f, err := os.OpenFile(filepath.Clean(csvFile), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		if err != nil {
			return sparkwright.Errorf(sparkwright.CodeInvalid, "the CSV file cannot be written: %w", err)
		}
		if err := a.writeCSV(ctx, f, m); err != nil {
			_ = f.Close()
			return err
		}
		if err := f.Close(); err != nil {
			return sparkwright.Errorf(sparkwright.CodeResource, "the CSV file cannot be written: %w", err)
		}
		a.say("csv", csvFile)
	}
	if width > 0 {
		a.rows(m, width)
	}
	return nil
}

// writeCSV writes every row of a result, read from its parts.
func (a *app) writeCSV(ctx context.Context, w io.Writer, m *sparkwright.Manifest) error {
	out := csv.NewWriter(w)
	header := make([]string, len(m.Schema))
	for i, c := range m.Schema {
		header[i] = c.Name
		if !a.rawCSV {
			header[i] = harmless(c.Name)
		}
	}
	if err := out.Write(header); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	err := artifact.RowsFrom(ctx, m, a.openPart, func(cells []json.RawMessage) error {
		record := make([]string, len(cells))
		for i, v := range cells {
			record[i] = cellText(v)
			if !a.rawCSV && !numeric(m.Schema[i].Type) {
				record[i] = harmless(record[i])
			}
		}
		return out.Write(record)
	})
	out.Flush()
	if err == nil {
		err = out.Error()
	}
	if err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// harmless puts an apostrophe before text that a spreadsheet would take for a
// formula.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (a *app) showDeclined(run *sparkwright.Run) error {
	d := run.Declined
	a.out.field("declined", d.Message)
	if len(d.Unplaced) > 0 {
		a.out.field("unplaced", strings.Join(d.Unplaced, ", "))
	}
	a.out.field("near it", strings.Join(d.Near, ", "))
	if len(d.Choices) > 0 {
		a.out.field("choices", `"`+strings.Join(d.Choices, `" · "`)+`"`)
	}
	if len(d.Could) > 0 {
		a.out.field("I could", `"`+strings.Join(d.Could, `" · "`)+`"`)
	}
	a.out.field("run", run.ID)
	return reported(sparkwright.CodeDeclined, d.Message)
}

func codeLine(code string, line int) string {
	lines := strings.Split(code, "\n")
	if line > len(lines) {
		return ""
	}
	return fmt.Sprintf("%d: %s", line, lines[line-1])
}
