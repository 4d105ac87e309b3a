package awsemu

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Breaks are the ways to break what Seed made, by name, with what each takes
// away.
func Breaks() map[string]string {
	return map[string]string{ //nolint:gosec // G101: names of breaks
		"driver":           "what lies at jdbc_driver_path is a jar without the driver's classes",
		"driver-object":    "nothing lies at jdbc_driver_path",
		"logs":             "the VPC has no endpoint for CloudWatch Logs",
		"secret-policy":    "the execution role has no EMRSecretsManagerPolicy",
		"secrets-endpoint": "the VPC has no endpoint for Secrets Manager",
		"password":         "the secret holds a wrong password",
		"role":             "the execution role does not trust EMR Serverless",
		"login-policy":     "the execution role may not log in to the database by IAM",
		"writer":           "the secret holds the login of a role that can write",
	}
}

// emptyJar is a zip file without entries.
var emptyJar = append([]byte("PK\x05\x06"), make([]byte, 18)...)

// Break takes one thing away.
func (w *World) Break(ctx context.Context, name string) error {
	switch name {
	case "driver":
		return w.Put(ctx, DriverKey, emptyJar)
	case "driver-object":
		_, err := w.s3.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(Bucket), Key: aws.String(DriverKey)})
		return err
	case "logs":
		return w.RemoveEndpoint(ctx, "logs")
	case "secrets-endpoint":
		return w.RemoveEndpoint(ctx, "secretsmanager")
	case "secret-policy":
		_, err := w.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String(RoleName), PolicyName: aws.String(PolicyName)})
		return err
	case "login-policy":
		_, err := w.iam.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String(RoleName), PolicyName: aws.String(LoginPolicy)})
		return err
	case "password":
		return w.Rotate(ctx, w.db.User, "not-the-password")
	case "writer":
		if w.db.Owner == "" {
			return errors.New("nothing is known of a role that can write")
		}
		return w.Rotate(ctx, w.db.Owner, w.db.OwnerPassword)
	case "role":
		trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
		_, err := w.iam.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String(RoleName), PolicyDocument: &trust})
		return err
	}
	return fmt.Errorf("%w %q: there are %s", ErrUnknownBreak, name, strings.Join(slices.Sorted(maps.Keys(Breaks())), ", "))
}

// Mend undoes Break.
func (w *World) Mend(ctx context.Context, name, driverPath, password string) error {
	switch name {
	case "driver", "driver-object":
		jar, err := os.ReadFile(driverPath) //nolint:gosec // G304: the installed driver
		if err != nil {
			return err
		}
		return w.Put(ctx, DriverKey, jar)
	case "logs":
		return w.AddEndpoint(ctx, "logs")
	case "secrets-endpoint":
		return w.AddEndpoint(ctx, "secretsmanager")
	case "secret-policy":
		return w.putPolicy(ctx, RoleName, PolicyName, secretPolicy())
	case "login-policy":
		return w.putPolicy(ctx, RoleName, LoginPolicy, loginPolicy())
	case "password":
		return w.Rotate(ctx, w.db.User, password)
	}
	return fmt.Errorf("%w %q", ErrUnknownBreak, name)
}

// RemoveEndpoint deletes the VPC endpoint of a service.
func (w *World) RemoveEndpoint(ctx context.Context, service string) error {
	_, err := w.ec2.DeleteVpcEndpoints(ctx, &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{w.Endpoints[service]}})
	delete(w.Endpoints, service)
	return err
}
