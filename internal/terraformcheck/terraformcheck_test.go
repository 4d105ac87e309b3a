package terraformcheck_test

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/terraformcheck"
)

const (
	moduleDir = "../../deploy/terraform"
	account   = "123456789012"
	region    = "eu-central-1"
)

func loadSchema(t *testing.T) *terraformcheck.Schema {
	t.Helper()
	s, err := terraformcheck.LoadSchema(filepath.Join(moduleDir, "schema", "aws.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func loadModule(t *testing.T, dir string) *terraformcheck.Module {
	t.Helper()
	m, err := terraformcheck.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestModuleAndExamples(t *testing.T) {
	t.Parallel()
	s := loadSchema(t)
	for _, dir := range []string{moduleDir, moduleDir + "/examples/new-vpc", moduleDir + "/examples/existing-vpc"} {
		for _, problem := range terraformcheck.Check(loadModule(t, dir), s) {
			t.Errorf("%s/%s", dir, problem)
		}
	}
}

// The examples set no argument of the module that it does not have, and all
// that it needs.
func TestExamplesCallTheModule(t *testing.T) {
	t.Parallel()
	variables, required := loadModule(t, moduleDir).Variables()
	for _, example := range []string{"new-vpc", "existing-vpc"} {
		for name, args := range loadModule(t, filepath.Join(moduleDir, "examples", example)).ModuleCalls() {
			for _, arg := range args {
				if arg != "source" && !variables[arg] {
					t.Errorf("%s: module %s has no variable %s", example, name, arg)
				}
			}
			for _, need := range required {
				if !strings.Contains(" "+strings.Join(args, " ")+" ", " "+need+" ") {
					t.Errorf("%s: module %s lacks %s", example, name, need)
				}
			}
		}
	}
}

// Every mutation is a mistake that a person makes; each must be found.
func TestMutationsAreFound(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, file, old, new, want string }{
		{"misspelt argument", "endpoints.tf", "private_dns_enabled", "private_dns_enable", "did you mean private_dns_enabled"},
		{"missing required argument", "emr.tf", "  release_label = var.release_label\n", "", "lacks the required argument release_label"},
		{"misspelt block", "emr.tf", "network_configuration {", "network_config {", "did you mean network_configuration"},
		{"missing argument of a block", "emr.tf", "    cpu    = var.maximum_capacity.cpu\n", "", "lacks the required argument cpu"},
		{"block given twice", "emr.tf", "  auto_start_configuration {\n    enabled = true\n  }\n", "  auto_start_configuration {\n    enabled = true\n  }\n\n  auto_start_configuration {\n    enabled = true\n  }\n", "may have 1 block"},
		{"argument as a block", "bucket.tf", "    bucket_key_enabled = true\n", "    bucket_key_enabled {}\n", "has no block bucket_key_enabled"},
		{"unknown resource type", "bucket.tf", `"aws_s3_bucket_versioning"`, `"aws_s3_versioning"`, "not in the reduced schema"},
		{"reference to nothing", "iam.tf", "aws_iam_role.execution.id", "aws_iam_role.executor.id", "is not declared"},
		{"reference to an attribute that is not there", "outputs.tf", "aws_iam_role.standard.arn", "aws_iam_role.standard.arns", "has no attribute arns"},
		{"variable that is not there", "endpoints.tf", "var.subnet_ids", "var.subnets", "var.subnets is not declared"},
		{"list for a text", "emr.tf", `type          = "spark"`, `type          = ["spark"]`, "is a string, not a list"},
		{"text for a list", "emr.tf", "subnet_ids         = var.subnet_ids", `subnet_ids         = "subnet-1"`, "is a list, not a string"},
		{"not formatted", "emr.tf", "  tags          = local.tags", "  tags = local.tags", "not formatted"},
	}
	s, original := loadSchema(t), loadModule(t, moduleDir)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sources := maps.Clone(original.Sources)
			if !bytes.Contains(sources[tt.file], []byte(tt.old)) {
				t.Fatalf("%s does not contain %q", tt.file, tt.old)
			}
			sources[tt.file] = bytes.ReplaceAll(sources[tt.file], []byte(tt.old), []byte(tt.new))
			m, err := terraformcheck.Parse(moduleDir, sources)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(terraformcheck.Check(m, s), "\n"); !strings.Contains(got, tt.want) {
				t.Errorf("want %q among:\n%s", tt.want, got)
			}
		})
	}
}

