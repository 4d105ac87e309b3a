package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
)

type doctorOptions struct {
	fix, yes bool
	cheap    bool
	inside   bool
	only     string
	port     int
}

func newDoctorCommand(app *app) *cobra.Command {
	var opt doctorOptions
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look for what would make a run fail, and say how to mend it", Args: cobra.NoArgs,
		Long: "Looks at settings, this machine, AWS, every PostgreSQL connection and the model, in\nparallel, and changes nothing. Each finding says its cause, the exact command, SQL,\n" +
			"policy or Terraform that mends it, and how it was looked at. --fix makes the repairs\nthat are safe, after showing them: it uploads the driver, writes settings keys, installs\nthe local runtime, creates the read-only role.\n\n" +
			"Exit codes: 0 everything is well, or warnings only · 6 something fails",
		RunE: func(cmd *cobra.Command, _ []string) error { return app.doctor(cmd.Context(), opt) },
	}
	cmd.Flags().BoolVar(&opt.fix, "fix", false, "make the repairs that are safe")
	cmd.Flags().BoolVarP(&opt.yes, "yes", "y", false, "with --fix: do not ask before each repair")
	cmd.Flags().BoolVar(&opt.cheap, "quick", false, "only what is looked at before every run")
	cmd.Flags().BoolVar(&opt.inside, "from-inside", false, "submit a small job that looks from within the application's VPC")
	cmd.Flags().StringVar(&opt.only, "only", "", "only checks whose id begins with this: postgres, network.endpoint")
	cmd.Flags().IntVar(&opt.port, "port", 0, "also look whether this port is free for serve")
	return cmd
}

func (a *app) doctor(ctx context.Context, opt doctorOptions) error {
	cfg, err := a.doctorConfig(ctx)
	if err != nil {
		return err
	}
	if opt.inside {
		seen, failed := a.doctorInside(ctx, cfg.Settings)
		if failed != nil {
			return failed
		}
		return a.tellReport(seen)
	}
	cfg.Port = opt.port
	checks := doctor.Checks(cfg)
	if opt.cheap {
		checks = doctor.Cheap(checks)
	}
	if opt.only != "" {
		checks = doctor.Only(checks, opt.only)
		if len(checks) == 0 {
			return &sparkwright.Error{Code: sparkwright.CodeNotFound, Message: "no check begins with " + opt.only, Remedy: "sparkwright doctor --json lists all ids"}
		}
	}
	report := doctor.Run(ctx, checks)
	if opt.fix {
		report, err = doctor.Mend(ctx, checks, report, func(f doctor.Finding, plan string) bool { return a.confirm(f, plan, opt.yes) })
		if err != nil {
			return err
		}
	}
	return a.tellReport(report)
}

// tellReport writes the report. A failure becomes the exit code.
func (a *app) tellReport(report *doctor.Report) error {
	if a.json {
		if err := json.NewEncoder(plainJSON{a.stdout}).Encode(report); err != nil {
			return err
		}
	} else {
		a.showReport(report)
	}
	if report.Level == doctor.Fail {
		return reported(sparkwright.CodeUnavailable, report.First().Message)
	}
	return nil
}

// confirm shows a repair and asks for it. Without a terminal and --yes nothing
// is done.
func (a *app) confirm(f doctor.Finding, plan string, yes bool) bool {
	a.out.field("fix", f.ID+": "+plan)
	if yes {
		return true
	}
	in, isFile := a.stdin.(interface{ Fd() uintptr })
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		a.out.field("left out", "say --yes to do this without being asked")
		return false
	}
	a.out.field("do it?", "y or n")
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	return (err == nil || err == io.EOF) && strings.HasPrefix(strings.ToLower(strings.TrimSpace(line)), "y")
}

var marks = map[doctor.Level]string{doctor.OK: "✓", doctor.Skipped: "·", doctor.Warn: "!", doctor.Fail: "✗"}

