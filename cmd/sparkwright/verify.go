package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/verify"
)

type verifyOptions struct {
	url, connection, table, question string
	timeout                          time.Duration
}

func newVerifyCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "Prove that a way of running works, by using it"}
	var opt verifyOptions
	pg := &cobra.Command{
		Use: "postgres", Short: "Ask a PostgreSQL question on EMR Serverless, and look in AWS for what it left there", Args: cobra.NoArgs,
		Long: "Asks a question by POST /spark/generate and prints the lines of the reference's check:\n" +
			"Status, JDBC and Secrets, Result. Then looks in AWS itself for the job run, its log events and\n" +
			"its result objects. The exit code is not 0 when a line fails. The job costs what a job costs.",
		RunE: func(cmd *cobra.Command, _ []string) error { return app.verifyPostgres(cmd.Context(), opt) },
	}
	f := pg.Flags()
	f.StringVar(&opt.url, "url", "", "of a running server; without it, one is started for the question")
	f.StringVar(&opt.connection, "connection", "", "which connection; without it, the first that has a secret in Secrets Manager")
	f.StringVar(&opt.table, "table", "", "schema.table to ask about")
	f.StringVar(&opt.question, "question", "", "what to ask; without it, how many rows the table has")
	f.DurationVar(&opt.timeout, "timeout", 20*time.Minute, "time limit of the whole")
	_ = pg.MarkFlagRequired("table")
	cmd.AddCommand(pg)
	return cmd
}

func (a *app) verifyPostgres(ctx context.Context, opt verifyOptions) error {
	ctx, cancel := context.WithTimeout(ctx, opt.timeout)
	defer cancel()
	s, err := a.loadSettings()
	if err != nil {
		return err
	}
	if _, err = a.openDatabases(ctx); err != nil { // the connections may be in a database
		return err
	}
	req := verify.Request{URL: opt.url, Application: s.Spark.EMRPostgresApplicationID, Question: opt.question}
	if req.Application == "" {
		return &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "there is no EMR Serverless application for PostgreSQL",
			Because: "spark.emr_postgres_application_id is not set", Remedy: "set it in settings.json",
		}
	}
	if req.Table, err = a.tableToVerify(opt); err != nil {
		return err
	}
	if req.Question == "" {
		req.Question = "How many " + req.Table.Table + " are there?"
	}
	cfg, err := awscloud.Load(ctx, awscloud.Options{Region: s.Spark.Region, Log: a.log})
	if err != nil {
		return err
	}
	if req.URL == "" {
		var stop func()
		if req.URL, stop, err = a.serveAside(ctx); err != nil {
			return err
		}
		defer stop()
	}
	lines, err := verify.Postgres(ctx, cfg, req)
	if err != nil {
		return err
	}
	failed := ""
	for _, l := range lines {
		if !l.OK && (failed == "" || strings.HasPrefix(l.Text, "Message: ")) { // that says why the others fail
			failed = l.Text
		}
	}
	if a.json {
		err = json.NewEncoder(plainJSON{a.stdout}).Encode(map[string]any{"ok": failed == "", "lines": lines})
	} else {
		for _, l := range lines {
			a.printf("%s\n", l.Text)
		}
	}
	if failed != "" {
		return &sparkwright.Error{Code: sparkwright.CodeJobFailed, Message: "the check has failed", Because: failed, Remedy: "sparkwright doctor"}
	}
	return err
}

// tableToVerify is the table as a client of the reference contract selects it.
func (a *app) tableToVerify(opt verifyOptions) (verify.Table, error) {
	schema, table, ok := strings.Cut(opt.table, ".")
	if !ok {
		return verify.Table{}, sparkwright.Errorf(sparkwright.CodeInvalid, "--table must be schema.table, not %q", opt.table)
	}
	for _, c := range a.settings.Connections() {
		arn, isARN := strings.CutPrefix(c.Secret, "aws-sm:")
		if opt.connection != "" && opt.connection != c.Name || opt.connection == "" && !isARN {
			continue
		}
		return verify.Table{
			Connection: c.Name, Database: c.Database, Schema: schema, Table: table, SecretARN: arn, AuthMethod: string(c.AuthMethod),
			JDBCURL: fmt.Sprintf("jdbc:postgresql://%s:%d/%s", c.Host, c.Port, c.Database),
		}, nil
	}
	return verify.Table{}, &sparkwright.Error{
		Code: sparkwright.CodeNotFound, Message: "there is no connection to ask", Because: "none of postgres.connections fits",
		Remedy: "name one with --connection, or give one a secret_arn",
	}
}

var servedAt = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// serveAside starts sparkwright serve as a process of its own, on a port that
// the system chooses.
func (a *app) serveAside(ctx context.Context) (url string, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, sparkwright.Errorf(sparkwright.CodeInternal, "cannot find this program's own file: %w", err)
	}
	r, w := io.Pipe()
	cmd := exec.Command(self, "serve", "--port", "0") //nolint:gosec,noctx // G204: this very program; stopped as a group below
	cmd.Stderr = w
	child, err := childproc.Start(cmd, syscall.SIGTERM)
	if err != nil {
		return "", nil, sparkwright.Errorf(sparkwright.CodeInternal, "the server did not start: %w", err)
	}
	stop = func() { child.Stop(context.WithoutCancel(ctx), 2*shutdownGrace) }
	go func() {
		<-child.Done()
		_ = w.Close()
	}()
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(r)
		for lines.Scan() {
			if at := servedAt.FindString(lines.Text()); at != "" {
				select {
				case found <- at:
				default:
				}
			}
			a.say("server", strings.TrimSpace(lines.Text()))
		}
		_, _ = io.Copy(io.Discard, r)
	}()
	select {
	case url = <-found:
		return url, stop, nil
	case <-child.Done():
		err = sparkwright.Errorf(sparkwright.CodeUnavailable, "the server ended before it served: %w", child.Err())
	case <-ctx.Done():
		err = sparkwright.Errorf(sparkwright.CodeTimeout, "the server did not start in time: %w", ctx.Err())
	}
	stop()
	return "", nil, err
}
