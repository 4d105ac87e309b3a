package doctor

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// Config is what the checks look at.
type Config struct {
	Home     string
	Settings *settings.Settings
	// Error is why the settings could not be read; then Settings are the defaults.
	Error error
	AWS   *AWS // nil when nothing of AWS is configured
	// Login resolves a connection and its secret. Connections are those of the
	// settings; Extra are further ones, of the demo.
	Login func(ctx context.Context, conn sparkwright.Connection) (sparkwright.Connection, sparkwright.Credentials, error)
	Extra []sparkwright.Connection
	// Only, unless nil, are the connections that are looked at, instead of the
	// others: those of one run. Distant names those of them that this machine
	// does not reach; nobody logs in to them.
	Only       []sparkwright.Connection
	Distant    map[string]bool
	Inspect    func(ctx context.Context) (*localruntime.Status, error)
	Install    func(ctx context.Context) error // installs the local runtime
	Driver     func() (path string, err error) // the JDBC driver on this machine
	Model      sparkwright.Model               // nil = the built-in planner
	ModelWhy   string                          // why this one, or why none
	ModelError error                           // why there is no model though one is configured
	Save       func(change func(*settings.Settings) error) error
	Port       int // that serve is to use; 0 = not looked at
	Now        func() time.Time
}

// connections are those that are looked at, but for those of the demo.
func (c Config) connections() []sparkwright.Connection {
	if c.Only != nil {
		return c.Only
	}
	return c.Settings.Connections()
}

// AWS are the services that the checks ask. Each interface is what is used
// of a client of the AWS SDK.
type AWS struct {
	Region       string
	Identity     Identity
	Applications Applications
	Network      Network
	Roles        Roles
	Storage      Storage
	Secrets      Secrets
	Quotas       Quotas
}

// Identity is what is used of STS.
type Identity interface {
	GetCallerIdentity(ctx context.Context, in *sts.GetCallerIdentityInput, opt ...func(*sts.Options)) (*sts.GetCallerIdentityOutput, error)
}

// Applications is what is used of EMR Serverless.
type Applications interface {
	GetApplication(ctx context.Context, in *emrserverless.GetApplicationInput, opt ...func(*emrserverless.Options)) (*emrserverless.GetApplicationOutput, error)
}

// Network is what is used of EC2.
type Network interface {
	DescribeVpcEndpoints(ctx context.Context, in *ec2.DescribeVpcEndpointsInput, opt ...func(*ec2.Options)) (*ec2.DescribeVpcEndpointsOutput, error)
	DescribeSubnets(ctx context.Context, in *ec2.DescribeSubnetsInput, opt ...func(*ec2.Options)) (*ec2.DescribeSubnetsOutput, error)
	DescribeSecurityGroups(ctx context.Context, in *ec2.DescribeSecurityGroupsInput, opt ...func(*ec2.Options)) (*ec2.DescribeSecurityGroupsOutput, error)
	DescribeRouteTables(ctx context.Context, in *ec2.DescribeRouteTablesInput, opt ...func(*ec2.Options)) (*ec2.DescribeRouteTablesOutput, error)
	DescribeVpcAttribute(ctx context.Context, in *ec2.DescribeVpcAttributeInput, opt ...func(*ec2.Options)) (*ec2.DescribeVpcAttributeOutput, error)
}

// Roles is what is used of IAM.
type Roles interface {
	GetRole(ctx context.Context, in *iam.GetRoleInput, opt ...func(*iam.Options)) (*iam.GetRoleOutput, error)
	GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyInput, opt ...func(*iam.Options)) (*iam.GetRolePolicyOutput, error)
	ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesInput, opt ...func(*iam.Options)) (*iam.ListRolePoliciesOutput, error)
	SimulatePrincipalPolicy(ctx context.Context, in *iam.SimulatePrincipalPolicyInput, opt ...func(*iam.Options)) (*iam.SimulatePrincipalPolicyOutput, error)
}

// Storage is what is used of S3.
type Storage interface {
	GetBucketLocation(ctx context.Context, in *s3.GetBucketLocationInput, opt ...func(*s3.Options)) (*s3.GetBucketLocationOutput, error)
	GetBucketEncryption(ctx context.Context, in *s3.GetBucketEncryptionInput, opt ...func(*s3.Options)) (*s3.GetBucketEncryptionOutput, error)
	HeadObject(ctx context.Context, in *s3.HeadObjectInput, opt ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	PutObject(ctx context.Context, in *s3.PutObjectInput, opt ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// Secrets is what is used of Secrets Manager.
type Secrets interface {
	GetSecretValue(ctx context.Context, in *secretsmanager.GetSecretValueInput, opt ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
	PutSecretValue(ctx context.Context, in *secretsmanager.PutSecretValueInput, opt ...func(*secretsmanager.Options)) (*secretsmanager.PutSecretValueOutput, error)
}

// Quotas is what is used of Service Quotas.
type Quotas interface {
	GetServiceQuota(ctx context.Context, in *servicequotas.GetServiceQuotaInput, opt ...func(*servicequotas.Options)) (*servicequotas.GetServiceQuotaOutput, error)
}

// Checks returns every check that concerns the configuration, in the order in
// which things depend on one another.
func Checks(c Config) []Check {
	var list []Check
	list = append(list, settingsChecks(c)...)
	list = append(list, localChecks(c)...)
	if c.AWS != nil {
		w := newWorld(c)
		list = append(list, identityChecks(w)...)
		list = append(list, applicationChecks(w)...)
		list = append(list, networkChecks(w)...)
		list = append(list, storageChecks(w)...)
		list = append(list, roleChecks(w)...)
		list = append(list, secretChecks(w)...)
	}
	list = append(list, postgresChecks(c)...)
	return append(list, modelChecks(c)...)
}