// showReport writes the findings by group: good ones on one line each, the
// others with cause and fix.
func (a *app) showReport(r *doctor.Report) {
	group := ""
	counts := map[doctor.Level]int{}
	for _, f := range r.Findings {
		counts[f.Level]++
		if f.Group != group {
			group = f.Group
			a.printf("\n  %s\n", group)
		}
		name := f.ID
		if f.About != "" {
			name += " [" + f.About + "]"
		}
		a.printf("  %s %-34s %s\n", marks[f.Level], clean(name), clean(f.Message))
		if f.Level == doctor.OK {
			continue
		}
		a.detail("because", f.Because)
		if f.Level == doctor.Skipped {
			continue
		}
		for _, fix := range f.Fixes {
			a.detail(string(fix.Kind), fix.Text)
		}
		a.detail("looked at", f.How)
		if f.Fixable {
			a.detail("or", "sparkwright doctor --fix")
		}
	}
	a.printf("\n  %d well, %d warnings, %d failures, %d not checked · %.1f s\n", counts[doctor.OK], counts[doctor.Warn], counts[doctor.Fail], counts[doctor.Skipped], r.Seconds)
}

func (a *app) detail(label, text string) {
	if text == "" {
		return
	}
	for i, line := range strings.Split(strings.TrimRight(clean(text), "\n"), "\n") {
		if i > 0 {
			label = ""
		}
		a.printf("      %-10s %s\n", label, line)
	}
}

// doctorConfig gathers what the checks look at. Broken settings are a finding,
// not an error.
func (a *app) doctorConfig(ctx context.Context) (doctor.Config, error) {
	home, err := settings.Home()
	if err != nil {
		return doctor.Config{}, err
	}
	s, broken := settings.Load(home)
	conf := configuration{home: home}
	if broken != nil {
		s = settings.Default()
	} else if a.databaseURL != "" || s.Database.URL != "" {
		if conf, broken = a.configuration(ctx); broken == nil {
			broken = conf.apply(s) //nolint:contextcheck // it has a time limit of its own
		}
	}
	cfg := doctor.Config{
		Home: home, Settings: s, Error: broken, Now: time.Now,
		Login: secret.Complete,
		Save:  conf.Update,
	}
	opt := localruntime.Options{Home: home, Python: s.Runtime.Python, MavenURL: s.Runtime.MavenURL}
	cfg.Inspect = func(ctx context.Context) (*localruntime.Status, error) { return localruntime.Inspect(ctx, opt) }
	cfg.Install = func(ctx context.Context) error { _, err := localruntime.Install(ctx, opt); return err }
	cfg.Driver = func() (string, error) {
		rt, err := localruntime.Install(ctx, opt)
		if err != nil {
			return "", err
		}
		return rt.Driver, nil
	}
	if broken == nil && demoInstalled(home) {
		if dbs, err := a.openDatabases(ctx); err == nil {
			if l, err := dbs.login(ctx, demoName); err == nil {
				cfg.Extra = append(cfg.Extra, l.conn)
			}
		}
	}
	if doctorNeedsAWS(s) {
		cfg.AWS, cfg.Error = doctorAWS(ctx, s, broken)
	}
	cfg.Model, cfg.ModelWhy, cfg.ModelError = modelOf(ctx, s)
	return cfg, nil
}

// doctorNeedsAWS reports whether anything of AWS is configured.
func doctorNeedsAWS(s *settings.Settings) bool {
	for _, c := range s.Connections() {
		if strings.HasPrefix(c.Secret, "aws-sm:") {
			return true
		}
	}
	sp := s.Spark
	return sp.EMRApplicationID != "" || sp.EMRPostgresApplicationID != "" || sp.S3Bucket != "" || sp.LambdaFunction != ""
}

func doctorAWS(ctx context.Context, s *settings.Settings, broken error) (*doctor.AWS, error) {
	cfg, err := awscloud.Load(ctx, awscloud.Options{Region: s.Spark.Region, Attempts: 2})
	if err != nil {
		if broken == nil {
			broken = err
		}
		return nil, broken
	}
	return &doctor.AWS{
		Region: cfg.Region, Identity: sts.NewFromConfig(cfg), Applications: emrserverless.NewFromConfig(cfg), Network: ec2.NewFromConfig(cfg),
		Roles: iam.NewFromConfig(cfg), Storage: awscloud.NewS3(cfg), Secrets: secretsmanager.NewFromConfig(cfg), Quotas: servicequotas.NewFromConfig(cfg),
	}, broken
}
