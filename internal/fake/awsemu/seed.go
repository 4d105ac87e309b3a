package awsemu

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

// The names of what Seed makes.
const (
	Bucket     = "spark-data-" + Account + "-" + Region
	RoleName   = "EMRServerlessExecutionRole"
	RoleARN    = "arn:aws:iam::" + Account + ":role/" + RoleName
	PolicyName = "EMRSecretsManagerPolicy"
	// StandardRoleName is the role of jobs without PostgreSQL: no secrets.
	StandardRoleName = "EMRServerlessStandardRole"
	StandardRoleARN  = "arn:aws:iam::" + Account + ":role/" + StandardRoleName
	StandardApp      = "00fv6g7rptsov009"
	PostgresApp      = "00g0oddl52n83r09"
	DriverKey        = "jars/postgresql-42.7.8.jar"
	DriverURL        = "s3://" + Bucket + "/" + DriverKey
	LogURI           = "s3://" + Bucket + "/logs/emr/"
	DatabaseID       = "db-ABCDEFGHIJKL01234" // the resource id of the database, as policies name it
	LoginPolicy      = "EMRServerlessDatabasePolicy"
	releaseName      = "emr-7.9.0"
)

// Database is the PostgreSQL that the secret tells of.
type Database struct {
	Name     string `json:"-"` // of the connection: the secret is spark/postgres/NAME
	Host     string `json:"host"`
	Port     int    `json:"port"`
	Database string `json:"database"`
	User     string `json:"username"`
	Password string `json:"password"`
	// Owner can write. Only the break "writer" needs it.
	Owner, OwnerPassword string `json:"-"`
}

// World is what Seed made.
type World struct {
	VPC, SecurityGroup string
	Subnets            []string
	Endpoints          map[string]string // id of the VPC endpoint by service: logs, secretsmanager, …
	SecretARN          string

	ec2     *ec2.Client
	iam     *iam.Client
	s3      *s3.Client
	secrets *secretsmanager.Client
	db      Database
}

// Applications are the applications that the EMR Serverless emulator needs:
// the input of CreateApplication by application id.
func (w *World) Applications() map[string]json.RawMessage {
	monitoring := map[string]any{"cloudWatchLoggingConfiguration": map[string]any{"enabled": true}}
	common := func(name string) map[string]any {
		return map[string]any{
			"name": name, "releaseLabel": releaseName, "type": "SPARK", "architecture": "X86_64",
			"autoStartConfiguration": map[string]any{"enabled": true}, "autoStopConfiguration": map[string]any{"enabled": true, "idleTimeoutMinutes": 15},
			"monitoringConfiguration": monitoring, "maximumCapacity": map[string]any{"cpu": "400 vCPU", "memory": "1000 GB"},
		}
	}
	postgres := common("spark-postgres-interpreter-app")
	postgres["networkConfiguration"] = map[string]any{"subnetIds": w.Subnets, "securityGroupIds": []string{w.SecurityGroup}}
	out := map[string]json.RawMessage{}
	for id, app := range map[string]map[string]any{StandardApp: common("spark-interpreter-app"), PostgresApp: postgres} {
		text, err := json.Marshal(app)
		if err != nil {
			panic(err) // a map of texts and numbers can be written
		}
		out[id] = text
	}
	return out
}

// Settings is the fragment of settings.json that names what Seed made.
func (w *World) Settings() map[string]any {
	return map[string]any{
		"spark": map[string]any{
			"s3_bucket": Bucket, "emr_application_id": StandardApp, "emr_postgres_application_id": PostgresApp,
			"standard_execution_role_arn": StandardRoleARN,
		},
		"postgres": map[string]any{
			"jdbc_driver_path": DriverURL,
			"connections": []any{map[string]any{
				"name": w.db.Name, "host": w.db.Host, "port": w.db.Port, "database": w.db.Database, "auth_method": "secrets_manager",
				"secret_arn": w.SecretARN, "enabled": true, "description": fmt.Sprintf("%s:%d/%s", w.db.Host, w.db.Port, w.db.Database), "tls": "disable",
			}},
		},
		"global": map[string]any{"bedrock_region": Region},
	}
}

