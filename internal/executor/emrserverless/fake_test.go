package emrserverless_test

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"
)

// cloud is an AWS of one application: EMR Serverless, S3, CloudWatch Logs and
// STS in their wire shapes, as far as the executor calls them. It runs
// nothing; a test says what happens to a job.
type cloud struct {
	*httptest.Server

	mu      sync.Mutex
	jobs    []*job
	started []map[string]any    // bodies of StartJobRun
	calls   map[string]int      // by operation
	objects map[string][]byte   // bucket/key
	streams map[string][]string // CloudWatch lines by stream
	app     map[string]any
	forgets bool                                                      // client tokens are not remembered
	before  func(op string, w http.ResponseWriter, n int) (done bool) // faults
	after   func(op string, n int) (cut bool)                         // the answer is lost
}

type job struct {
	id, name, token, state, details string
	created, updated                time.Time
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{
		calls: map[string]int{}, objects: map[string][]byte{}, streams: map[string][]string{},
		app: map[string]any{"applicationId": appID, "arn": "arn:aws:emr-serverless:us-east-1:123456789012:/applications/" + appID, "state": "STARTED"},
	}
	c.Server = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

// fail answers with an error of the service.
func fail(w http.ResponseWriter, status int, kind string) bool {
	w.Header().Set("X-Amzn-ErrorType", kind)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"__type": %q, "message": "no"}`, kind)
	return true
}

func (c *cloud) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	op := c.operation(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[op]++
	n := c.calls[op]
	if c.before != nil && c.before(op, w, n) {
		return
	}
	out := httptest.NewRecorder()
	c.answer(op, out, r, body)
	if c.after != nil && c.after(op, n) {
		panic(http.ErrAbortHandler) // the connection ends without an answer
	}
	maps.Copy(w.Header(), out.Header())
	w.WriteHeader(out.Code)
	_, _ = w.Write(out.Body.Bytes())
}

func (c *cloud) operation(r *http.Request) string {
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return target[strings.LastIndexByte(target, '.')+1:]
	}
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case strings.HasPrefix(path, "applications/") && strings.HasSuffix(path, "/start"):
		return "StartApplication"
	case strings.HasPrefix(path, "applications/") && strings.HasSuffix(path, "/jobruns"):
		return map[string]string{"POST": "StartJobRun", "GET": "ListJobRuns"}[r.Method]
	case strings.HasPrefix(path, "applications/") && strings.Contains(path, "/jobruns/"):
		return map[string]string{"DELETE": "CancelJobRun", "GET": "GetJobRun"}[r.Method]
	case strings.HasPrefix(path, "applications/"):
		return "GetApplication"
	case path == "":
		return "GetCallerIdentity"
	default:
		return "S3" + r.Method
	}
}

func (c *cloud) answer(op string, w http.ResponseWriter, r *http.Request, body []byte) {
	reply := func(v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	id := filepath.Base(r.URL.Path)
	switch op {
	case "GetCallerIdentity":
		w.Header().Set("Content-Type", "text/xml")
		_, _ = io.WriteString(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/u</Arn><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
	case "GetApplication":
		reply(map[string]any{"application": c.app})
	case "StartApplication":
		c.app["state"] = "STARTED"
		reply(map[string]any{})
	case "StartJobRun":
		c.start(body, reply)
	case "ListJobRuns":
		c.list(r, reply)
	case "GetJobRun":
		for _, j := range c.jobs {
			if j.id == id {
				reply(map[string]any{"jobRun": j.wire("jobRunId")})
				return
			}
		}
		fail(w, http.StatusNotFound, "ResourceNotFoundException")
	case "CancelJobRun":
		for _, j := range c.jobs {
			if j.id == id && (j.state == "SUCCESS" || j.state == "FAILED" || j.state == "CANCELLED") {
				fail(w, http.StatusBadRequest, "ValidationException")
				return
			}
			if j.id == id {
				j.set("CANCELLED", "Job run cancelled by customer request.")
				reply(map[string]any{"applicationId": appID, "jobRunId": id})
				return
			}
		}
		fail(w, http.StatusNotFound, "ResourceNotFoundException")
	case "DescribeLogStreams":
		var in struct{ LogStreamNamePrefix string }
		_ = json.Unmarshal(body, &in)
		list := []map[string]any{}
		for name := range c.streams {
			if strings.HasPrefix(name, in.LogStreamNamePrefix) {
				list = append(list, map[string]any{"logStreamName": name})
			}
		}
		reply(map[string]any{"logStreams": list})
	case "GetLogEvents":
		var in struct{ LogStreamName, NextToken string }
		_ = json.Unmarshal(body, &in)
		from := 0
		_, _ = fmt.Sscanf(in.NextToken, "f/%d", &from)
		events := []map[string]any{}
		for _, line := range c.streams[in.LogStreamName][from:] {
			events = append(events, map[string]any{"message": line, "timestamp": 1})
		}
		reply(map[string]any{"events": events, "nextForwardToken": fmt.Sprintf("f/%d", from+len(events))})
	default:
		c.s3(w, r, body)
	}
}

func (c *cloud) start(body []byte, reply func(any)) {
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	token, _ := in["clientToken"].(string)
	for _, j := range c.jobs {
		if j.token == token && !c.forgets {
			reply(map[string]any{"applicationId": appID, "jobRunId": j.id, "arn": "arn:x"})
			return
		}
	}
	c.started = append(c.started, in)
	name, _ := in["name"].(string)
	j := &job{id: fmt.Sprintf("00job%d", len(c.jobs)+1), name: name, token: token, state: "SUBMITTED", created: time.Now(), updated: time.Now()}
	c.jobs = append(c.jobs, j)
	reply(map[string]any{"applicationId": appID, "jobRunId": j.id, "arn": "arn:x"})
}

// list pages by two.
func (c *cloud) list(r *http.Request, reply func(any)) {
	var found []map[string]any
	after, _ := time.Parse(time.RFC3339, r.URL.Query().Get("createdAtAfter"))
	states := r.URL.Query()["states"]
	for _, j := range slices.Backward(c.jobs) {
		if j.created.Before(after) || len(states) > 0 && !strings.Contains(strings.Join(states, ","), j.state) {
			continue
		}
		found = append(found, j.wire("id"))
	}
	from := 0
	_, _ = fmt.Sscanf(r.URL.Query().Get("nextToken"), "%d", &from)
	to := min(from+2, len(found))
	out := map[string]any{"jobRuns": found[from:to]}
	if found == nil {
		out["jobRuns"] = []any{}
	}
	if to < len(found) {
		out["nextToken"] = fmt.Sprint(to)
	}
	reply(out)
}

func (j *job) wire(id string) map[string]any {
	out := map[string]any{
		"applicationId": appID, id: j.id, "name": j.name, "arn": "arn:x", "createdBy": "arn:x", "executionRole": "arn:x", "releaseLabel": "emr-7.9.0",
		"state": j.state, "stateDetails": j.details, "createdAt": float64(j.created.UnixMilli()) / 1000, "updatedAt": float64(j.updated.UnixMilli()) / 1000,
	}
	if id == "jobRunId" {
		out["jobDriver"] = map[string]any{"sparkSubmit": map[string]any{"entryPoint": "s3://x"}}
		if j.state == "SUCCESS" {
			out["totalExecutionDurationSeconds"] = 42
			out["billedResourceUtilization"] = map[string]float64{"vCPUHour": 0.5, "memoryGBHour": 2}
			out["totalResourceUtilization"] = map[string]float64{"vCPUHour": 0.4, "memoryGBHour": 1.6}
		}
	}
	return out
}

func (j *job) set(state, details string) { j.state, j.details, j.updated = state, details, time.Now() }

func etag(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

func (c *cloud) s3(w http.ResponseWriter, r *http.Request, body []byte) {
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case r.Method == http.MethodPut:
		c.objects[path] = body
		w.Header().Set("ETag", `"`+etag(body)+`"`)
	case r.URL.Query().Get("list-type") == "2":
		var b bytes.Buffer
		b.WriteString(`<?xml version="1.0"?><ListBucketResult>`)
		var keys []string
		for k := range c.objects {
			keys = append(keys, k)
		}
		sort.Strings(keys)
		for _, k := range keys {
			if key, ok := strings.CutPrefix(k, path+"/"); ok && strings.HasPrefix(key, r.URL.Query().Get("prefix")) {
				_, _ = fmt.Fprintf(&b, `<Contents><Key>%s</Key><Size>%d</Size><ETag>"%s"</ETag></Contents>`, key, len(c.objects[k]), etag(c.objects[k]))
			}
		}
		b.WriteString(`<IsTruncated>false</IsTruncated></ListBucketResult>`)
		w.Header().Set("Content-Type", "application/xml")
		_, _ = w.Write(b.Bytes())
	default:
		content, ok := c.objects[path]
		if !ok {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `<Error><Code>NoSuchKey</Code><Message>no</Message></Error>`)
			return
		}
		w.Header().Set("ETag", `"`+etag(content)+`"`)
		_, _ = w.Write(content)
	}
}
