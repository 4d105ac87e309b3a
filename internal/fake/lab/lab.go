// Package lab puts the pieces of an AWS without an account together: moto,
// what Seed makes in it, the EMR Serverless emulator beside it and, where asked
// for, the front of RDS before a PostgreSQL.
package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	"github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/rds"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// Options say what the lab is made of.
type Options struct {
	Install  localruntime.Options // where and from where Spark 3.5 and moto are installed
	Dir      string               // logs, ledger and the jobs' scratch directories
	Database awsemu.Database      // what the secret tells of
	Addr     string               // of the EMR Serverless emulator; "" = port chosen by the system
	Timing   emrserverless.Timing
	// Runner replaces Spark; then Spark 3.5 is not installed.
	Runner emrserverless.Runner
	// Owner is a superuser's login to the PostgreSQL of Database: then the front
	// of RDS stands before it, with logins by IAM.
	Owner *pgconn.Config
}

// Lab is a running AWS.
type Lab struct {
	AWS     *awsemu.Server
	World   *awsemu.World
	EMR     *emrserverless.Server
	RDS     *rds.Server // nil without an Owner
	Driver  string      // the JDBC driver's jar; "" with a Runner of the caller's
	Ledger  string      // file of the EMR Serverless emulator
	Install localruntime.Options
}

// Start installs what is missing and starts everything. It runs until Close.
func Start(ctx context.Context, opt Options) (_ *Lab, err error) {
	l := &Lab{Ledger: filepath.Join(opt.Dir, "ledger.jsonl"), Install: opt.Install}
	defer func() {
		if err != nil {
			l.Close(context.WithoutCancel(ctx))
		}
	}()
	scratch := filepath.Join(opt.Dir, "jobs")
	if err = os.MkdirAll(scratch, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the emulated AWS: %w", err)
	}
	runner, jar := opt.Runner, filepath.Join(opt.Dir, "driver.jar")
	if runner == nil {
		var rt *localruntime.Runtime
		if rt, err = localruntime.InstallEMR(ctx, opt.Install); err != nil {
			return nil, err
		}
		runner, jar, l.Driver = emrserverless.SparkRunner{SparkHome: rt.SparkHome, Env: rt.Env(), Java: rt.JavaOptions()}, rt.Driver, rt.Driver
	} else if err = os.WriteFile(jar, []byte("no job loads it"), 0o600); err != nil {
		return nil, fmt.Errorf("write the stand-in of the driver: %w", err)
	}
	if l.AWS, err = awsemu.Start(ctx, opt.Install, filepath.Join(opt.Dir, "moto.log")); err != nil {
		return nil, err
	}
	if l.World, err = awsemu.Seed(ctx, l.AWS.Config(), opt.Database, jar); err != nil {
		return nil, err
	}
	cloud, err := emrserverless.NewCloud(l.AWS.Config())
	if err != nil {
		return nil, err
	}
	l.EMR, err = emrserverless.Start(ctx, emrserverless.Config{
		Addr: opt.Addr, Account: awsemu.Account, Region: awsemu.Region, Runner: runner, Cloud: cloud, LedgerPath: l.Ledger,
		Timing: opt.Timing, MaxRunning: 1, Dir: scratch,
	})
	if err != nil {
		return nil, err
	}
	for id, app := range l.World.Applications() {
		if err = l.EMR.AddApplication(id, app); err != nil {
			return nil, err
		}
	}
	if opt.Owner != nil {
		l.RDS, err = rds.Start(ctx, rds.Config{
			Owner: opt.Owner, Account: awsemu.Account, Region: awsemu.Region, ResourceID: awsemu.DatabaseID, Caller: l.caller,
		})
		if err != nil {
			return nil, err
		}
	}
	return l, nil
}

// caller finds who signs with a key: the account's own key, which may do
// everything, or a job's.
func (l *Lab) caller(accessKeyID string) (rds.Caller, bool) {
	if accessKeyID == awsemu.KeyID {
		return rds.Caller{Secret: awsemu.Key}, true
	}
	keys, refusal, ok := l.EMR.JobKeys(accessKeyID)
	return rds.Caller{Secret: keys.Secret, Token: keys.Token, Refusal: refusal}, ok
}

// Env is the environment of a process that shall use the lab as its AWS.
func (l *Lab) Env() []string { return l.AWS.Env(l.EMR.URL()) }

// Config is how to call the lab, the EMR Serverless emulator included.
func (l *Lab) Config() aws.Config {
	cfg := l.AWS.Config()
	cfg.ConfigSources = []any{endpoints{"EMR Serverless": l.EMR.URL()}}
	return cfg
}

// endpoints are the endpoints of single services by their SDK id: what
// AWS_ENDPOINT_URL_SERVICE is in an environment.
type endpoints map[string]string

// GetServiceBaseEndpoint is what the SDK asks a source of configuration for.
func (e endpoints) GetServiceBaseEndpoint(_ context.Context, sdkID string) (string, bool, error) {
	url, ok := e[sdkID]
	return url, ok, nil
}

// Close ends everything.
func (l *Lab) Close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if l.EMR != nil {
		_ = l.EMR.Close()
	}
	if l.RDS != nil {
		_ = l.RDS.Close()
	}
	if l.AWS != nil {
		l.AWS.Stop(ctx)
	}
}

// Break breaks something by its name; see awsemu.Breaks.
func (l *Lab) Break(ctx context.Context, name string) error {
	err := l.World.Break(ctx, name)
	if errors.Is(err, awsemu.ErrUnknownBreak) || err == nil {
		return err
	}
	return fmt.Errorf("break %s: %w", name, err)
}