// Seed fills an empty AWS: the VPC with its endpoints, the execution role with
// the inline policy EMRSecretsManagerPolicy, the standard jobs' role without it,
// the bucket with the driver of
// driverPath, the secret of the database.
func Seed(ctx context.Context, cfg aws.Config, db Database, driverPath string) (*World, error) {
	w := &World{
		Endpoints: map[string]string{}, db: db, ec2: ec2.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg),
		s3: s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }), secrets: secretsmanager.NewFromConfig(cfg),
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"the network", w.seedNetwork},
		{"the roles", w.seedRoles},
		{"the bucket", func(ctx context.Context) error { return w.seedBucket(ctx, driverPath) }},
		{"the secret", w.seedSecret},
	} {
		if err := step.do(ctx); err != nil {
			return nil, fmt.Errorf("seed %s: %w", step.what, err)
		}
	}
	return w, nil
}

func (w *World) seedNetwork(ctx context.Context) error {
	vpc, err := w.ec2.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.20.0.0/16")})
	if err != nil {
		return err
	}
	w.VPC = aws.ToString(vpc.Vpc.VpcId)
	for _, on := range []*ec2.ModifyVpcAttributeInput{
		{VpcId: &w.VPC, EnableDnsSupport: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}},
		{VpcId: &w.VPC, EnableDnsHostnames: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}},
	} {
		if _, err = w.ec2.ModifyVpcAttribute(ctx, on); err != nil {
			return err
		}
	}
	for i, zone := range []string{"a", "b", "c"} {
		var subnet *ec2.CreateSubnetOutput
		subnet, err = w.ec2.CreateSubnet(ctx, &ec2.CreateSubnetInput{
			VpcId: &w.VPC, CidrBlock: aws.String(fmt.Sprintf("10.20.%d.0/24", i)), AvailabilityZone: aws.String(Region + zone),
		})
		if err != nil {
			return err
		}
		w.Subnets = append(w.Subnets, aws.ToString(subnet.Subnet.SubnetId))
	}
	group, err := w.ec2.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
		VpcId: &w.VPC, GroupName: aws.String("spark-postgres"), Description: aws.String("EMR Serverless, VPC endpoints and PostgreSQL"),
	})
	if err != nil {
		return err
	}
	w.SecurityGroup = aws.ToString(group.GroupId)
	pairs := []ec2types.UserIdGroupPair{{GroupId: &w.SecurityGroup}}
	var rules []ec2types.IpPermission
	for _, port := range []int32{443, 5432} {
		rules = append(rules, ec2types.IpPermission{IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port, UserIdGroupPairs: pairs})
	}
	if _, err = w.ec2.AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &w.SecurityGroup, IpPermissions: rules}); err != nil {
		return err
	}
	for _, service := range []string{"logs", "secretsmanager", "glue", "sts"} {
		if err := w.AddEndpoint(ctx, service); err != nil {
			return err
		}
	}
	return w.addGateway(ctx)
}

// AddEndpoint makes an interface endpoint for a service; for s3 the gateway.
func (w *World) AddEndpoint(ctx context.Context, service string) error {
	if service == "s3" {
		return w.addGateway(ctx)
	}
	made, err := w.ec2.CreateVpcEndpoint(ctx, &ec2.CreateVpcEndpointInput{
		VpcId: &w.VPC, ServiceName: aws.String("com.amazonaws." + Region + "." + service), VpcEndpointType: ec2types.VpcEndpointTypeInterface,
		SubnetIds: w.Subnets, SecurityGroupIds: []string{w.SecurityGroup}, PrivateDnsEnabled: aws.Bool(true),
	})
	if err != nil {
		return fmt.Errorf("VPC endpoint for %s: %w", service, err)
	}
	w.Endpoints[service] = aws.ToString(made.VpcEndpoint.VpcEndpointId)
	return nil
}

// addGateway makes the gateway endpoint for S3 on the main route table.
func (w *World) addGateway(ctx context.Context) error {
	tables, err := w.ec2.DescribeRouteTables(ctx, &ec2.DescribeRouteTablesInput{
		Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{w.VPC}}},
	})
	if err != nil {
		return err
	}
	var ids []string
	for _, t := range tables.RouteTables {
		ids = append(ids, aws.ToString(t.RouteTableId))
	}
	made, err := w.ec2.CreateVpcEndpoint(ctx, &ec2.CreateVpcEndpointInput{
		VpcId: &w.VPC, ServiceName: aws.String("com.amazonaws." + Region + ".s3"), VpcEndpointType: ec2types.VpcEndpointTypeGateway, RouteTableIds: ids,
	})
	if err != nil {
		return fmt.Errorf("VPC endpoint for S3: %w", err)
	}
	w.Endpoints["s3"] = aws.ToString(made.VpcEndpoint.VpcEndpointId)
	return nil
}

