package settings_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// FuzzSettings: whatever is in settings.json, it is loaded or refused with an
// error for people, and what was loaded can be written and loaded again.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"spark":{"master":"local[*]","max_retries":3}}`, `{"postgres":{"connections":[{"name":"a","host":"h","secret":"env:X"},{"name":"a"}]}}`,
		`{"postgres":{"connections":[{"name":"a","password":"x"}]}}`, `{"postgres":{"connections":{}}}`, `{"spark":{"max_retries":1e400}}`, `{"spark":[]}`,
		`{"limits":{"requests":99999999999999999999}}`, `{"a":{"b":{"c":null}}}`, `[]`, `null`, `{"spark":{"master":"\u0000"}}`, "{\xff}", `{"spark":{"master":5}}`,
		`{"auth":{"oidc_default_role":"root","oidc_issuer":"https://u:p@h"}}`, `{"model":{"api_key":"sk-secret"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		home := t.TempDir()
		if err := os.WriteFile(filepath.Join(home, settings.FileName), text, 0o600); err != nil {
			t.Fatal(err)
		}
		none := func(string) string { return "" }
		loaded, err := settings.LoadEnv(home, none)
		if err != nil {
			if code := sparkwright.ErrorCode(err); code == sparkwright.CodeInternal {
				t.Errorf("an error that is not for people: %v", err)
			}
			if now, gone := os.ReadFile(filepath.Join(home, settings.FileName)); gone != nil || string(now) != string(text) {
				t.Errorf("a file that cannot be read was replaced: %v", gone)
			}
			return
		}
		master := loaded.Spark.Master
		if err = settings.Update(home, func(s *settings.Settings) error { s.Spark.PoolSize = 3; return nil }); err != nil {
			return // what was loaded may hold a value that must not be written
		}
		again, err := settings.LoadEnv(home, none)
		if err != nil || again.Spark.PoolSize != 3 || again.Spark.Master != master {
			t.Errorf("written and loaded again: %v", err)
		}
	})
}
