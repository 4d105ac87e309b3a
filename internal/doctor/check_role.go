package doctor

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/sparkwright/sparkwright"
)

const secretsPolicyName = "EMRSecretsManagerPolicy"

func roleChecks(w *world) []Check {
	if !w.usesEMR() {
		return nil
	}
	return []Check{iamTrust(w), iamSecrets(w), iamLogin(w), iamStorage(w), iamGlue(w), iamStandard(w)}
}

func iamTrust(w *world) Check {
	name := w.roleName()
	return Check{
		Info: Info{ID: "iam.trust", Group: "iam", Title: "EMR Serverless may use the execution role", How: "iam:GetRole " + name + ", its trust policy", Cheap: true, Needs: "aws.identity"},
		Run:  func(ctx context.Context) Finding { return w.trust(ctx, name, "execution_role_arn") },
	}
}

// trust looks whether EMR Serverless may use the role that the key names.
func (w *world) trust(ctx context.Context, name, key string) Finding {
	out, err := w.AWS.Roles.GetRole(ctx, &iam.GetRoleInput{RoleName: &name})
	switch {
	case err != nil && denied(err):
		return blind(err, "iam:GetRole")
	case err != nil:
		return fail("the execution role "+name+" cannot be looked at", because(err), terraform("terraform apply"), setting(`{"spark": {"`+key+`": "ARN"}}`))
	}
	text, err := url.QueryUnescape(aws.ToString(out.Role.AssumeRolePolicyDocument))
	if err != nil {
		text = aws.ToString(out.Role.AssumeRolePolicyDocument)
	}
	p, err := parsePolicy(text)
	if err != nil {
		return fail("the trust policy of "+name+" cannot be read", err.Error())
	}
	for _, s := range p.Statements {
		if s.Effect == "Allow" && strings.Contains(string(s.Principal), `"emr-serverless.amazonaws.com"`) && covers(s.Actions, "sts:AssumeRole", true) {
			return ok(name)
		}
	}
	trust := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"emr-serverless.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	return fail("the role "+name+" does not trust EMR Serverless", "its trust policy does not name emr-serverless.amazonaws.com",
		command("aws iam update-assume-role-policy --role-name "+name+" --policy-document '"+trust+"'"), iamPolicy(trust))
}

// inline runs a look at the role's inline policies.
func (w *world) inline(look func(documents map[string]policy) Finding) func(context.Context) Finding {
	return func(ctx context.Context) Finding {
		documents, err := w.policies(ctx)
		if err != nil {
			return blind(err, "iam:ListRolePolicies")
		}
		return look(documents)
	}
}

// secretARNs are the secrets of the connections.
func (w *world) secretARNs() []string {
	var out []string
	for _, c := range w.connections() {
		if arn, found := strings.CutPrefix(c.Secret, "aws-sm:"); found {
			out = append(out, arn)
		}
	}
	return out
}

func iamSecrets(w *world) Check {
	name := w.roleName()
	return Check{
		Info: Info{ID: "iam.secrets", Group: "iam", Title: "the execution role may read the secrets", How: "iam:GetRolePolicy " + name + " " + secretsPolicyName + ", evaluated for each connection's secret", Cheap: true, Needs: "iam.trust"},
		Run: w.inline(func(documents map[string]policy) Finding {
			pattern := fmt.Sprintf("arn:aws:secretsmanager:%s:*:secret:%s*", w.AWS.Region, w.Settings.Postgres.SecretsManagerPrefix)
			arns := w.secretARNs()
			if len(arns) > 0 {
				if parts := strings.SplitN(arns[0], ":secret:", 2); len(parts) == 2 {
					pattern = parts[0] + ":secret:" + w.Settings.Postgres.SecretsManagerPrefix + "*"
				}
			}
			actions := []string{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}
			text := document(actions, []string{pattern})
			fixes := []Fix{
				command("aws iam put-role-policy --role-name " + name + " --policy-name " + secretsPolicyName + " --policy-document '" + text + "'"),
				iamPolicy(text), terraform("terraform apply -target=aws_iam_role_policy.execution_secrets"),
			}
			if len(arns) == 0 && len(w.connections()) > 0 {
				return ok("no connection has its login in Secrets Manager")
			}
			if len(arns) == 0 {
				arns = []string{strings.TrimSuffix(pattern, "*") + "x"}
			}
			for _, arn := range arns {
				for _, action := range actions {
					if !allows(documents, action, arn) {
						if _, there := documents[secretsPolicyName]; !there {
							return fail("the role "+name+" has no inline policy "+secretsPolicyName, "the job fails with AccessDeniedException for Secrets Manager", fixes...)
						}
						return fail("the role "+name+" may not "+action+" on "+arn, "no statement of its inline policies covers this secret", fixes...)
					}
				}
			}
			if _, there := documents[secretsPolicyName]; !there {
				return warn("the rights are there under another name", "tools look for the inline policy "+secretsPolicyName, fixes...)
			}
			return ok(secretsPolicyName)
		}),
	}
}

