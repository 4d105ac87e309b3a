package artifact_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/artifact"
)

// FuzzManifest: whatever a job leaves as its manifest, nothing outside its
// directory is read, and what is loaded vouches for files that are there.
func FuzzManifest(f *testing.F) {
	const part = `{"path":"part-0.parquet","bytes":4,"sha256":"88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589","rows":1}`
	for _, seed := range []string{
		`{"version":1,"run_id":"r1","attempt_id":"a1","row_count":1,"parts":[` + part + `]}`,
		`{"version":1,"run_id":"r1","attempt_id":"a1","row_count":0,"parts":[]}`,
		`{"version":1,"run_id":"r1","attempt_id":"a1","parts":[` + strings.Replace(part, "part-0", "../../outside", 1) + `]}`,
		`{"version":1,"run_id":"r1","attempt_id":"a1","parts":[` + strings.Replace(part, "part-0.parquet", "/etc/passwd", 1) + `]}`,
		`{"version":1,"row_count":-1,"parts":[{"bytes":-9223372036854775808,"rows":9223372036854775807}]}`,
		`{"version":1,"preview":[[null,{"a":[1e999]}]],"schema":[{}]}`, `{`, `[]`, `null`, "\xff", strings.Repeat("[", 10000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := filepath.Join(t.TempDir(), "in", "result")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"part-0.parquet": "abcd", "../../outside.parquet": "abcd"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "manifest.json"), text, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := artifact.Load(dir, "r1", "a1")
		if err != nil {
			return
		}
		if m.RunID != "r1" || m.AttemptID != "a1" {
			t.Errorf("a manifest of another attempt is taken: %+v", m)
		}
		for _, p := range m.Parts {
			info, err := os.Stat(filepath.Join(dir, p.Path))
			if !filepath.IsLocal(p.Path) || err != nil || info.Size() != p.Bytes {
				t.Errorf("it vouches for %+v: %v", p, err)
			}
		}
	})
}
