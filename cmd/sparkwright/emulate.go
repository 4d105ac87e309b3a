package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	"github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
)

type emulateOptions struct {
	port   int
	breaks []string
	keep   bool
}

func newEmulateCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{Use: "emulate", Short: "Run services of AWS on this machine, for people without an account"}
	var opt emulateOptions
	var what []string
	for _, name := range slices.Sorted(maps.Keys(awsemu.Breaks())) {
		what = append(what, fmt.Sprintf("  %-17s %s", name, awsemu.Breaks()[name]))
	}
	emr := &cobra.Command{
		Use: "emr-serverless [-- command …]", Short: "Run EMR Serverless, what it needs of AWS, and the demo's PostgreSQL",
		Long: "Runs an EMR Serverless that carries jobs out on Spark 3.5, an AWS around it (moto), and the demo's\n" +
			"PostgreSQL, and fills them: a VPC with endpoints, the role " + awsemu.RoleName + ", the bucket\n" +
			awsemu.Bucket + " with the JDBC driver, a secret, two applications.\n\n" +
			"With a command, runs that in the environment that leads to all this, and stops with it. Without one, or\n" +
			"with --keep, prints the environment and runs until Ctrl-C. Nothing leaves this machine.\n\n" +
			"--break takes something away, once or several times:\n" + strings.Join(what, "\n"),
		RunE: func(cmd *cobra.Command, args []string) error { return app.emulate(cmd.Context(), opt, args) },
	}
	emr.Flags().IntVar(&opt.port, "port", 0, "port of EMR Serverless; 0 = chosen by the system")
	emr.Flags().StringArrayVar(&opt.breaks, "break", nil, "break something, see above")
	emr.Flags().BoolVar(&opt.keep, "keep", false, "go on after the command")
	cmd.AddCommand(emr)
	return cmd
}

// emulate runs the emulated AWS.
func (a *app) emulate(ctx context.Context, opt emulateOptions, command []string) error {
	for _, name := range opt.breaks {
		if _, known := awsemu.Breaks()[name]; !known {
			return &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "there is no break " + name,
				Remedy: "one of " + strings.Join(slices.Sorted(maps.Keys(awsemu.Breaks())), ", "),
			}
		}
	}
	install, err := a.runtimeOptions()
	if err != nil {
		return err
	}
	if err = a.prepareDemo(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sparkwright-aws-")
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "no directory for the emulated AWS: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort; the name is ours
	shop := a.databases.open[demoName].login
	owner, err := a.demoOwner(ctx, opt.breaks)
	if err != nil {
		return err
	}
	a.say("emulate", "EMR Serverless and the AWS around it are starting")
	l, err := lab.Start(ctx, lab.Options{
		Install: install, Dir: dir, Addr: fmt.Sprintf("127.0.0.1:%d", opt.port),
		Timing: emrserverless.Timing{Step: 500 * time.Millisecond},
		Database: awsemu.Database{
			Name: demoName, Host: shop.conn.Host, Port: shop.conn.Port, Database: shop.conn.Database, User: shop.cred.User, Password: shop.cred.Password,
			Owner: owner.User, OwnerPassword: owner.Password,
		},
	})
	if err != nil {
		return err
	}
	defer l.Close(context.WithoutCancel(ctx))
	for _, name := range opt.breaks {
		if err = l.Break(ctx, name); err != nil {
			return err
		}
		a.say("broken", awsemu.Breaks()[name])
	}
	env, err := emulatedHome(dir, a.home, l)
	if err != nil {
		return err
	}
	if len(command) > 0 {
		err = a.inside(ctx, env, command)
		if !opt.keep || ctx.Err() != nil {
			return err
		}
		if err != nil {
			a.report(err)
		}
	}
	for _, pair := range env {
		a.printf("export %s\n", pair)
	}
	a.printf("export PATH=%s:$PATH\n", filepath.Dir(l.AWS.CLI()))
	a.say("emulate", "running; stop with Ctrl-C")
	<-ctx.Done()
	return nil
}

// demoOwner is the login of the demo's owner, when a break needs it.
func (a *app) demoOwner(ctx context.Context, breaks []string) (sparkwright.Credentials, error) {
	if !slices.Contains(breaks, "writer") {
		return sparkwright.Credentials{}, nil
	}
	if a.databases.demo == nil || a.databases.demo.server == nil {
		return sparkwright.Credentials{}, &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the owner of the demo's database is not known here", Because: "another process runs its PostgreSQL", Remedy: "stop that one first",
		}
	}
	conn := a.databases.demo.server.Connection()
	cred, err := secret.Resolve(ctx, conn)
	cred.User = conn.User
	return cred, err
}

// emulatedHome writes a data directory whose settings lead to the emulated
// AWS, and returns the environment of a process that shall use it. What is
// installed is the caller's.
func emulatedHome(dir, home string, l *lab.Lab) ([]string, error) {
	at := filepath.Join(dir, "home")
	text, err := json.MarshalIndent(l.World.Settings(), "", "  ")
	if err == nil {
		err = os.MkdirAll(at, 0o700)
	}
	if err == nil {
		err = os.Symlink(filepath.Join(home, "runtime"), filepath.Join(at, "runtime"))
	}
	if err == nil {
		err = artifact.WriteFile(filepath.Join(at, settings.FileName), append(text, '\n'))
	}
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeResource, "the settings for the emulated AWS cannot be written: %w", err)
	}
	return append(l.Env(), "SPARKWRIGHT_HOME="+at), nil
}

// inside runs a command in the environment of the emulated AWS. Its exit code
// is told as an error.
func (a *app) inside(ctx context.Context, env, command []string) error {
	cmd := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // G204: what the caller asks for; stopped as a group below
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.stdin, a.stdout, a.stderr
	child, err := childproc.Start(cmd, syscall.SIGTERM)
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "%s cannot be run: %w", command[0], err)
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		child.Stop(context.WithoutCancel(ctx), shutdownGrace)
	}
	if err := child.Err(); err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return sparkwright.Errorf(sparkwright.CodeJobFailed, "%s ended with %s", command[0], exit)
		}
		return fmt.Errorf("run %s: %w", command[0], err)
	}
	return nil
}
