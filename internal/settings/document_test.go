package settings_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// Connections survive the way through documents, unknown keys and numbers
// included; of a repeated name the first one counts.
func TestDocuments(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	text := `{"postgres":{"connections":[
		{"name":"a","host":"h","user":"u","secret":"env:A","auth_method":"user_password","ours":12345678901234567890},
		{"name":"b","secret_arn":"arn:aws:secretsmanager:eu-central-1:123456789012:secret:b"},
		{"name":"a","host":"other"}]}}`
	if err := os.WriteFile(filepath.Join(home, settings.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := settings.Load(home)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.Documents()
	if err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	other := settings.Default()
	if err = other.UseDocuments(list); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.Connections(), other.Connections()); diff != "" {
		t.Error(diff)
	}
	again, err := other.Documents()
	if diff := cmp.Diff(list, again); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for name, bad := range map[string]string{
		"a password": `{"name":"a","password":"x"}`, "no reference": `{"name":"a","host":"h","secret":"x"}`, "no object": `1`, "no JSON": `{`,
	} {
		err := other.UseDocuments([]settings.Document{{Name: "a", JSON: json.RawMessage(bad)}})
		if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(s.Connections(), other.Connections()); diff != "" {
			t.Errorf("%s changed the connections: %s", name, diff)
		}
	}
}
