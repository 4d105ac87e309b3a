package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
)

func identityChecks(w *world) []Check {
	list := []Check{awsIdentity(w), awsClock(w)}
	if w.usesEMR() {
		list = append(list, awsCaller(w))
	}
	return list
}

func awsIdentity(w *world) Check {
	return Check{
		Info: Info{ID: "aws.identity", Group: "aws", Title: "AWS credentials are valid", How: "sts:GetCallerIdentity", Cheap: true},
		Run: func(ctx context.Context) Finding {
			id, err := w.identity(ctx)
			if err != nil {
				return fail("AWS does not accept the credentials", because(err), command("aws sso login"), command("aws sts get-caller-identity"))
			}
			return ok(id.arn)
		},
	}
}

// maxSkew is a little under the five minutes that AWS allows.
const maxSkew = 4 * time.Minute

func awsClock(w *world) Check {
	return Check{
		Info: Info{ID: "aws.clock", Group: "aws", Title: "the clock agrees with AWS", How: "compares the Date header of AWS with this machine's clock", Needs: "aws.identity"},
		Run: func(ctx context.Context) Finding {
			id, err := w.identity(ctx)
			if err != nil || id.at.IsZero() {
				return skip("AWS did not tell the time")
			}
			skew := w.Now().Sub(id.at)
			if skew.Abs() > maxSkew {
				return fail(fmt.Sprintf("the clock is %s off", skew.Round(time.Second)), "AWS refuses requests that are more than five minutes off", command("sudo timedatectl set-ntp true"))
			}
			return ok(fmt.Sprintf("%.0f s apart", skew.Abs().Seconds()))
		},
	}
}

// callerActions are what the server does, each with what it does it to.
func (w *world) callerActions(account string) [][2]string {
	app := fmt.Sprintf("arn:aws:emr-serverless:%s:%s:/applications/%s", w.AWS.Region, account, w.Settings.Spark.EMRPostgresApplicationID)
	role := w.Settings.Spark.ExecutionRoleARN
	if role == "" {
		role = fmt.Sprintf("arn:aws:iam::%s:role/%s", account, w.roleName())
	}
	actions := [][2]string{
		{"emr-serverless:StartJobRun", app},
		{"emr-serverless:GetJobRun", app + "/jobruns/*"},
		{"emr-serverless:CancelJobRun", app + "/jobruns/*"},
		{"iam:PassRole", role},
		{"s3:PutObject", "arn:aws:s3:::" + w.Settings.Spark.S3Bucket + "/scripts/x"},
	}
	if standard := w.Settings.Spark.StandardExecutionRoleARN; standard != "" {
		actions = append(actions, [2]string{"iam:PassRole", standard})
	}
	return actions
}

func awsCaller(w *world) Check {
	return Check{
		Info: Info{ID: "aws.caller", Group: "aws", Title: "this identity may start and follow jobs", How: "iam:SimulatePrincipalPolicy for StartJobRun, GetJobRun, CancelJobRun, PassRole, PutObject", Needs: "aws.identity"},
		Run: func(ctx context.Context) Finding {
			id, err := w.identity(ctx)
			if err != nil {
				return skip("the identity is not known")
			}
			principal, found := principalOf(id)
			if !found {
				return skip("the account's root user has every right")
			}
			var missing []string
			for _, a := range w.callerActions(id.account) {
				out, err := w.AWS.Roles.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{
					PolicySourceArn: &principal, ActionNames: []string{a[0]}, ResourceArns: []string{a[1]},
					ContextEntries: []iamtypes.ContextEntry{{
						ContextKeyName: aws.String("iam:PassedToService"), ContextKeyType: iamtypes.ContextKeyTypeEnumString, ContextKeyValues: []string{"emr-serverless.amazonaws.com"},
					}},
				})
				if err != nil {
					return blind(err, "iam:SimulatePrincipalPolicy")
				}
				for _, r := range out.EvaluationResults {
					if r.EvalDecision != iamtypes.PolicyEvaluationDecisionTypeAllowed && !slices.Contains(missing, a[0]) {
						missing = append(missing, a[0])
					}
				}
			}
			if len(missing) > 0 {
				return fail("this identity may not "+strings.Join(missing, ", "), id.arn+" lacks these rights",
					terraform("terraform output -raw caller_policy"), iamPolicy(document(missing, resourcesOf(w.callerActions(id.account), missing))))
			}
			return ok("all of it is allowed")
		},
	}
}

func resourcesOf(actions [][2]string, missing []string) []string {
	var out []string
	for _, a := range actions {
		if strings.Contains(strings.Join(missing, " "), a[0]) {
			out = append(out, a[1])
		}
	}
	return out
}

// principalOf is what the simulation takes: the role of an assumed role, or
// the user. The root user has no policies.
func principalOf(id *identity) (string, bool) {
	if strings.HasSuffix(id.arn, ":root") {
		return "", false
	}
	before, rest, assumed := strings.Cut(id.arn, ":assumed-role/")
	if !assumed {
		return id.arn, true
	}
	name, _, _ := strings.Cut(rest, "/")
	return strings.Replace(before, ":sts:", ":iam:", 1) + ":role/" + name, true
}
