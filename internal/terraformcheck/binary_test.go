package terraformcheck_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright/internal/terraformcheck"
)

// mirrors are the usual places of a provider that was put on a machine by
// hand. Nothing is ever downloaded.
func mirrors() []string {
	home, _ := os.UserHomeDir()
	return []string{
		os.Getenv("SPARKWRIGHT_TF_PLUGINS"), filepath.Join(home, ".terraform.d", "plugins"),
		"/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/terraform/plugins", "/opt/tf-plugins",
	}
}

// provider finds a mirror with the AWS provider, or "".
func provider() string {
	for _, dir := range mirrors() {
		found, _ := filepath.Glob(filepath.Join(dir, "registry.terraform.io", "hashicorp", "aws", "*"))
		if dir != "" && len(found) > 0 {
			return dir
		}
	}
	return ""
}

// The same promises a second time, by Terraform itself with the real provider,
// where both are on the machine; elsewhere by the schema alone. Everything that
// Terraform writes stays in a temporary directory.
func TestModuleWithTerraform(t *testing.T) {
	t.Parallel()
	m := loadModule(t, moduleDir)
	if problems := terraformcheck.Check(m, loadSchema(t)); len(problems) > 0 {
		t.Fatalf("%q", problems)
	}
	binary, err := exec.LookPath("terraform")
	if err != nil {
		binary, err = exec.LookPath("tofu")
	}
	plugins := provider()
	if err != nil || plugins == "" {
		t.Log("checked by the schema alone: this machine has no terraform, or no AWS provider in a local mirror")
		return
	}
	dir := t.TempDir()
	run := func(args ...string) []byte {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "TF_CLI_CONFIG_FILE="+filepath.Join(dir, "none.tfrc"))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, failed := cmd.Output()
		if failed != nil {
			t.Fatalf("terraform %s: %v\n%s\n%s", strings.Join(args, " "), failed, out, stderr.String())
		}
		return out
	}
	write(t, dir, map[string][]byte{"none.tfrc": nil, "versions.tf": []byte("terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\n")})
	run("init", "-input=false", "-no-color", "-plugin-dir="+plugins)
	files, newer, err := terraformcheck.ForOlderProvider(m, run("providers", "schema", "-json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(newer) > 0 {
		t.Logf("newer than this machine's provider, checked by the schema alone: %s", strings.Join(newer, ", "))
	}
	if slices.Contains(newer, "aws_bedrockagentcore_agent_runtime") {
		files["agentcore.tf"] = bytes.Replace(files["agentcore.tf"], []byte("one(aws_bedrockagentcore_agent_runtime.supervisor[*].agent_runtime_arn)"), []byte("null"), 1)
	}
	delete(files, "versions.tf")
	template, err := os.ReadFile(filepath.Join(moduleDir, "readonly.sql.tftpl"))
	if err != nil {
		t.Fatal(err)
	}
	test, err := os.ReadFile(filepath.Join(moduleDir, "tests", "module.tftest.hcl"))
	if err != nil {
		t.Fatal(err)
	}
	files["readonly.sql.tftpl"], files["driver.jar"], files["tests/module.tftest.hcl"] = template, []byte("jar"), test
	write(t, dir, files)
	run("init", "-input=false", "-no-color", "-plugin-dir="+plugins)
	run("fmt", "-check", "-recursive")
	run("validate", "-no-color")
	out := string(run("test", "-no-color"))
	if !strings.Contains(out, "0 failed") || strings.Contains(out, "0 passed") {
		t.Errorf("terraform test:\n%s", out)
	}
	t.Log(out)
}

func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
