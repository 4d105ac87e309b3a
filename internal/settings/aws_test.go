package settings_test

import (
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright/internal/settings"
)

var update = flag.Bool("update", false, "rewrite docs/settings.md")

// The page of the keys is what the code says.
func TestReferenceIsCurrent(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "docs", "settings.md")
	got := settings.Reference()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/settings.md is old; go test ./internal/settings -update\n%s", diff)
	}
}

func TestExecutionRole(t *testing.T) {
	t.Parallel()
	const own, other = "arn:aws:iam::123456789012:role/own", "arn:aws:iam::123456789012:role/service-role/other"
	for _, tt := range []struct {
		name, file string
		env        map[string]string
		want       string
	}{
		{"nowhere", `{}`, nil, ""},
		{"environment", `{}`, map[string]string{"EMR_EXECUTION_ROLE_ARN": other}, other},
		{"setting first", `{"spark": {"execution_role_arn": "` + own + `"}}`, map[string]string{"EMR_EXECUTION_ROLE_ARN": other}, own},
		{"the setting's own variable", `{}`, map[string]string{"SPARKWRIGHT_SPARK_EXECUTION_ROLE_ARN": own, "EMR_EXECUTION_ROLE_ARN": other}, own},
	} {
		s, err := settings.LoadEnv(writeFile(t, tt.file), env(tt.env))
		if err != nil || s.Spark.ExecutionRoleARN != tt.want {
			t.Errorf("%s: %q, %v; want %q", tt.name, s.Spark.ExecutionRoleARN, err, tt.want)
		}
	}
}

// All processes of a data directory name their jobs alike.
func TestInstanceName(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "data")
	var wg sync.WaitGroup
	names := make([]string, 8)
	for i := range names {
		wg.Go(func() {
			s, err := settings.LoadEnv(home, noEnv)
			if err == nil {
				names[i], err = s.InstanceName()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, n := range names {
		if n == "" || n != names[0] {
			t.Errorf("names %v differ", names)
		}
	}
	s, err := settings.LoadEnv(home, env(map[string]string{"SPARKWRIGHT_SPARK_INSTANCE": "prod"}))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.InstanceName(); n != "prod" || err != nil {
		t.Errorf("%q, %v; want prod", n, err)
	}
}
