package main

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReproducibleBuild: the sources in another directory make the same bytes.
func TestReproducibleBuild(t *testing.T) {
	t.Parallel()
	here, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "elsewhere", "checkout")
	left := map[string]bool{".git": true, "node_modules": true, "bin": true, ".terraform": true, "testdata": true, "docs": true, "eval": true, "bench": true}
	err = filepath.WalkDir(here, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(here, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if left[d.Name()] && rel != filepath.Join("internal", "eval") {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(there, rel), 0o700)
		}
		if !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(there, rel), content, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for _, dir := range []string{here, there} {
		out := filepath.Join(t.TempDir(), "sparkwright")
		cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-X main.version=reproduced", "-o", out, "./cmd/sparkwright")
		cmd.Dir = dir
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		f, err := os.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		sums[dir] = hex.EncodeToString(h.Sum(nil))
	}
	if sums[here] != sums[there] {
		t.Errorf("the builds differ: %v", sums)
	}
}

// TestEverythingIsPinned: each Python package that is installed has a version
// and hashes, and pip is told to insist on them.
func TestEverythingIsPinned(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	files := 0
	pin := regexp.MustCompile(`^[A-Za-z0-9._-]+(\[[a-z0-9,._-]+\])?==[^ ;\\]+`)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.Contains(d.Name(), "requirements") || !strings.HasSuffix(d.Name(), ".txt") {
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.SplitSeq(strings.ReplaceAll(string(text), "\\\n", " "), "\n") {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") || line == "-r requirements.txt" {
				continue
			}
			if !pin.MatchString(line) || !strings.Contains(line, "--hash=sha256:") {
				t.Errorf("%s: %.100s", path, line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 2 {
		t.Errorf("only %d files of requirements were found", files)
	}
	install, err := os.ReadFile(filepath.Join(root, "internal", "localruntime", "python.go"))
	if err != nil || !strings.Contains(string(install), `"--require-hashes"`) {
		t.Errorf("pip is not told to insist on hashes: %v", err)
	}
}
