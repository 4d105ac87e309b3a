package doctor_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
)

// The table of seeded faults in AWS: each breaks one thing of an account that
// is well, sees the one check fail with its fix, and mends it again.
func TestFaultsInAWS(t *testing.T) { //nolint:tparallel // the subtests share one account
	t.Parallel()
	c := newCloud(t)
	network, role := ec2.NewFromConfig(c.aws), iam.NewFromConfig(c.aws)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	well := doctor.Run(t.Context(), doctor.Checks(c.config(t)))
	wantNoFailureBut(t, well, "")
	for _, f := range well.Findings {
		t.Logf("%-34s %-8s %s", f.ID, f.Level, f.Message)
	}
	rule := func(port int32) []ec2types.IpPermission {
		return []ec2types.IpPermission{{IpProtocol: aws.String("tcp"), FromPort: &port, ToPort: &port, UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: &c.SecurityGroup}}}}
	}
	all := []ec2types.IpPermission{{IpProtocol: aws.String("-1"), IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}
	dns := func(on bool) {
		_, err := network.ModifyVpcAttribute(t.Context(), &ec2.ModifyVpcAttributeInput{VpcId: &c.VPC, EnableDnsHostnames: &ec2types.AttributeBooleanValue{Value: &on}})
		must(err)
	}
	brk := func(name string) func() { return func() { must(c.Break(t.Context(), name)) } }
	mend := func(name string) func() { return func() { must(c.Mend(t.Context(), name, c.driver, "reader")) } }
	trust := func(name, service string) func() {
		return func() {
			text := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`
			_, err := role.UpdateAssumeRolePolicy(t.Context(), &iam.UpdateAssumeRolePolicyInput{RoleName: &name, PolicyDocument: &text})
			must(err)
		}
	}
	policy := ""
	unallow := func(of, name string) func() {
		return func() {
			got, err := role.GetRolePolicy(t.Context(), &iam.GetRolePolicyInput{RoleName: &of, PolicyName: &name})
			must(err)
			policy, err = url.QueryUnescape(aws.ToString(got.PolicyDocument))
			must(err)
			_, err = role.DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: &of, PolicyName: &name})
			must(err)
		}
	}
	allow := func(of, name string) func() {
		return func() {
			_, err := role.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &of, PolicyName: &name, PolicyDocument: &policy})
			must(err)
		}
	}
	var gateway, table string
	tests := []struct {
		id    string
		level doctor.Level
		says  string // in the fixes
		brk   func()
		cfg   func(*doctor.Config)
		mend  func()
	}{
		{id: "settings.postgres_application", level: doctor.Fail, says: "terraform output", cfg: func(c *doctor.Config) { c.Settings.Spark.EMRPostgresApplicationID = "" }},
		{id: "settings.bucket", level: doctor.Fail, says: "s3_bucket", cfg: func(c *doctor.Config) { c.Settings.Spark.S3Bucket = "" }},
		{id: "settings.driver", level: doctor.Fail, says: "jdbc_driver_path", cfg: func(c *doctor.Config) { c.Settings.Postgres.JDBCDriverPath = "/tmp/driver" }},
		{id: "aws.identity", level: doctor.Fail, says: "aws sso login", cfg: func(cfg *doctor.Config) {
			nowhere := c.aws
			nowhere.BaseEndpoint = aws.String("http://127.0.0.1:1")
			cfg.AWS.Identity = sts.NewFromConfig(nowhere)
		}},
		{id: "aws.clock", level: doctor.Fail, says: "set-ntp", cfg: func(c *doctor.Config) { c.Now = func() time.Time { return time.Now().Add(time.Hour) } }},
		{id: "aws.caller", level: doctor.Fail, says: "iam:PassRole", brk: func() { c.allowed = "implicitDeny" }, mend: func() { c.allowed = "allowed" }, cfg: func(cfg *doctor.Config) {
			cfg.AWS.Identity = namedIdentity{cfg.AWS.Identity}
		}},
		{id: "aws.caller", level: doctor.Fail, says: awsemu.StandardRoleARN, brk: func() { c.refused = awsemu.StandardRoleARN }, mend: func() { c.refused = "" }, cfg: func(cfg *doctor.Config) {
			cfg.AWS.Identity = namedIdentity{cfg.AWS.Identity}
		}},
		{id: "emr.application", level: doctor.Fail, says: "list-applications", cfg: func(c *doctor.Config) { c.Settings.Spark.EMRPostgresApplicationID = "00none" }},
		{id: "emr.network", level: doctor.Fail, says: "network_configuration", cfg: c.with(t, "00novpc", func(a map[string]any) { delete(a, "networkConfiguration") })},
		{id: "emr.logging", level: doctor.Warn, says: "cloudWatchLoggingConfiguration", cfg: c.with(t, "00nologs", func(a map[string]any) { delete(a, "monitoringConfiguration") })},
		{id: "emr.release", level: doctor.Fail, says: "release_label", cfg: c.with(t, "00old", func(a map[string]any) { a["releaseLabel"] = "emr-6.15.0" })},
		{id: "emr.capacity", level: doctor.Fail, says: "maximum-capacity", cfg: c.with(t, "00small", func(a map[string]any) { a["maximumCapacity"] = map[string]any{"cpu": "2 vCPU", "memory": "8 GB"} })},
		{id: "emr.queue", level: doctor.Warn, says: "max_concurrent_runs", cfg: c.with(t, "00queue", func(a map[string]any) { a["schedulerConfiguration"] = map[string]any{"maxConcurrentRuns": 1} })},
		{id: "emr.quota", level: doctor.Fail, says: "L-D05C8A75", brk: func() { c.quota = 2 }, mend: func() { c.quota = 64 }},
		{id: "network.dns", level: doctor.Fail, says: "enable-dns-hostnames", brk: func() { dns(false) }, mend: func() { dns(true) }},
		{id: "network.endpoint.logs", level: doctor.Fail, says: "com.amazonaws.us-east-1.logs", brk: brk("logs"), mend: mend("logs")},
		{id: "network.endpoint.secretsmanager", level: doctor.Fail, says: "com.amazonaws.us-east-1.secretsmanager", brk: brk("secrets-endpoint"), mend: mend("secrets-endpoint")},
		{id: "network.endpoint.optional", level: doctor.Warn, says: "com.amazonaws.us-east-1.glue", brk: func() { must(c.RemoveEndpoint(t.Context(), "glue")) }, mend: func() { must(c.AddEndpoint(t.Context(), "glue")) }},
		{id: "network.endpoint.s3", level: doctor.Fail, says: "Gateway", brk: func() { must(c.RemoveEndpoint(t.Context(), "s3")) }, mend: func() { must(c.AddEndpoint(t.Context(), "s3")) }},
		{id: "network.endpoint_groups", level: doctor.Fail, says: "--port 443", brk: func() {
			_, err := network.RevokeSecurityGroupIngress(t.Context(), &ec2.RevokeSecurityGroupIngressInput{GroupId: &c.SecurityGroup, IpPermissions: rule(443)})
			must(err)
		}, mend: func() {
			_, err := network.AuthorizeSecurityGroupIngress(t.Context(), &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &c.SecurityGroup, IpPermissions: rule(443)})
			must(err)
		}},
		{id: "network.postgres", level: doctor.Fail, says: "authorize-security-group-egress", brk: func() {
			_, err := network.RevokeSecurityGroupEgress(t.Context(), &ec2.RevokeSecurityGroupEgressInput{GroupId: &c.SecurityGroup, IpPermissions: all})
			must(err)
		}, mend: func() {
			_, err := network.AuthorizeSecurityGroupEgress(t.Context(), &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &c.SecurityGroup, IpPermissions: all})
			must(err)
		}},
		{id: "network.subnets", level: doctor.Fail, says: "PRIVATE_SUBNETS", brk: func() {
			var made *ec2.CreateInternetGatewayOutput
			waitFor(t, func() (ok bool) { // moto's answer was once not whole
				var err error
				made, err = network.CreateInternetGateway(t.Context(), &ec2.CreateInternetGatewayInput{})
				return err == nil
			})
			gateway = aws.ToString(made.InternetGateway.InternetGatewayId)
			_, err := network.AttachInternetGateway(t.Context(), &ec2.AttachInternetGatewayInput{InternetGatewayId: &gateway, VpcId: &c.VPC})
			must(err)
			tables, err := network.DescribeRouteTables(t.Context(), &ec2.DescribeRouteTablesInput{Filters: []ec2types.Filter{{Name: aws.String("vpc-id"), Values: []string{c.VPC}}}})
			must(err)
			table = aws.ToString(tables.RouteTables[0].RouteTableId)
			_, err = network.CreateRoute(t.Context(), &ec2.CreateRouteInput{RouteTableId: &table, DestinationCidrBlock: aws.String("0.0.0.0/0"), GatewayId: &gateway})
			must(err)
		}, mend: func() {
			_, err := network.DeleteRoute(t.Context(), &ec2.DeleteRouteInput{RouteTableId: &table, DestinationCidrBlock: aws.String("0.0.0.0/0")})
			must(err)
		}},
		{id: "network.addresses", level: doctor.Fail, says: "create-subnet", cfg: func(cfg *doctor.Config) {
			made, err := network.CreateSubnet(t.Context(), &ec2.CreateSubnetInput{VpcId: &c.VPC, CidrBlock: aws.String("10.20.200.0/28")})
			must(err)
			cfg.Settings.Spark.EMRPostgresApplicationID = c.application(t, "00tiny", func(a map[string]any) {
				a["networkConfiguration"] = map[string]any{"subnetIds": []string{aws.ToString(made.Subnet.SubnetId)}, "securityGroupIds": []string{c.SecurityGroup}}
			})
		}},
		{id: "storage.bucket", level: doctor.Fail, says: "aws s3 mb", cfg: func(c *doctor.Config) { c.Settings.Spark.S3Bucket = "spark-data-of-nobody" }},
		{id: "iam.trust", level: doctor.Fail, says: "update-assume-role-policy", brk: brk("role"), mend: trust(awsemu.RoleName, "emr-serverless.amazonaws.com")},
		{id: "iam.secrets", level: doctor.Fail, says: "EMRSecretsManagerPolicy", brk: brk("secret-policy"), mend: mend("secret-policy")},
		{id: "iam.login", level: doctor.Fail, says: "rds-db:connect", brk: brk("login-policy"), mend: mend("login-policy"), cfg: func(cfg *doctor.Config) {
			byIAM := cfg.Settings.Connections()[0]
			byIAM.AuthMethod, byIAM.User = sparkwright.AuthIAM, c.conn.User
			must(cfg.Settings.PutConnection(byIAM))
		}},
		{id: "iam.storage", level: doctor.Fail, says: "s3:PutObject", brk: unallow(awsemu.RoleName, "EMRServerlessS3Policy"), mend: allow(awsemu.RoleName, "EMRServerlessS3Policy")},
		{id: "iam.glue", level: doctor.Warn, says: "glue:GetTable", brk: unallow(awsemu.RoleName, "EMRServerlessGluePolicy"), mend: allow(awsemu.RoleName, "EMRServerlessGluePolicy")},
		{id: "iam.standard_role", level: doctor.Fail, says: "update-assume-role-policy --role-name " + awsemu.StandardRoleName, brk: trust(awsemu.StandardRoleName, "ec2.amazonaws.com"), mend: trust(awsemu.StandardRoleName, "emr-serverless.amazonaws.com")},
		{id: "iam.standard_role", level: doctor.Fail, says: "standard_execution_role_arn", cfg: func(c *doctor.Config) { c.Settings.Spark.StandardExecutionRoleARN += "OfNobody" }},
		{id: "iam.standard_role", level: doctor.Fail, says: "put-role-policy --role-name " + awsemu.StandardRoleName, brk: unallow(awsemu.StandardRoleName, "EMRServerlessS3Policy"), mend: allow(awsemu.StandardRoleName, "EMRServerlessS3Policy")},
		// The very role that may read the secrets is no role of their own.
		{id: "iam.standard_role", level: doctor.Warn, says: "list-role-policies", cfg: func(c *doctor.Config) { c.Settings.Spark.StandardExecutionRoleARN = awsemu.RoleARN }},
		{id: "secrets.readable", level: doctor.Fail, says: "create-secret", cfg: func(cfg *doctor.Config) {
			lost := cfg.Settings.Connections()[0]
			lost.Secret = strings.Replace(lost.Secret, "spark/postgres/aurora", "spark/postgres/lost", 1)
			must(cfg.Settings.PutConnection(lost))
		}},
		{id: "secrets.form", level: doctor.Fail, says: "put-secret-value", brk: func() { c.secret(t, map[string]any{"username": "cloud_reader"}) }, mend: mend("password")},
		{id: "postgres.login", level: doctor.Fail, says: "ALTER ROLE", brk: brk("password"), mend: mend("password")},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			cfg := c.config(t)
			if tt.brk != nil {
				tt.brk()
			}
			if tt.cfg != nil {
				tt.cfg(&cfg)
			}
			f := wantOnly(t, doctor.Run(t.Context(), doctor.Checks(cfg)), tt.id, tt.level)
			if text, err := json.Marshal(f.Fixes); err != nil || !strings.Contains(unescape(string(text)), tt.says) {
				t.Errorf("no %q in the fixes %s", tt.says, text)
			}
			if tt.mend != nil {
				tt.mend()
				if f := finding(t, doctor.Run(t.Context(), doctor.Checks(c.config(t))), tt.id); f.Level != doctor.OK {
					t.Errorf("mended, it is %s: %s (%s)", f.Level, f.Message, f.Because)
				}
			}
		})
	}
	t.Run("repairs", func(t *testing.T) { c.repairs(t) })
}

// repairs breaks what --fix may mend, and lets it.
func (c *cloud) repairs(t *testing.T) {
	t.Helper()
	mends := func(id string) {
		t.Helper()
		checks := doctor.Checks(c.config(t))
		before := doctor.Run(t.Context(), checks)
		wantOnly(t, before, id, doctor.Fail)
		planned := ""
		if _, err := doctor.Mend(t.Context(), checks, before, func(f doctor.Finding, plan string) bool {
			if f.ID == id {
				planned = plan
			}
			return f.ID == id
		}); err != nil {
			t.Fatal(err)
		}
		if planned == "" {
			t.Errorf("%s: the repair was not shown", id)
		}
		after := doctor.Run(t.Context(), doctor.Checks(c.config(t)))
		if f := finding(t, after, id); f.Level != doctor.OK {
			t.Errorf("%s after its repair: %s %s", id, f.Message, f.Because)
		}
		wantNoFailureBut(t, after, "")
	}
	for _, name := range []string{"driver", "driver-object"} {
		if err := c.Break(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		mends("storage.driver")
	}
	if err := c.config(t).Save(clearDriver); err != nil {
		t.Fatal(err)
	}
	mends("settings.driver")
	// A login that can write: the repair makes a reader and stores its password in the secret.
	admin, password := owner(t, server, "cloud")
	if err := c.Rotate(t.Context(), admin.User, password); err != nil {
		t.Fatal(err)
	}
	mends("postgres.write")
}

func unescape(s string) string {
	return strings.NewReplacer(`\n`, "\n", `\"`, `"`, "\\u003c", "<", "\\u003e", ">").Replace(s)
}

// with points the settings at an application of its own.
func (c *cloud) with(t *testing.T, id string, change func(map[string]any)) func(*doctor.Config) {
	t.Helper()
	return func(cfg *doctor.Config) { cfg.Settings.Spark.EMRPostgresApplicationID = c.application(t, id, change) }
}

// secret stores another value in the connection's secret.
func (c *cloud) secret(t *testing.T, value map[string]any) {
	t.Helper()
	text, err := json.Marshal(value)
	if err == nil {
		_, err = secretsmanager.NewFromConfig(c.aws).PutSecretValue(t.Context(), &secretsmanager.PutSecretValueInput{SecretId: &c.SecretARN, SecretString: aws.String(string(text))})
	}
	if err != nil {
		t.Fatal(err)
	}
}
