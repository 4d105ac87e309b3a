package artifact_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

const location = "s3://data/output/s1/r_1/1"

// store is S3 as far as results need it: objects by key, pages of one.
type store struct {
	mu      sync.Mutex
	objects map[string]string
	status  int // of every answer; 0 = as it should be
	puts    int
	denied  string // key that cannot be deleted
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/data/")
	switch {
	case s.status != 0:
		w.WriteHeader(s.status)
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		s.objects[key] = string(body)
		s.puts++
	case r.Method == http.MethodPost && r.URL.Query().Has("delete"):
		var in struct {
			Object []struct{ Key string }
		}
		body, _ := io.ReadAll(r.Body)
		_ = xml.Unmarshal(body, &in)
		_, _ = io.WriteString(w, "<DeleteResult>")
		for _, o := range in.Object {
			if o.Key == s.denied {
				_, _ = fmt.Fprintf(w, "<Error><Key>%s</Key><Code>AccessDenied</Code><Message>no</Message></Error>", o.Key)
				continue
			}
			delete(s.objects, o.Key)
		}
		_, _ = io.WriteString(w, "</DeleteResult>")
	case r.URL.Query().Get("list-type") == "2":
		after := r.URL.Query().Get("continuation-token")
		_, _ = io.WriteString(w, "<ListBucketResult>")
		next := ""
		for k := range s.objects {
			if strings.HasPrefix(k, r.URL.Query().Get("prefix")) && k > after && (next == "" || k < next) {
				next = k
			}
		}
		if next != "" {
			_, _ = fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><ETag>"%x"</ETag></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>`,
				next, len(s.objects[next]), md5.Sum([]byte(s.objects[next])), next)
		}
		_, _ = io.WriteString(w, "</ListBucketResult>")
	default:
		content, ok := s.objects[key]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, "<Error><Code>NoSuchKey</Code></Error>")
			return
		}
		_, _ = io.WriteString(w, content)
	}
}

// setup is a result of two parts.
func setup(t *testing.T) (*store, *artifact.S3, *sparkwright.Manifest) {
	t.Helper()
	s := &store{objects: map[string]string{}}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	m := &sparkwright.Manifest{
		Version: 1, RunID: "r_1", AttemptID: "r_1-1", Location: location, RowCount: 3, Truncated: true,
		Schema: []sparkwright.ResultColumn{{Name: "a", Type: "int"}}, Preview: [][]sparkwright.PreviewValue{{json.RawMessage("1")}},
	}
	for i, text := range []string{"PAR1 first", "PAR1 second part"} {
		sum := sha256.Sum256([]byte(text))
		p := sparkwright.Part{
			Path: fmt.Sprintf("data/part-%d.parquet", i), Rows: int64(i + 1), Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:]),
			ETag: fmt.Sprintf("%x", md5.Sum([]byte(text))),
		}
		m.Parts = append(m.Parts, p)
		s.objects["output/s1/r_1/1/"+p.Path] = text
	}
	s.objects["output/s1/r_1/1/data/_SUCCESS"] = ""
	s.manifest(t, m)
	client := awscloud.NewS3(aws.Config{
		Region: "us-east-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired, RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	return s, artifact.NewS3(client), m
}

func (s *store) manifest(t *testing.T, m *sparkwright.Manifest) {
	t.Helper()
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	s.objects["output/s1/r_1/1/manifest.json"] = string(text)
}

func TestS3Load(t *testing.T) {
	t.Parallel()
	part := "output/s1/r_1/1/data/part-1.parquet"
	for _, tt := range []struct {
		name   string
		change func(t *testing.T, s *store, m *sparkwright.Manifest)
		code   sparkwright.Code // "" = it is loaded
	}{
		{"whole", func(*testing.T, *store, *sparkwright.Manifest) {}, ""},
		{"without ETags the content is read", func(t *testing.T, s *store, m *sparkwright.Manifest) {
			t.Helper()
			m.Parts[0].ETag, m.Parts[1].ETag = "", ""
			s.manifest(t, m)
		}, ""},
		{"no manifest", func(_ *testing.T, s *store, _ *sparkwright.Manifest) {
			delete(s.objects, "output/s1/r_1/1/manifest.json")
		}, sparkwright.CodeNotFound},
		{"broken manifest", func(_ *testing.T, s *store, _ *sparkwright.Manifest) {
			s.objects["output/s1/r_1/1/manifest.json"] = "{"
		}, sparkwright.CodeJobFailed},
		{"missing part", func(_ *testing.T, s *store, _ *sparkwright.Manifest) { delete(s.objects, part) }, sparkwright.CodeJobFailed},
		{"another size", func(_ *testing.T, s *store, _ *sparkwright.Manifest) { s.objects[part] += "x" }, sparkwright.CodeJobFailed},
		{"the same size, other content", func(_ *testing.T, s *store, _ *sparkwright.Manifest) {
			s.objects[part] = "PAR1 sEcond part"
		}, sparkwright.CodeJobFailed},
		{"other content, without ETags", func(t *testing.T, s *store, m *sparkwright.Manifest) {
			t.Helper()
			m.Parts[1].ETag = ""
			s.manifest(t, m)
			s.objects[part] = "PAR1 sEcond part"
		}, sparkwright.CodeJobFailed},
		{"a part too many", func(_ *testing.T, s *store, _ *sparkwright.Manifest) {
			s.objects["output/s1/r_1/1/data/part-2.parquet"] = "x"
		}, sparkwright.CodeJobFailed},
		{"no checksum", func(t *testing.T, s *store, m *sparkwright.Manifest) {
			t.Helper()
			m.Parts[0].SHA256 = ""
			s.manifest(t, m)
		}, sparkwright.CodeJobFailed},
		{"rows do not add up", func(t *testing.T, s *store, m *sparkwright.Manifest) {
			t.Helper()
			m.RowCount = 4
			s.manifest(t, m)
		}, sparkwright.CodeJobFailed},
		{"of another place", func(t *testing.T, s *store, m *sparkwright.Manifest) {
			t.Helper()
			m.Location = "s3://data/output/s1/r_1/2"
			s.manifest(t, m)
		}, sparkwright.CodeJobFailed},
		{"of another attempt", func(t *testing.T, s *store, m *sparkwright.Manifest) {
			t.Helper()
			m.AttemptID = "r_1-2"
			s.manifest(t, m)
		}, sparkwright.CodeJobFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, results, m := setup(t)
			tt.change(t, s, m)
			got, err := results.Load(t.Context(), location, "r_1", "r_1-1")
			if sparkwright.ErrorCode(err) != tt.code || (err == nil) != (got != nil && got.RowCount == 3) {
				t.Errorf("%+v, %v; want %q", got, err, tt.code)
			}
			if tt.code != "" && awscloud.Passing(err) {
				t.Errorf("%v counts as something that passes", err)
			}
		})
	}
	s, results, _ := setup(t)
	s.status = http.StatusServiceUnavailable
	if _, err := results.Load(t.Context(), location, "r_1", "r_1-1"); !awscloud.Passing(err) {
		t.Errorf("S3 is down: %v; want something that passes", err)
	}
}

func TestS3Open(t *testing.T) {
	t.Parallel()
	s, results, m := setup(t)
	f, err := results.Open(t.Context(), m, m.Parts[1])
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil || string(text) != "PAR1 second part" {
		t.Errorf("%q, %v", text, err)
	}
	_ = f.Close()
	s.objects["output/s1/r_1/1/data/part-1.parquet"] = "PAR1 sEcond part"
	if _, err = results.Open(t.Context(), m, m.Parts[1]); sparkwright.ErrorCode(err) != sparkwright.CodeJobFailed {
		t.Errorf("a changed part: %v", err)
	}
	for _, path := range []string{"../2/data/x", "data/../../x", "manifest.json"} {
		if _, err = results.Open(t.Context(), m, sparkwright.Part{Path: path}); err == nil {
			t.Errorf("%s was opened", path)
		}
	}
}

// The download is made once, and its link is good for as long as it says.
func TestS3Export(t *testing.T) {
	t.Parallel()
	s, results, m := setup(t)
	written := 0
	write := func(w io.Writer) error {
		written++
		_, err := io.Copy(w, bytes.NewReader([]byte("a\n1\n")))
		return err
	}
	for range 2 {
		link, err := results.Export(t.Context(), m, "r_1.csv", 24*time.Hour, write)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(link.URL)
		if err != nil || u.Path != "/data/output/s1/r_1/1/export/r_1.csv" || u.Query().Get("X-Amz-Expires") != "86400" ||
			u.Query().Get("response-content-disposition") != `attachment; filename="r_1.csv"` {
			t.Errorf("link %s, %v", link.URL, err)
		}
		if left := time.Until(link.Expires); left < 23*time.Hour || left > 24*time.Hour {
			t.Errorf("it expires in %s", left)
		}
	}
	if written != 1 || s.puts != 1 || s.objects["output/s1/r_1/1/export/r_1.csv"] != "a\n1\n" {
		t.Errorf("written %d times, put %d times: %q", written, s.puts, s.objects["output/s1/r_1/1/export/r_1.csv"])
	}
	if _, err := results.Export(t.Context(), m, `a"b`, time.Hour, write); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("a name with a quote: %v", err)
	}
}

// TestRemove: what is below a location goes, what is beside it stays, and an
// object that cannot be removed is told.
func TestRemove(t *testing.T) {
	t.Parallel()
	s, results, _ := setup(t)
	s.objects["output/s1/r_1x/1/manifest.json"] = "another run's"
	s.denied = "output/s1/r_1/1/manifest.json"
	err := results.Remove(t.Context(), "s3://data/output/s1/r_1")
	if sparkwright.ErrorCode(err) != sparkwright.CodeUnauthorized || !strings.Contains(err.Error(), "manifest.json") {
		t.Errorf("denied: %v", err)
	}
	s.denied = ""
	for range 2 { // nothing is left to do the second time
		if err = results.Remove(t.Context(), "s3://data/output/s1/r_1"); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.objects) != 1 || s.objects["output/s1/r_1x/1/manifest.json"] == "" {
		t.Errorf("left: %v", s.objects)
	}
	for _, whole := range []string{"s3://data", "s3://data/", "s3://data//", "/tmp/x"} {
		if err = results.Remove(t.Context(), whole); sparkwright.ErrorCode(err) != sparkwright.CodeInternal {
			t.Errorf("%s: %v", whole, err)
		}
	}
}