// iamLogin looks whether jobs may log in to databases by IAM. The resource ids
// of the instances are not known here: a policy that names any is believed.
func iamLogin(w *world) Check {
	name := w.roleName()
	return Check{
		Info: Info{ID: "iam.login", Group: "iam", Title: "the execution role may log in by IAM", How: "evaluates the inline policies of " + name + " for rds-db:connect", Cheap: true, Needs: "iam.trust"},
		Run: w.inline(func(documents map[string]policy) Finding {
			var users []string
			for _, c := range w.connections() {
				if c.AuthMethod != sparkwright.AuthIAM || c.User == "" { // the secret names the user
					continue
				}
				users = append(users, c.User)
				if connects(documents, c.User) {
					continue
				}
				text := document([]string{"rds-db:connect"}, []string{fmt.Sprintf("arn:aws:rds-db:%s:%s:dbuser:RESOURCE_ID/%s", w.AWS.Region, accountOf(w), c.User)})
				return fail("the role "+name+" may not log in to "+c.Name+" by IAM", "no inline policy of it allows rds-db:connect as "+c.User+", and RDS answers PAM authentication failed. Managed policies are not looked at",
					command("aws iam put-role-policy --role-name "+name+" --policy-name EMRServerlessDatabasePolicy --policy-document '"+text+"'"), iamPolicy(text))
			}
			if len(users) == 0 {
				return ok("no connection logs in by IAM")
			}
			return ok("rds-db:connect as " + strings.Join(users, ", "))
		}),
	}
}

// connects reports whether the documents let a user log in to any database.
func connects(documents map[string]policy, user string) bool {
	for _, p := range documents {
		for _, s := range p.Statements {
			if s.Effect != "Allow" || !covers(s.Actions, "rds-db:connect", true) {
				continue
			}
			for _, r := range s.Resources {
				_, pattern, named := strings.Cut(r, "/")
				if named && strings.Contains(r, ":rds-db:") && covers([]string{pattern}, user, false) || !named && strings.HasSuffix(r, "*") {
					return true
				}
			}
		}
	}
	return false
}

