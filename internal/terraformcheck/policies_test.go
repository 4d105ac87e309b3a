package terraformcheck_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

type policy struct {
	Version   string
	Statement []struct {
		Effect    string
		Action    any
		Resource  any
		Condition map[string]map[string]any
	}
}

func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, s := range v {
			out = append(out, s.(string))
		}
		return out
	default:
		return nil
	}
}

func policyOf(t *testing.T, text string) policy {
	t.Helper()
	var p policy
	if err := json.Unmarshal([]byte(text), &p); err != nil || p.Version != "2012-10-17" {
		t.Fatalf("policy %s: %v", text, err)
	}
	return p
}

func TestSecretsPolicy(t *testing.T) {
	t.Parallel()
	v := evaluate(t, nil)
	p := policyOf(t, attribute(t, v, "aws_iam_role_policy.execution_secrets", "policy"))
	if len(p.Statement) != 1 || p.Statement[0].Effect != "Allow" ||
		strings.Join(texts(p.Statement[0].Action), " ") != "secretsmanager:GetSecretValue secretsmanager:DescribeSecret" ||
		strings.Join(texts(p.Statement[0].Resource), " ") != "arn:aws:secretsmanager:"+region+":"+account+":secret:spark/postgres/*" {
		t.Errorf("policy %+v", p)
	}
}

// Logins by IAM are allowed to PostgreSQL jobs and to the server, each by itself; without them nobody may log in so.
func TestIAMLogins(t *testing.T) {
	t.Parallel()
	const login = "cluster-AB12/reader"
	with := evaluate(t, map[string]cty.Value{"iam_logins": cty.ListVal([]cty.Value{cty.StringVal(login)})})
	want := "arn:aws:rds-db:" + region + ":" + account + ":dbuser:" + login
	if got := logins(t, attribute(t, with, "aws_iam_role_policy.execution_database", 0, "policy")); got != want {
		t.Errorf("jobs may log in as %q, want %q", got, want)
	}
	if got := logins(t, with.Outputs["caller_policy"].AsString()); got != want {
		t.Errorf("the server may log in as %q, want %q", got, want)
	}
	without := evaluate(t, nil)
	if n := without.Resources["aws_iam_role_policy.execution_database"].LengthInt(); n != 0 {
		t.Errorf("%d policies without logins", n)
	}
	if got := logins(t, without.Outputs["caller_policy"].AsString()); got != "" {
		t.Errorf("the server may log in as %q without being told so", got)
	}
}

// logins are the resources of rds-db:connect.
func logins(t *testing.T, text string) string {
	t.Helper()
	for _, s := range policyOf(t, text).Statement {
		if strings.Join(texts(s.Action), " ") == "rds-db:connect" {
			return strings.Join(texts(s.Resource), " ")
		}
	}
	return ""
}

// No policy of the standard role, or of Lambda, names Secrets Manager or all services.
func TestStandardJobsCannotReadSecrets(t *testing.T) {
	t.Parallel()
	v := evaluate(t, map[string]cty.Value{"lambda_image_uri": cty.StringVal("l")})
	checked := 0
	for name, r := range v.Resources {
		if !strings.HasPrefix(name, "aws_iam_role_policy.standard") && !strings.HasPrefix(name, "aws_iam_role_policy.lambda") {
			continue
		}
		if r.Type().IsTupleType() {
			r = r.Index(cty.NumberIntVal(0))
		}
		checked++
		for _, s := range policyOf(t, r.GetAttr("policy").AsString()).Statement {
			for _, action := range texts(s.Action) {
				if strings.HasPrefix(action, "secretsmanager") || strings.HasPrefix(action, "*") {
					t.Errorf("%s allows %s", name, action)
				}
			}
		}
	}
	if checked != 4 {
		t.Errorf("%d policies looked at, want 4", checked)
	}
}

func TestCallerPolicy(t *testing.T) {
	t.Parallel()
	v := evaluate(t, nil)
	p := policyOf(t, v.Outputs["caller_policy"].AsString())
	passes := false
	for _, s := range p.Statement {
		for _, action := range texts(s.Action) {
			if strings.HasSuffix(action, ":*") || action == "*" {
				t.Errorf("allows %s", action)
			}
			if action == "iam:PassRole" {
				passes = s.Condition["StringEquals"]["iam:PassedToService"] == "emr-serverless.amazonaws.com"
			}
		}
	}
	if !passes {
		t.Error("iam:PassRole is not limited to emr-serverless.amazonaws.com")
	}
}
