// Package awsemu runs an AWS on this machine for people and tests without an
// account: moto (S3, Secrets Manager, Glue, IAM, EC2, CloudWatch Logs, STS),
// in a private Python environment, on a loopback port. Seed fills it with what
// the documents about PostgreSQL on EMR Serverless describe; Break takes one
// thing away again.
//
// moto is generous: it checks no signature, evaluates no policy, and lets
// expired presigned URLs through. What that can hide is in docs/emulator.md.
package awsemu

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

//go:embed requirements.txt
var requirements []byte

// The account that is emulated.
const (
	Account = "123456789012"
	Region  = "us-east-1"
	// KeyID and Key may call everything.
	KeyID = "test"
	Key   = "test"
)

const (
	readyWait = 2 * time.Minute
	readyPoll = 100 * time.Millisecond
	stopGrace = 5 * time.Second
)

// Server is a running moto. Its methods are safe for concurrent use.
type Server struct {
	dir   string // the private environment
	url   string
	child *childproc.Child
	log   *os.File
}

// Install makes the private environment complete and returns its directory.
func Install(ctx context.Context, opt localruntime.Options) (string, error) {
	dir, _, err := localruntime.Venv(ctx, opt, "aws", requirements, "import moto.server, boto3, awscli; print(moto.__version__)")
	return dir, err
}

// Start installs what is missing and starts moto. It outlives ctx and ends
// with Stop or with this process. What it prints goes to logPath.
func Start(ctx context.Context, opt localruntime.Options, logPath string) (*Server, error) {
	dir, err := Install(ctx, opt)
	if err != nil {
		return nil, err
	}
	// Another process may take the port before moto has it: then once more.
	for try := 0; ; try++ {
		s, err := start(ctx, dir, logPath)
		if err == nil || try == 2 || ctx.Err() != nil {
			return s, err
		}
	}
}

func start(ctx context.Context, dir, logPath string) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	out, err := os.Create(logPath) //nolint:gosec // G304: the caller's choice
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeResource, "the emulated AWS cannot write its log: %w", err)
	}
	s := &Server{dir: dir, url: fmt.Sprintf("http://127.0.0.1:%d", port), log: out}
	cmd := exec.Command(s.program("python"), "-I", "-m", "moto.server", "-H", "127.0.0.1", "-p", fmt.Sprint(port)) //nolint:gosec,noctx // G204: our own environment; stopped as a group
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "MOTO_IAM_LOAD_MANAGED_POLICIES=false", "PYTHONUNBUFFERED=1"}
	cmd.Stdout, cmd.Stderr = out, out
	if s.child, err = childproc.Start(cmd, syscall.SIGKILL); err != nil {
		_ = out.Close()
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "moto did not start: %w", err)
	}
	if err := s.ready(ctx); err != nil {
		s.Stop(context.WithoutCancel(ctx))
		return nil, err
	}
	return s, nil
}

func freePort(ctx context.Context) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, sparkwright.Errorf(sparkwright.CodeResource, "no port is free: %w", err)
	}
	at, ok := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil || !ok {
		return 0, sparkwright.Errorf(sparkwright.CodeInternal, "no port is free: %w", err)
	}
	return at.Port, nil
}

// ready waits until moto answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/moto-api/", http.NoBody)
		if err == nil {
			if res, err := client.Do(req); err == nil {
				_ = res.Body.Close()
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-s.child.Done():
			return &sparkwright.Error{
				Code: sparkwright.CodeUnavailable, Message: "the emulated AWS ended at once", Because: fmt.Sprint(s.child.Err()), Remedy: "see " + s.log.Name(),
			}
		case <-ctx.Done():
			return &sparkwright.Error{
				Code: sparkwright.CodeUnavailable, Message: "the emulated AWS does not answer", Because: ctx.Err().Error(), Remedy: "see " + s.log.Name(),
			}
		}
	}
}

// URL is the endpoint: the value of AWS_ENDPOINT_URL.
func (s *Server) URL() string { return s.url }

// Program is the path of a program of the private environment: aws, python.
func (s *Server) program(name string) string { return filepath.Join(s.dir, "venv", "bin", name) }

// Python is the private environment's interpreter: it has boto3.
func (s *Server) Python() string { return s.program("python") }

// CLI is the AWS command line of the private environment.
func (s *Server) CLI() string { return s.program("aws") }

// Stop ends moto. Safe to call twice.
func (s *Server) Stop(ctx context.Context) {
	s.child.Stop(ctx, stopGrace)
	_ = s.log.Close()
}

// Config is how to call the emulated AWS. Replies that were cut off are asked
// for again; moto's own 500s are not, they stay.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region: Region, Credentials: credentials.NewStaticCredentialsProvider(KeyID, Key, ""), BaseEndpoint: aws.String(s.url),
		Retryer: retryCut, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	}
}

func retryCut() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.MaxBackoff = 4, time.Second
		o.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(err error) aws.Ternary {
			cut := errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
			return aws.BoolTernary(cut)
		})}
	})
}

// Env is the environment of a process that shall call the emulated AWS, and
// the EMR Serverless emulator at emrURL.
func (s *Server) Env(emrURL string) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + s.url, "AWS_ENDPOINT_URL_EMR_SERVERLESS=" + emrURL, "AWS_REGION=" + Region, "AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + KeyID, "AWS_SECRET_ACCESS_KEY=" + Key, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_PAGER=",
	}
}

// ErrUnknownBreak is returned for a break that there is not.
var ErrUnknownBreak = errors.New("unknown break")
