// Package awscloud is the one place that loads the configuration of AWS
// clients and that says what their errors mean.
//
// Credentials, region and endpoints are those of the AWS SDK's default chain:
// environment, profile, container or instance role; AWS_ENDPOINT_URL and
// AWS_ENDPOINT_URL_<SERVICE> lead to other servers than Amazon's.
package awscloud

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"github.com/sparkwright/sparkwright"
)

// Options say how clients behave. The zero value is useful.
type Options struct {
	Region   string // "" = as the SDK finds it
	Attempts int    // tries of one call, the first included; 0 = 4
	Log      *slog.Logger
}

const (
	defaultAttempts = 4
	dialTimeout     = 10 * time.Second
	headerTimeout   = 60 * time.Second
)

// Load returns the configuration for all clients. CodeInvalid when there is no
// region. Credentials are looked for at the first call, not here.
func Load(ctx context.Context, opt Options) (aws.Config, error) {
	attempts := opt.Attempts
	if attempts == 0 {
		attempts = defaultAttempts
	}
	load := []func(*config.LoadOptions) error{
		config.WithRetryMaxAttempts(attempts),
		config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
			t.ResponseHeaderTimeout = headerTimeout
		}).WithDialerOptions(setDial)),
		config.WithLogger(logger{opt.Log}),
		// Older objects and ranges have no checksum; asking for one only warns.
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired),
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
	}
	if opt.Region != "" {
		load = append(load, config.WithRegion(opt.Region))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return cfg, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the AWS configuration cannot be read", Because: err.Error(),
			Remedy: "check ~/.aws/config and AWS_PROFILE", Err: err,
		}
	}
	if cfg.Region == "" {
		return cfg, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "no AWS region is set",
			Remedy: "set spark.region in the settings, or AWS_REGION",
		}
	}
	return cfg, nil
}

// NewS3 returns a client of S3. Servers other than Amazon's have the bucket in
// the path: its name in front of theirs seldom resolves.
func NewS3(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		if o.BaseEndpoint != nil {
			o.UsePathStyle = true
		}
	})
}

// SplitS3 takes an s3:// URL apart. The key has no slash at either end. ok is
// false for anything else.
func SplitS3(url string) (bucket, key string, ok bool) {
	rest, found := strings.CutPrefix(url, "s3://")
	if !found {
		return "", "", false
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, strings.Trim(key, "/"), bucket != ""
}

// logger hands what the SDK has to say to slog.
type logger struct{ log *slog.Logger }

// Logf implements logging.Logger.
func (l logger) Logf(level logging.Classification, format string, args ...any) {
	if l.log == nil || level != logging.Warn {
		return
	}
	//nolint:sloglint // the SDK gives no context, and formats its own text
	l.log.Warn("aws sdk", "text", strings.TrimSpace(sprintf(format, args)))
}
