package fetch_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fetch"
)

// origin is a file server that records the Range headers it gets.
type origin struct {
	*httptest.Server
	content []byte

	mu     sync.Mutex
	ranges []string
}

// newOrigin serves content; before may answer a request itself (true).
func newOrigin(t *testing.T, content []byte, before func(n int, w http.ResponseWriter, r *http.Request) bool) *origin {
	t.Helper()
	o := &origin{content: content}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		o.ranges = append(o.ranges, r.Header.Get("Range"))
		n := len(o.ranges)
		o.mu.Unlock()
		if before != nil && before(n, w, r) {
			return
		}
		http.ServeContent(w, r, "file.jar", time.Time{}, bytes.NewReader(o.content))
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *origin) asked() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.ranges...)
}

// breakOff sends n bytes of a longer answer and cuts the connection.
func breakOff(w http.ResponseWriter, content []byte, n int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = w.Write(content[:n])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func sample(n int) []byte {
	out := make([]byte, 0, n+32)
	for sum := sha256.Sum256([]byte("sample")); len(out) < n; sum = sha256.Sum256(sum[:]) {
		out = append(out, sum[:]...)
	}
	return out[:n]
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func TestFile(t *testing.T) {
	t.Parallel()
	content := sample(300_000)
	tests := []struct {
		name   string
		part   []byte // what an earlier call left
		before func(n int, w http.ResponseWriter, r *http.Request) bool
		asked  []string
	}{
		{name: "from nothing", asked: []string{""}},
		{name: "resumes", part: content[:1000], asked: []string{"bytes=1000-"}},
		{name: "part is complete", part: content, asked: []string{"bytes=300000-"}},
		{name: "part is too long", part: append(bytes.Clone(content), 'x'), asked: []string{"bytes=300001-", ""}},
		{name: "part is corrupt", part: bytes.Repeat([]byte("x"), 1000), asked: []string{"bytes=1000-", ""}},
		{
			name: "server without ranges", part: content[:1000], asked: []string{"bytes=1000-"},
			before: func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				_, _ = w.Write(content)
				return true
			},
		},
		{
			name: "broken off", asked: []string{"", "bytes=5000-"},
			before: func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n == 1 {
					breakOff(w, content, 5000)
				}
				return false
			},
		},
		{
			name: "overloaded once", asked: []string{"", ""},
			before: func(n int, w http.ResponseWriter, _ *http.Request) bool {
				if n == 1 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return n == 1
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := newOrigin(t, content, tt.before)
			dest := filepath.Join(t.TempDir(), "deep", "file.jar")
			if tt.part != nil {
				mustWrite(t, dest+".part", tt.part)
			}
			var done, total atomic.Int64
			err := fetch.File(t.Context(), fetch.Options{
				URL: srv.URL + "/file.jar", Dest: dest, SHA256: strings.ToUpper(digest(content)),
				Progress: func(d, n int64) { done.Store(d); total.Store(n) },
			})
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(dest)
			if err != nil || !bytes.Equal(got, content) {
				t.Fatalf("downloaded %d bytes, err %v; want the %d of the origin", len(got), err, len(content))
			}
			if diff := cmp.Diff(tt.asked, srv.asked()); diff != "" {
				t.Errorf("ranges asked for (-want +got):\n%s", diff)
			}
			if _, err := os.Stat(dest + ".part"); !os.IsNotExist(err) {
				t.Errorf("the part file is still there: %v", err)
			}
			if tt.name == "resumes" && (done.Load() != 300_000 || total.Load() != 300_000) {
				t.Errorf("progress ended at %d of %d", done.Load(), total.Load())
			}
			// A second call needs no server.
			srv.Close()
			if err := fetch.File(t.Context(), fetch.Options{URL: srv.URL, Dest: dest, SHA256: digest(content)}); err != nil {
				t.Errorf("second call: %v", err)
			}
		})
	}
}

func TestFileReplacesAWrongFile(t *testing.T) {
	t.Parallel()
	content := sample(1000)
	srv := newOrigin(t, content, nil)
	dest := filepath.Join(t.TempDir(), "file.jar")
	mustWrite(t, dest, []byte("an older version"))
	if err := fetch.File(t.Context(), fetch.Options{URL: srv.URL, Dest: dest, SHA256: digest(content)}); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(dest); !bytes.Equal(got, content) {
		t.Errorf("the wrong file was kept")
	}
}

