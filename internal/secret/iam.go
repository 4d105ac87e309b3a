package secret

import (
	"context"
	"net"
	"regexp"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/rds/auth"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// tokenLife is how long a token is used; RDS takes it for 15 minutes.
const tokenLife = 10 * time.Minute

// rdsHost is the address of an RDS or Aurora instance, which tells its region.
var rdsHost = regexp.MustCompile(`\.([a-z]{2}(?:-[a-z]+)+-[0-9])\.rds\.amazonaws\.com(?:\.cn)?$`)

// RDSRegion is the region of a database by its address; "" when the address
// does not tell.
func RDSRegion(host string) string {
	if m := rdsHost.FindStringSubmatch(host); m != nil {
		return m[1]
	}
	return ""
}

// DatabaseRegion is where an RDS IAM token for a database is signed: the region
// that its address tells, else the one that the SDK finds.
func DatabaseRegion(ctx context.Context, host string) (string, error) {
	if region := RDSRegion(host); region != "" {
		return region, nil
	}
	cfg, err := awscloud.Load(ctx, awscloud.Options{})
	return cfg.Region, err
}

// token makes the password of an RDS IAM login. It is a signature: nothing is
// asked of AWS, and it is good for 15 minutes.
func token(ctx context.Context, conn sparkwright.Connection) (sparkwright.Credentials, error) {
	const what = "no RDS IAM token can be made"
	if conn.User == "" {
		return sparkwright.Credentials{}, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: what + " for connection " + conn.Name, Because: "it names no user",
			Remedy: "give the user name: a database user that has the role rds_iam",
		}
	}
	cfg, err := awscloud.Load(ctx, awscloud.Options{Region: RDSRegion(conn.Host)})
	if err != nil {
		return sparkwright.Credentials{}, err
	}
	address := net.JoinHostPort(conn.Host, strconv.Itoa(conn.Port))
	password, err := auth.BuildAuthToken(ctx, address, cfg.Region, conn.User, cfg.Credentials)
	if err != nil {
		return sparkwright.Credentials{}, &sparkwright.Error{
			Code: sparkwright.CodeUnauthorized, Message: what + " for connection " + conn.Name, Because: "no AWS credentials were found, or they have expired",
			Remedy: "log in to AWS (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID", Err: err,
		}
	}
	return sparkwright.Credentials{User: conn.User, Password: password}, nil
}
