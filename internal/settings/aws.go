package settings

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	bucketName    = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	applicationID = regexp.MustCompile(`^[0-9a-z]{1,64}$`)
	runtimeARN    = regexp.MustCompile(`^arn:aws[a-z-]*:bedrock-agentcore:[a-z0-9-]+:[0-9]{12}:runtime/[A-Za-z0-9_-]+$`)
	roleARN       = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
	regionName    = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`)
	logGroupName  = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)
	instanceName  = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,15}$`)
	driverURL     = regexp.MustCompile(`^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[\w!.*'()/=+@-]+\.jar$`)
)

// matching returns a check of text that may be empty.
func matching(pattern *regexp.Regexp, must string) func(any) string {
	return func(value any) string {
		if text, _ := value.(string); text != "" && !pattern.MatchString(text) {
			return must
		}
		return ""
	}
}

// optional lets a text be empty.
func optional(check func(any) string) func(any) string {
	return func(value any) string {
		if value == "" {
			return ""
		}
		return check(value)
	}
}

func checkBucket(value any) string {
	return matching(bucketName, "must be the name of an S3 bucket, without s3://, or empty")(value)
}

func checkApplication(value any) string {
	return matching(applicationID, "must be the id of an EMR Serverless application (digits and small letters), or empty")(value)
}

func checkRuntime(value any) string {
	return matching(runtimeARN, "must be the ARN of an AgentCore runtime (arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/NAME), or empty")(value)
}

func checkRole(value any) string {
	return matching(roleARN, "must be the ARN of an IAM role (arn:aws:iam::ACCOUNT:role/NAME), or empty")(value)
}

func checkRegion(value any) string {
	return matching(regionName, "must be an AWS region like eu-central-1, or empty")(value)
}

func checkInstance(value any) string {
	return matching(instanceName, "must be 1 to 16 small letters, digits or _, or empty")(value)
}

func checkDriver(value any) string {
	return matching(driverURL, "must be s3://BUCKET/KEY.jar, or empty")(value)
}

func checkLogGroup(value any) string {
	return matching(logGroupName, "must be the name of a CloudWatch log group, or empty")(value)
}

// InstanceName is what the jobs of this installation begin with: the setting
// spark.instance, else a random name that is kept in the data directory.
func (s *Settings) InstanceName() (string, error) {
	if s.Spark.Instance != "" {
		return s.Spark.Instance, nil
	}
	path := filepath.Join(s.home, "instance")
	const message = "the name of this installation could not be kept"
	for range 2 {
		text, err := os.ReadFile(path) //nolint:gosec // G304: in the data directory
		if name := strings.TrimSpace(string(text)); err == nil && instanceName.MatchString(name) {
			return name, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", interpretError(message, err)
		}
		if err = makeInstance(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", interpretError(message, err)
		}
	}
	return "", interpretError(message, errors.New("the file "+path+" holds no name"))
}

// makeInstance writes a new name, unless another process was faster.
func makeInstance(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "instance.tmp*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // the name that is kept is a link to it
	_, err = f.WriteString("sw" + hex.EncodeToString(random[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}
