package emrserverless

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParameters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"": nil,
		`--conf spark.executor.memory=4g  --conf spark.executor.cores=2 --jars s3://b/d.jar`: {
			"--conf", "spark.executor.memory=4g", "--conf", "spark.executor.cores=2", "--jars", "s3://b/d.jar",
		},
		`--conf "spark.driver.extraJavaOptions=-Da=1 -Db=2" --conf 'spark.x=it''s' --conf spark.y=a\ b`: {
			"--conf", "spark.driver.extraJavaOptions=-Da=1 -Db=2", "--conf", "spark.x=its", "--conf", "spark.y=a b",
		},
	} {
		got, err := parameters(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Errorf("%s: %s", text, diff)
		}
	}
	conf := confOf([]string{"--conf", "spark.emr-serverless.driverEnv.A=1=2", "--conf=spark.z=3", "--jars", "x=y"})
	if diff := cmp.Diff(map[string]string{"spark.emr-serverless.driverEnv.A": "1=2", "spark.z": "3"}, conf); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"A=1=2"}, driverEnv(conf)); diff != "" {
		t.Error(diff)
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	const secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/a-AbCdEf"
	allow := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"secretsmanager:Get*","Resource":"arn:aws:secretsmanager:*:*:secret:spark/postgres/*"}}`
	for _, test := range []struct {
		name      string
		documents []string
		action    string
		resource  string
		want      verdict
	}{
		{"allowed", []string{allow}, "secretsmanager:GetSecretValue", secret, allowed},
		{"url-encoded, as IAM gives it", []string{`%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%5B%22%2A%22%5D%2C%22Resource%22%3A%22%2A%22%7D%5D%7D`}, "s3:GetObject", "arn:aws:s3:::b/k", allowed},
		{"the name of an action has no case", []string{allow}, "SecretsManager:getsecretvalue", secret, allowed},
		{"another secret", []string{allow}, "secretsmanager:GetSecretValue", "arn:aws:secretsmanager:us-east-1:123456789012:secret:other-AbCdEf", silent},
		{"another action", []string{allow}, "secretsmanager:PutSecretValue", secret, silent},
		{"nothing", nil, "s3:GetObject", "arn:aws:s3:::b/k", silent},
		{"a deny wins", []string{allow, `{"Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`}, "secretsmanager:GetSecretValue", secret, denied},
		{"all but", []string{`{"Statement":[{"Effect":"Allow","NotAction":"s3:Delete*","Resource":"*"}]}`}, "s3:DeleteObject", "arn:aws:s3:::b/k", silent},
		{"a condition is not enough", []string{`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:x":"y"}}}]}`}, "s3:GetObject", "arn:aws:s3:::b/k", silent},
	} {
		var all []policy
		for _, d := range test.documents {
			p, err := parsePolicy(d)
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			all = append(all, p)
		}
		if got := judge(all, test.action, test.resource); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