func iamStorage(w *world) Check {
	name := w.roleName()
	return Check{
		Info: Info{ID: "iam.storage", Group: "iam", Title: "the execution role may read the driver and write results", How: "evaluates the inline policies of " + name, Cheap: true, Needs: "iam.trust settings.bucket settings.driver storage.bucket"},
		Run: w.inline(func(documents map[string]policy) Finding {
			bucket := "arn:aws:s3:::" + w.Settings.Spark.S3Bucket
			driverBucket, key := splitS3(w.driverPath())
			var missing []string
			for _, need := range [][2]string{
				{"s3:GetObject", "arn:aws:s3:::" + driverBucket + "/" + key},
				{"s3:ListBucket", bucket},
				{"s3:PutObject", bucket + "/output/x"},
				{"s3:PutObject", bucket + "/logs/x"},
			} {
				if !allows(documents, need[0], need[1]) {
					missing = append(missing, need[0]+" on "+need[1])
				}
			}
			if len(missing) > 0 {
				text := document([]string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"}, []string{bucket, bucket + "/*"})
				return fail("the role "+name+" may not "+missing[0], "no inline policy of it allows: "+strings.Join(missing, ", ")+". Managed policies are not looked at",
					command("aws iam put-role-policy --role-name "+name+" --policy-name EMRServerlessS3Policy --policy-document '"+text+"'"), iamPolicy(text), terraform("terraform apply -target=aws_iam_role_policy.execution_storage"))
			}
			return ok("reads the driver, writes output/ and logs/")
		}),
	}
}

func iamGlue(w *world) Check {
	name := w.roleName()
	return Check{
		Info: Info{ID: "iam.glue", Group: "iam", Title: "the execution role may read the Glue catalog", How: "evaluates the inline policies of " + name, Needs: "iam.trust"},
		Run: w.inline(func(documents map[string]policy) Finding {
			resource := fmt.Sprintf("arn:aws:glue:%s:%s:table/x/y", w.AWS.Region, accountOf(w))
			if !allows(documents, "glue:GetTable", resource) {
				text := document([]string{"glue:GetDatabase", "glue:GetDatabases", "glue:GetTable", "glue:GetTables", "glue:GetPartitions"}, []string{"*"})
				return warn("the role "+name+" may not read the Glue catalog", "only questions about Glue tables need it. Managed policies are not looked at", iamPolicy(text), terraform("terraform apply -target=aws_iam_role_policy.execution_glue"))
			}
			return ok("glue:GetTable is allowed")
		}),
	}
}

// iamStandard looks at the role of jobs without PostgreSQL: it starts and
// writes as the other does, and reads no secret of a database.
func iamStandard(w *world) Check {
	name := w.standardRoleName()
	return Check{
		Info: Info{ID: "iam.standard_role", Group: "iam", Title: "the role of jobs without PostgreSQL is its own", How: "spark.standard_execution_role_arn: its trust policy and its inline policies", Needs: "aws.identity settings.bucket storage.bucket"},
		Run: func(ctx context.Context) Finding {
			if name == "" {
				return skip("spark.standard_execution_role_arn is not set: these jobs have the role of the others")
			}
			if f := w.trust(ctx, name, "standard_execution_role_arn"); f.Level != OK {
				return f
			}
			documents, err := w.standard(ctx)
			if err != nil {
				return blind(err, "iam:ListRolePolicies")
			}
			bucket := "arn:aws:s3:::" + w.Settings.Spark.S3Bucket
			for _, need := range [][2]string{{"s3:GetObject", bucket + "/scripts/x"}, {"s3:ListBucket", bucket}, {"s3:PutObject", bucket + "/output/x"}, {"s3:PutObject", bucket + "/logs/x"}} {
				if !allows(documents, need[0], need[1]) {
					text := document([]string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"}, []string{bucket, bucket + "/*"})
					return fail("the role "+name+" may not "+need[0], "no inline policy of it allows it on "+need[1]+". Managed policies are not looked at",
						command("aws iam put-role-policy --role-name "+name+" --policy-name EMRServerlessS3Policy --policy-document '"+text+"'"), iamPolicy(text), terraform("terraform apply -target=aws_iam_role_policy.standard_storage"))
				}
			}
			for _, arn := range w.secretARNs() {
				if allows(documents, "secretsmanager:GetSecretValue", arn) {
					return warn("the role "+name+" may read "+arn, "what a job without PostgreSQL runs could read the login of a database: only the policy of each job stands before it",
						command("aws iam list-role-policies --role-name "+name), terraform("terraform apply"))
				}
			}
			return ok(name)
		},
	}
}

// accountOf is the account of the role, or of a secret; "000000000000" when
// neither tells.
func accountOf(w *world) string {
	for _, arn := range append([]string{w.Settings.Spark.ExecutionRoleARN}, w.secretARNs()...) {
		if parts := strings.Split(arn, ":"); len(parts) > 5 {
			return parts[4]
		}
	}
	return "000000000000"
}
