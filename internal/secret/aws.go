package secret

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"github.com/sparkwright/sparkwright"
)

const (
	awsLimit    = 20 * time.Second // all tries together
	awsAttempts = 3
)

// fromSecretsManager reads the current version of a secret. Credentials and
// endpoint are those of the AWS SDK's default chain; the region is the ARN's.
func fromSecretsManager(ctx context.Context, id string) (Value, error) {
	name, err := arn.Parse(id)
	if err != nil || name.Service != "secretsmanager" || name.Region == "" {
		return Value{}, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the secret reference aws-sm: needs the full ARN of a secret",
			Remedy: "copy it from Secrets Manager: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME",
		}
	}
	limited, cancel := context.WithTimeout(ctx, awsLimit)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(limited, config.WithRegion(name.Region), config.WithRetryMaxAttempts(awsAttempts))
	if err != nil {
		return Value{}, awsError(ctx, name, err)
	}
	out, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(limited, &secretsmanager.GetSecretValueInput{SecretId: aws.String(id)})
	if err != nil {
		return Value{}, awsError(ctx, name, err)
	}
	content := out.SecretBinary
	if out.SecretString != nil {
		content = []byte(*out.SecretString)
	}
	return parse("the secret "+name.Resource, content)
}

// awsError says what to do about a failed read.
func awsError(ctx context.Context, name arn.ARN, err error) error {
	out := &sparkwright.Error{
		Code: sparkwright.CodeUnavailable, Message: "cannot read " + name.Resource + " from AWS Secrets Manager in " + name.Region, Err: err,
	}
	var (
		api    smithy.APIError
		netErr net.Error
	)
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		out.Code, out.Because = sparkwright.CodeCancelled, "it was cancelled"
	case errors.As(err, &api):
		out.Because = api.ErrorCode()
		switch api.ErrorCode() {
		case "ResourceNotFoundException":
			out.Code, out.Because = sparkwright.CodeNotFound, "there is no such secret"
			out.Remedy = "check ARN, account and region of the connection"
		case "AccessDeniedException", "AccessDenied":
			out.Code, out.Because = sparkwright.CodeUnauthorized, "access is denied"
			out.Remedy = "allow secretsmanager:GetSecretValue on this secret, and kms:Decrypt when it has a key of its own, to the AWS identity in use"
		case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "InvalidSignatureException", "SignatureDoesNotMatch":
			out.Code, out.Because = sparkwright.CodeUnauthorized, "the AWS credentials are wrong or have expired"
			out.Remedy = "log in to AWS again (aws sso login), or correct the AWS credentials"
		case "DecryptionFailure", "InvalidRequestException":
			out.Remedy = "check in Secrets Manager that the secret is not scheduled for deletion and that its key is enabled"
		default:
			out.Remedy = "try again; see the AWS service health page when it stays"
		}
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout():
		out.Code, out.Because = sparkwright.CodeTimeout, "it did not answer in time"
		out.Remedy = "check the network; inside a VPC without internet access Secrets Manager needs a VPC endpoint"
	case errors.As(err, &netErr):
		out.Because = "it cannot be reached"
		out.Remedy = "check the network, the proxy and AWS_ENDPOINT_URL"
	default:
		out.Code, out.Because = sparkwright.CodeUnauthorized, "no AWS credentials were found"
		out.Remedy = "log in to AWS (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
	}
	return out
}
