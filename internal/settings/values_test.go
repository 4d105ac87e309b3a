package settings_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/settings"
)

func TestValues(t *testing.T) {
	t.Parallel()
	s := settings.Default()
	s.Model.APIKey, s.Spark.Remote = "env:CANARY_KEY", "sc://h:1/;token=canary"
	values := s.Values()
	if values["spark.pool_size"] != 2 || values["spark.remote"] != "sc://h:1/;token=…" || len(values) < 30 {
		t.Errorf("values %v", values)
	}
	for key, value := range values {
		if text, ok := value.(string); ok && strings.Contains(strings.ToLower(text), "canary") {
			t.Errorf("%s tells %s", key, text)
		}
	}
	if !s.Secrets()["model.api_key"] {
		t.Error("the key is not known")
	}
	for key, value := range map[string]any{
		"spark.pool_size": 3.0, "spark.master": "local[2]", "postgres.use_dedicated_emr": false,
	} {
		if err := s.SetValue(key, value); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	if s.Spark.PoolSize != 3 || s.Spark.Master != "local[2]" || s.Postgres.UseDedicatedEMR {
		t.Errorf("settings %+v", s.Spark)
	}
	if err := s.SetValue("spark.pool_size", nil); err != nil || s.Spark.PoolSize != 2 {
		t.Errorf("back to %d, %v", s.Spark.PoolSize, err)
	}
	for key, value := range map[string]any{
		"spark.pool_size": 2.5, "spark.master": "mars", "nope": 1, "spark.driver_memory": 3, "postgres.use_dedicated_emr": "yes",
	} {
		if err := s.SetValue(key, value); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("%s = %v: %v", key, value, err)
		}
	}
	for key, value := range map[string]string{"model.api_key": "sk-canary", "spark.master": "env:X"} {
		if err := s.SetSecret(key, value); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := s.SetSecret("model.api_key", ""); err != nil || s.Secrets()["model.api_key"] {
		t.Errorf("not forgotten, %v", err)
	}
}

// Every value that can be set is described, and nothing else.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := settings.Default()
	values, secrets := s.Values(), s.Secrets()
	for _, k := range settings.Keys() {
		_, value := values[k.Name]
		_, secret := secrets[k.Name]
		if value == secret || secret != k.Secret || k.About == "" || k.Variable == "" {
			t.Errorf("%+v", k)
		}
		fits := false
		switch k.Default.(type) {
		case string:
			fits = k.Kind == "text"
		case int:
			fits = k.Kind == "number"
		case bool:
			fits = k.Kind == "boolean"
		}
		if !fits {
			t.Errorf("%s is a %s with the default %v", k.Name, k.Kind, k.Default)
		}
		delete(values, k.Name)
	}
	if len(values) > 0 {
		t.Errorf("not described: %v", values)
	}
}