func TestFileErrors(t *testing.T) {
	t.Parallel()
	content := sample(1000)
	status := func(code int) func(int, http.ResponseWriter, *http.Request) bool {
		return func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(code)
			return true
		}
	}
	wrong := strings.Repeat("0", 64)
	tests := []struct {
		name    string
		before  func(int, http.ResponseWriter, *http.Request) bool
		prepare func(t *testing.T, o *fetch.Options)
		code    sparkwright.Code
		says    []string // in message, cause and remedy together
		never   string
	}{
		{
			name: "not found", before: status(http.StatusNotFound), code: sparkwright.CodeUnavailable,
			says: []string{"does not have it (HTTP 404)", "mirror"},
		},
		{
			name: "refused", before: status(http.StatusForbidden), code: sparkwright.CodeUnavailable,
			says: []string{"HTTP 403", "proxy"},
		},
		{
			name: "always overloaded", before: status(http.StatusBadGateway), code: sparkwright.CodeUnavailable,
			says: []string{"502 Bad Gateway"},
		},
		{
			name: "breaks off at once each time", code: sparkwright.CodeUnavailable, says: []string{"broke off again and again"},
			before: func(_ int, w http.ResponseWriter, _ *http.Request) bool { breakOff(w, content, 0); return true },
		},
		{
			name: "wrong checksum", code: sparkwright.CodeUnavailable,
			prepare: func(_ *testing.T, o *fetch.Options) { o.SHA256 = wrong },
			says:    []string{wrong, digest(content), "/file.jar"},
		},
		{
			name: "nobody listens", code: sparkwright.CodeUnavailable, says: []string{"connection was refused", "HTTPS_PROXY"},
			prepare: func(_ *testing.T, o *fetch.Options) { o.URL = "http://127.0.0.1:1/file.jar" },
		},
		{
			name: "unknown host", code: sparkwright.CodeUnavailable, says: []string{"nowhere.invalid"},
			prepare: func(_ *testing.T, o *fetch.Options) { o.URL = "http://nowhere.invalid/file.jar" },
		},
		{
			name: "password in the URL", code: sparkwright.CodeUnavailable, never: "hunter2",
			prepare: func(_ *testing.T, o *fetch.Options) { o.URL = "http://me:hunter2@127.0.0.1:1/file.jar" },
		},
		{
			name: "no URL", code: sparkwright.CodeInvalid, says: []string{"not an http or https URL"},
			prepare: func(_ *testing.T, o *fetch.Options) { o.URL = "file:///etc/passwd" },
		},
		{
			name: "no checksum", code: sparkwright.CodeInvalid, says: []string{"needs a destination and a SHA-256"},
			prepare: func(_ *testing.T, o *fetch.Options) { o.SHA256 = "abc" },
		},
		{
			name: "destination is in a file", code: sparkwright.CodeResource, says: []string{"choose another directory"},
			prepare: func(t *testing.T, o *fetch.Options) {
				t.Helper()
				mustWrite(t, filepath.Dir(o.Dest), []byte("not a directory"))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			srv := newOrigin(t, content, tt.before)
			o := fetch.Options{URL: srv.URL + "/file.jar", Dest: filepath.Join(t.TempDir(), "sub", "file.jar"), SHA256: digest(content)}
			if tt.prepare != nil {
				tt.prepare(t, &o)
			}
			checkError(t, fetch.File(t.Context(), o), tt.code, tt.says, tt.never)
			if _, err := os.Stat(o.Dest); err == nil {
				t.Errorf("a file appeared at the destination")
			}
		})
	}
}

func TestFileInterrupted(t *testing.T) {
	t.Parallel()
	content := sample(100_000)
	arrived := make(chan struct{})
	srv := newOrigin(t, content, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 1 {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content[:4096])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	o := fetch.Options{URL: srv.URL, Dest: filepath.Join(t.TempDir(), "file.jar"), SHA256: digest(content)}
	var once sync.Once
	o.Progress = func(done, _ int64) {
		if done >= 4096 {
			once.Do(func() { close(arrived) })
		}
	}
	checkError(t, fetch.File(ctx, o), sparkwright.CodeCancelled, []string{"goes on where it ended"}, "")
	if err := fetch.File(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"", "bytes=4096-"}, srv.asked()); diff != "" {
		t.Errorf("ranges asked for (-want +got):\n%s", diff)
	}
}

func TestFileTogether(t *testing.T) {
	t.Parallel()
	content := sample(200_000)
	srv := newOrigin(t, content, nil)
	dest := filepath.Join(t.TempDir(), "file.jar")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := fetch.File(t.Context(), fetch.Options{URL: srv.URL, Dest: dest, SHA256: digest(content)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := srv.asked(); len(got) != 1 {
		t.Errorf("downloaded %d times: %q", len(got), got)
	}
}

// checkError compares code and text of a *sparkwright.Error.
func checkError(t *testing.T, err error, code sparkwright.Code, says []string, never string) {
	t.Helper()
	e, ok := err.(*sparkwright.Error) //nolint:errorlint // the very type is the promise
	if !ok || e.Code != code {
		t.Fatalf("error %T %v, code %q; want code %q", err, err, sparkwright.ErrorCode(err), code)
	}
	text := e.Error() + "\n" + e.Remedy
	for _, want := range says {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if never != "" && strings.Contains(text, never) {
		t.Errorf("%q must not be in:\n%s", never, text)
	}
}

func mustWrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
