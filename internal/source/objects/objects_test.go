package objects_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/source/objects"
)

// bucket is an S3 with one bucket, as far as lists and reads go. Real lists and
// reads, with signatures, are in cmd/sparkwright's spark_s3 script, on moto.
type bucket struct {
	mu      sync.Mutex
	objects map[string]string
	reads   int
	swap    func(key string) // called at each read, before it
}

func (b *bucket) etag(key string) string {
	return fmt.Sprintf("%q", fmt.Sprint(len(b.objects[key]), b.objects[key]))
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.URL.Query().Get("list-type") == "2" {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = fmt.Fprint(w, "<ListBucketResult>")
		for key, text := range b.objects {
			if strings.HasPrefix(key, r.URL.Query().Get("prefix")) {
				_, _ = fmt.Fprintf(w, "<Contents><Key>%s</Key><ETag>%s</ETag><Size>%d</Size></Contents>", key, strings.ReplaceAll(b.etag(key), `"`, "&quot;"), len(text))
			}
		}
		_, _ = fmt.Fprint(w, "</ListBucketResult>")
		return
	}
	key := strings.TrimPrefix(r.URL.Path, "/lake/")
	if b.swap != nil {
		b.swap(key)
	}
	text, ok := b.objects[key]
	switch want := r.Header.Get("If-Match"); {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case want != "" && want != b.etag(key):
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusPreconditionFailed)
		_, _ = fmt.Fprint(w, "<Error><Code>PreconditionFailed</Code><Message>changed</Message></Error>")
	default:
		b.reads++
		_, _ = fmt.Fprint(w, text)
	}
}

func newBucket(t *testing.T, objectsOf map[string]string) (*bucket, *objects.Copies) {
	t.Helper()
	b := &bucket{objects: objectsOf}
	srv := httptest.NewServer(b)
	t.Cleanup(srv.Close)
	client := s3.New(s3.Options{
		BaseEndpoint: &srv.URL, Region: "us-east-1", UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		RetryMaxAttempts: 1,
	})
	return b, &objects.Copies{
		Dir: filepath.Join(t.TempDir(), "copies"), Limit: 100, Client: func(context.Context) (*s3.Client, error) { return client, nil },
	}
}

// tree is what is below a path, by relative names.
func tree(t *testing.T, at string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(at, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			text, failed := os.ReadFile(p)
			name, _ := filepath.Rel(at, p)
			out[name], err = string(text), failed
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCopy(t *testing.T) {
	t.Parallel()
	b, c := newBucket(t, map[string]string{
		"t/a.csv": "1", "t/year=2025/b.csv": "22", "t/_year=1/c.csv": "3", "t/_SUCCESS": "x", "t/_temporary/d.csv": "x", "t/.hidden": "x", "t/empty": "",
		"table/e.csv": "x", "one": "only",
	})
	at, err := c.Copy(t.Context(), "s3://lake/t/")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a.csv": "1", "year=2025/b.csv": "22", "_year=1/c.csv": "3"}, tree(t, at)); diff != "" {
		t.Error(diff)
	}
	reads := b.reads
	if again, failed := c.Copy(t.Context(), "s3://lake/t"); failed != nil || again != at || b.reads != reads {
		t.Errorf("copied once more: %s, %v, %d reads after %d", again, failed, b.reads, reads)
	}
	b.objects["t/a.csv"] = "9"
	changed, err := c.Copy(t.Context(), "s3://lake/t")
	if err != nil || tree(t, changed)["a.csv"] != "9" {
		t.Errorf("a changed object: %v, %v", tree(t, changed), err)
	}
	if tree(t, at)["a.csv"] != "1" { // a job may be reading it
		t.Error("the copy of before has changed")
	}
	if one, failed := c.Copy(t.Context(), "s3://lake/one"); failed != nil || filepath.Base(one) != "one" || tree(t, one)["."] != "only" {
		t.Errorf("one object: %s, %v", one, failed)
	}
	left, err := filepath.Glob(filepath.Join(c.Dir, "partly-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// An object that changes between list and read is seen, and the new state read.
func TestChangedMeanwhile(t *testing.T) {
	t.Parallel()
	b, c := newBucket(t, map[string]string{"t/a": "1"})
	times := 0
	b.swap = func(key string) {
		if times++; times == 1 {
			b.objects[key] = "22"
		}
	}
	if at, err := c.Copy(t.Context(), "s3://lake/t"); err != nil || tree(t, at)["a"] != "22" {
		t.Errorf("%s, %v", at, err)
	}
	b.swap = func(key string) { b.objects[key] += "x" }
	b.objects["t/a"] = "0"
	if _, err := c.Copy(t.Context(), "s3://lake/t"); err == nil || !strings.Contains(err.Error(), "PreconditionFailed") {
		t.Errorf("one that always changes: %v", err)
	}
}

func TestCopyRefuses(t *testing.T) {
	t.Parallel()
	_, c := newBucket(t, map[string]string{"large/a": strings.Repeat("x", 60), "large/b": strings.Repeat("x", 60), "up/../../x": "1", "up/..": "1"})
	for url, code := range map[string]sparkwright.Code{
		"s3://lake/large": sparkwright.CodeResource, "s3://lake/none": sparkwright.CodeNotFound, "s3://lake": sparkwright.CodeInvalid, "s3://lake/up/..": sparkwright.CodeInvalid, "s3://lake/up": sparkwright.CodeNotFound,
	} {
		if at, err := c.Copy(t.Context(), url); sparkwright.ErrorCode(err) != code {
			t.Errorf("%s: %s, %v; want %s", url, at, err, code)
		}
	}
	full := *c
	full.Dir = filepath.Join(os.DevNull, "copies")
	if _, err := full.Copy(t.Context(), "s3://lake/large/a"); sparkwright.ErrorCode(err) != sparkwright.CodeResource {
		t.Errorf("no place: %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(c.Dir)); len(entries) > 1 {
		t.Errorf("written outside: %v", entries)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	_, c := newBucket(t, map[string]string{"old": "1", "new": "2"})
	if err := c.Sweep(0); err != nil { // nothing is there yet
		t.Fatal(err)
	}
	old, err := c.Copy(t.Context(), "s3://lake/old")
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now().Add(-48 * time.Hour)
	if err = os.Chtimes(filepath.Dir(old), before, before); err != nil {
		t.Fatal(err)
	}
	fresh, err := c.Copy(t.Context(), "s3://lake/new")
	if err != nil {
		t.Fatal(err)
	}
	if err = c.Sweep(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(old); err == nil {
		t.Error("the old one is left")
	}
	if _, err = os.Stat(fresh); err != nil {
		t.Error("the new one is gone")
	}
	used, err := c.Copy(t.Context(), "s3://lake/old")
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Chtimes(filepath.Dir(used), before, before); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Copy(t.Context(), "s3://lake/old"); err != nil { // used again: stays
		t.Fatal(err)
	}
	if err = c.Sweep(24 * time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err = os.Stat(used); err != nil {
		t.Error("one that was used now is gone")
	}
}
