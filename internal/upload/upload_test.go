package upload_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/upload"
)

func TestSafeName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"sales.csv":                      "sales.csv",
		"Sales 2025 (final).CSV":         "Sales_2025__final.csv",
		"../../jars/postgresql.jar":      "",
		"../../etc/passwd":               "passwd.csv",
		`C:\Users\x\orders.tsv`:          "orders.tsv",
		"/etc/cron.d/x.json":             "x.json",
		".hidden.csv":                    "hidden.csv",
		"..":                             "",
		"":                               "",
		"---.csv":                        "",
		"a\x00b.csv":                     "a_b.csv",
		"käufe.jsonl":                    "käufe.jsonl",
		"no ending":                      "no_ending.csv",
		"\xff\xfe.csv":                   "",
		strings.Repeat("a", 98) + ".csv": "",
		"script.py":                      "",
	} {
		got, err := upload.SafeName(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", name, got, err, want)
		}
		if err != nil && sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	full := false
	s := &upload.Store{
		Dir: dir, Max: 20, Table: func(_ context.Context, _ *sparkwright.Session, up sparkwright.Upload, _ string) (string, error) {
			if up.Name == "broken.csv" {
				return "", sparkwright.Errorf(sparkwright.CodeInvalid, "this is no table")
			}
			return "files." + up.Name, nil
		},
		CheckSpace: func() error {
			if full {
				return sparkwright.Errorf(sparkwright.CodeResource, "the disk is full")
			}
			return nil
		},
	}
	one, two := &sparkwright.Session{Handle: "one"}, &sparkwright.Session{Handle: "two"}
	keep := func(sess *sparkwright.Session, name, content string) (sparkwright.Upload, error) {
		return s.Keep(t.Context(), sess, name, []byte(content))
	}
	for _, c := range []struct {
		sess          *sparkwright.Session
		name, content string
		code          sparkwright.Code
	}{
		{one, "../a.csv", "x\n1\n", ""},
		{one, "a.csv", "x\n2\n", ""}, // takes the place of the first
		{two, "a.csv", "x\n3\n", ""},
		{one, "b.csv", strings.Repeat("x", 21), sparkwright.CodeResource},
		{one, "b.csv", " \n", sparkwright.CodeInvalid},
		{one, "b.jar", "x", sparkwright.CodeInvalid},
		{one, "broken.csv", "x", sparkwright.CodeInvalid},
	} {
		up, err := keep(c.sess, c.name, c.content)
		if sparkwright.ErrorCode(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil {
			continue
		}
		text, err := os.ReadFile(up.Path)
		if err != nil || string(text) != c.content || up.Table != "files.a.csv" || up.Bytes != int64(len(c.content)) {
			t.Errorf("%s: %+v holds %q, %v", c.name, up, text, err)
		}
		if info, err := os.Stat(up.Path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", up.Path, info.Mode(), err)
		}
	}
	full = true
	if _, err := keep(one, "c.csv", "x"); sparkwright.ErrorCode(err) != sparkwright.CodeResource {
		t.Errorf("a full disk: %v", err)
	}
	if found, err := filepath.Glob(filepath.Join(dir, "*", "*")); err != nil || len(found) != 2 {
		t.Errorf("there are %v, %v", found, err)
	}
}

func TestKeepInS3(t *testing.T) {
	t.Parallel()
	keys := []string{}
	s := &upload.Store{
		Dir: t.TempDir(), Max: 20, Table: func(_ context.Context, _ *sparkwright.Session, up sparkwright.Upload, _ string) (string, error) {
			return up.Path, nil
		},
		Put: func(_ context.Context, key string, _ []byte) (string, error) {
			keys = append(keys, key)
			if len(keys) > 1 {
				return "", errors.New("access denied")
			}
			return "s3://bucket/" + key, nil
		},
	}
	sess := &sparkwright.Session{Handle: "one"}
	up, err := s.Keep(t.Context(), sess, "../../jars/a.csv", []byte("x"))
	if err != nil || up.Path != "s3://bucket/sessions/one/csv/a.csv" || up.Table != up.Path {
		t.Errorf("%+v, %v", up, err)
	}
	if _, err := s.Keep(t.Context(), sess, "b.csv", []byte("x")); err == nil {
		t.Error("a failed upload is no upload")
	}
	if found, err := filepath.Glob(filepath.Join(s.Dir, "one", "*")); err != nil || len(found) != 1 {
		t.Errorf("there are %v, %v", found, err)
	}
}

// TestSweep: uploads go with their session, from S3 first; what is new stays,
// and what S3 does not let go of is tried again.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var dropped []string
	var refuse error
	s := &upload.Store{Dir: dir, Drop: func(_ context.Context, prefix string) error {
		if refuse == nil {
			dropped = append(dropped, prefix)
		}
		return refuse
	}}
	exist := func(_ context.Context, handles []string) (map[string]bool, error) {
		if slices.Contains(handles, "new") {
			t.Error("a new directory is looked at")
		}
		return map[string]bool{"used": true}, nil
	}
	if err := s.Sweep(t.Context(), time.Hour, exist); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * time.Hour)
	for _, handle := range []string{"used", "gone", "new"} {
		if err := os.MkdirAll(filepath.Join(dir, handle, "tables"), 0o700); err != nil {
			t.Fatal(err)
		}
		if handle == "new" {
			continue
		}
		if err := os.Chtimes(filepath.Join(dir, handle), long, long); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (names []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	refuse = errors.New("S3 says no")
	if err := s.Sweep(t.Context(), time.Hour, exist); !errors.Is(err, refuse) || len(left()) != 3 {
		t.Errorf("%v, left %v", err, left())
	}
	refuse = nil
	if err := s.Sweep(t.Context(), time.Hour, exist); err != nil {
		t.Fatal(err)
	}
	if got := left(); !slices.Equal(got, []string{"new", "used"}) || !slices.Equal(dropped, []string{"sessions/gone/csv/"}) {
		t.Errorf("left %v, dropped %v", got, dropped)
	}
}