// evaluate works the module out for a made-up account.
func evaluate(t *testing.T, extra map[string]cty.Value) *terraformcheck.Values {
	t.Helper()
	texts := func(list ...string) cty.Value {
		var out []cty.Value
		for _, s := range list {
			out = append(out, cty.StringVal(s))
		}
		return cty.ListVal(out)
	}
	variables := map[string]cty.Value{
		"vpc_id": cty.StringVal("vpc-1"), "subnet_ids": texts("subnet-1", "subnet-2"), "route_table_ids": texts("rtb-1"),
		"postgres_security_group_ids": texts("sg-db"), "driver_jar": cty.StringVal("driver.jar"),
		"connections": cty.ObjectVal(map[string]cty.Value{"aurora": cty.ObjectVal(map[string]cty.Value{
			"host": cty.StringVal("db.example.com"), "database": cty.StringVal("shop"),
		})}),
	}
	maps.Copy(variables, extra)
	object := func(name, value string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{name: cty.StringVal(value)})
	}
	v, err := terraformcheck.Evaluate(loadModule(t, moduleDir), loadSchema(t), variables, map[string]cty.Value{
		"aws_caller_identity.current": object("account_id", account),
		"aws_partition.current":       object("partition", "aws"),
		"aws_region.current":          object("id", region),
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// attribute follows a path of names and list positions.
func attribute(t *testing.T, v *terraformcheck.Values, resource string, path ...any) string {
	t.Helper()
	out, ok := v.Resources[resource]
	if !ok {
		t.Fatalf("no resource %s", resource)
	}
	for _, step := range path {
		switch s := step.(type) {
		case string:
			if !out.Type().HasAttribute(s) {
				t.Fatalf("%s has no %q", resource, s)
			}
			out = out.GetAttr(s)
		case int:
			out = out.Index(cty.NumberIntVal(int64(s)))
		}
	}
	if out.Type() == cty.Bool {
		if out.True() {
			return "true"
		}
		return "false"
	}
	if out.Type() == cty.Number {
		return out.AsBigFloat().String()
	}
	return out.AsString()
}

// The names that users and checks look for.
func TestDefaultNames(t *testing.T) {
	t.Parallel()
	v := evaluate(t, map[string]cty.Value{"lambda_image_uri": cty.StringVal("l"), "supervisor_image_uri": cty.StringVal("s")})
	bucket := "spark-data-" + account + "-" + region
	tests := []struct {
		resource string
		path     []any
		want     string
	}{
		{"aws_s3_bucket.data", []any{"bucket"}, bucket},
		{"aws_s3_object.driver", []any{"key"}, "jars/postgresql-42.7.8.jar"},
		{"aws_s3_object.driver", []any{"checksum_algorithm"}, "SHA256"},
		{"aws_emrserverless_application.postgres", []any{"name"}, "spark-postgres-interpreter-app"},
		{"aws_emrserverless_application.postgres", []any{"network_configuration", 0, "subnet_ids", 1}, "subnet-2"},
		{"aws_emrserverless_application.postgres", []any{"monitoring_configuration", 0, "cloudwatch_logging_configuration", 0, "enabled"}, "true"},
		{"aws_emrserverless_application.postgres", []any{"auto_stop_configuration", 0, "enabled"}, "true"},
		{"aws_iam_role.execution", []any{"name"}, "EMRServerlessExecutionRole"},
		{"aws_iam_role_policy.execution_secrets", []any{"name"}, "EMRSecretsManagerPolicy"},
		{"aws_vpc_endpoint.interface", []any{"logs", "service_name"}, "com.amazonaws." + region + ".logs"},
		{"aws_vpc_endpoint.interface", []any{"logs", "private_dns_enabled"}, "true"},
		{"aws_vpc_endpoint.interface", []any{"secretsmanager", "service_name"}, "com.amazonaws." + region + ".secretsmanager"},
		{"aws_vpc_endpoint.interface", []any{"secretsmanager", "private_dns_enabled"}, "true"},
		{"aws_vpc_endpoint.interface", []any{"secretsmanager", "vpc_endpoint_type"}, "Interface"},
		{"aws_vpc_endpoint.s3", []any{"vpc_endpoint_type"}, "Gateway"},
		{"aws_vpc_endpoint.s3", []any{"route_table_ids", 0}, "rtb-1"},
		{"aws_vpc_security_group_egress_rule.jobs_to_postgres", []any{"sg-db", "from_port"}, "5432"},
		{"aws_vpc_security_group_ingress_rule.postgres_from_jobs", []any{"sg-db", "security_group_id"}, "sg-db"},
		{"aws_secretsmanager_secret.connection", []any{"aurora", "name"}, "spark/postgres/aurora"},
		{"aws_lambda_function.spark", []any{0, "function_name"}, "sparkOnLambda-spark-code-interpreter"},
		{"aws_bedrockagentcore_agent_runtime.supervisor", []any{0, "agent_runtime_name"}, "spark_supervisor_agent"},
		{"aws_s3_bucket_versioning.data", []any{"versioning_configuration", 0, "status"}, "Enabled"},
	}
	for _, tt := range tests {
		if got := attribute(t, v, tt.resource, tt.path...); got != tt.want {
			t.Errorf("%s %v = %q, want %q", tt.resource, tt.path, got, tt.want)
		}
	}
}

// Optional parts are absent unless an image is given.
func TestOptionalParts(t *testing.T) {
	t.Parallel()
	v := evaluate(t, nil)
	for _, name := range []string{"aws_lambda_function.spark", "aws_bedrockagentcore_agent_runtime.supervisor", "aws_iam_role.lambda"} {
		if n := v.Resources[name].LengthInt(); n != 0 {
			t.Errorf("%s: %d of them", name, n)
		}
	}
}

// The output settings is a settings.json that the program reads without a
// warning.
func TestSettingsOutput(t *testing.T) {
	t.Parallel()
	v := evaluate(t, map[string]cty.Value{"lambda_image_uri": cty.StringVal("l")})
	// Made-up ids hold dots and underscores; real ones do not.
	text := strings.NewReplacer(
		"aws_secretsmanager_secret.connection_aurora.arn", "arn:aws:secretsmanager:"+region+":"+account+":secret:spark/postgres/aurora-AbCdEf",
		"aws_iam_role.execution.arn", "arn:aws:iam::"+account+":role/EMRServerlessExecutionRole",
		"aws_iam_role.standard.arn", "arn:aws:iam::"+account+":role/EMRServerlessStandardRole",
		"aws_emrserverless_application.postgres.id", "00g0oddl52n83r09", "aws_emrserverless_application.standard.id", "00fv6g7rptsov009",
		"aws_s3_bucket.data.id", "spark-data-"+account+"-"+region,
	).Replace(v.Outputs["settings"].AsString())
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, settings.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := settings.Load(home)
	if err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if len(s.Warnings) > 0 {
		t.Errorf("warnings: %q", s.Warnings)
	}
	if s.Spark.EMRPostgresApplicationID != "00g0oddl52n83r09" || !strings.HasSuffix(s.Spark.ExecutionRoleARN, ":role/EMRServerlessExecutionRole") ||
		!strings.HasSuffix(s.Spark.StandardExecutionRoleARN, ":role/EMRServerlessStandardRole") || s.Spark.Region != region ||
		s.Postgres.JDBCDriverPath != "s3://spark-data-"+account+"-"+region+"/jars/postgresql-42.7.8.jar" {
		t.Errorf("settings %+v %+v", s.Spark, s.Postgres)
	}
	if c, err := s.Connection("aurora"); err != nil || !strings.Contains(c.Secret, "spark/postgres/aurora") {
		t.Errorf("connection %+v: %v", c, err)
	}
}

// The groups let jobs out to PostgreSQL, the endpoints, S3 and themselves.
func TestNothingElseIsReached(t *testing.T) {
	t.Parallel()
	v := evaluate(t, nil)
	for name := range v.Resources {
		if strings.HasPrefix(name, "aws_nat_gateway") || strings.HasPrefix(name, "aws_internet_gateway") {
			t.Errorf("%s is not needed", name)
		}
	}
	for name, r := range v.Resources {
		if !strings.HasPrefix(name, "aws_vpc_security_group_egress_rule") {
			continue
		}
		if strings.Contains(r.GoString(), "0.0.0.0/0") {
			t.Errorf("%s opens everything", name)
		}
	}
}

func TestReadOnlySQL(t *testing.T) {
	t.Parallel()
	sql := evaluate(t, nil).Outputs["readonly_sql"].GetAttr("aurora").AsString()
	for _, want := range []string{`CREATE ROLE "sparkwright_reader" LOGIN NOSUPERUSER`, `GRANT SELECT ON ALL TABLES IN SCHEMA "public"`, `REVOKE CREATE ON SCHEMA "public" FROM PUBLIC`} {
		if !strings.Contains(sql, want) {
			t.Errorf("no %q in\n%s", want, sql)
		}
	}
	if strings.Contains(strings.ToUpper(sql), "PASSWORD '") {
		t.Error("a password stands in the script")
	}
}