// policyText writes a policy document with one statement for each pair of
// actions and resources.
func policyText(pairs ...[2][]string) string {
	var statements []map[string]any
	for _, p := range pairs {
		statements = append(statements, map[string]any{"Effect": "Allow", "Action": p[0], "Resource": p[1]})
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err) // a map of texts can be written
	}
	return string(text)
}

func (w *World) seedRoles(ctx context.Context) error {
	for _, role := range []string{RoleName, StandardRoleName} {
		if err := w.seedRole(ctx, role); err != nil {
			return err
		}
	}
	if err := w.putPolicy(ctx, RoleName, LoginPolicy, loginPolicy()); err != nil {
		return err
	}
	return w.putPolicy(ctx, RoleName, PolicyName, secretPolicy())
}

func (w *World) seedRole(ctx context.Context, role string) error {
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"emr-serverless.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	if _, err := w.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &role, AssumeRolePolicyDocument: &trust}); err != nil {
		return err
	}
	bucket := "arn:aws:s3:::" + Bucket
	for name, text := range map[string]string{
		"EMRServerlessS3Policy": policyText(
			[2][]string{{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}, {bucket + "/*"}},
			[2][]string{{"s3:ListBucket", "s3:GetBucketLocation"}, {bucket}}),
		"EMRServerlessGluePolicy": policyText([2][]string{
			{"glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetTables", "glue:GetPartition", "glue:GetPartitions", "glue:GetUserDefinedFunctions"},
			{"arn:aws:glue:" + Region + ":" + Account + ":*"},
		}),
		"EMRServerlessLogsPolicy": policyText([2][]string{
			{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"},
			{"arn:aws:logs:" + Region + ":" + Account + ":*"},
		}),
	} {
		if err := w.putPolicy(ctx, role, name, text); err != nil {
			return err
		}
	}
	return nil
}

// loginPolicy lets the role log in to the database by IAM, as any user.
func loginPolicy() string {
	return policyText([2][]string{{"rds-db:connect"}, {"arn:aws:rds-db:" + Region + ":" + Account + ":dbuser:" + DatabaseID + "/*"}})
}

// secretPolicy is the inline policy of the documents.
func secretPolicy() string {
	return policyText([2][]string{
		{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"},
		{"arn:aws:secretsmanager:" + Region + ":" + Account + ":secret:spark/postgres/*"},
	})
}

func (w *World) putPolicy(ctx context.Context, role, name, text string) error {
	_, err := w.iam.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &role, PolicyName: &name, PolicyDocument: &text})
	return err
}

func (w *World) seedBucket(ctx context.Context, driverPath string) error {
	if _, err := w.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(Bucket)}); err != nil {
		return err
	}
	jar, err := os.ReadFile(driverPath) //nolint:gosec // G304: the installed driver
	if err != nil {
		return err
	}
	return w.Put(ctx, DriverKey, jar)
}

// Put stores an object in the bucket.
func (w *World) Put(ctx context.Context, key string, body []byte) error {
	_, err := w.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(Bucket), Key: &key, Body: bytes.NewReader(body)})
	return err
}

func (w *World) seedSecret(ctx context.Context) error {
	text, err := w.db.secret()
	if err != nil {
		return err
	}
	made, err := w.secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{
		Name: aws.String("spark/postgres/" + w.db.Name), Description: aws.String("PostgreSQL connection for " + w.db.Name), SecretString: &text,
	})
	if err == nil {
		w.SecretARN = aws.ToString(made.ARN)
	}
	return err
}

// Rotate stores another login in the secret.
func (w *World) Rotate(ctx context.Context, user, password string) error {
	w.db.User, w.db.Password = user, password
	text, err := w.db.secret()
	if err == nil {
		_, err = w.secrets.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &w.SecretARN, SecretString: &text})
	}
	return err
}

func (d Database) secret() (string, error) {
	text, err := json.Marshal(struct {
		Database
		Connection string `json:"connection_name"`
		URL        string `json:"jdbc_url"`
	}{d, d.Name, fmt.Sprintf("jdbc:postgresql://%s:%d/%s", d.Host, d.Port, d.Database)})
	return string(text), err
}
