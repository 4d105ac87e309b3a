package emrserverless

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strings"
	"time"
)

// gate is the AWS that one job sees: an HTTP endpoint that lets a call through
// to the emulated AWS when the job's role allows it, and refuses it otherwise,
// in the words of the service. Services that the application's VPC does not
// reach are not here at all: the job gets another address for them.
type gate struct {
	url     string
	cloud   *Cloud
	account string
	region  string
	key     string // the job's access key id
	keys    Credential
	caller  string // ARN of the assumed role
	role    *role
	session []policy // executionIamPolicy; nil = none
	called  func(action string)
	server  *http.Server
}

// openGate starts a gate on a port of its own.
func (g *gate) open(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open the job's AWS endpoint: %w", err)
	}
	g.url = "http://" + listener.Addr().String()
	pass := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(g.cloud.endpoint)
		r.Out.Host = r.In.Host
	}}
	g.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if action, ok := g.admit(w, r); ok {
			pass.ServeHTTP(w, r)
			g.called(action)
		}
	})}
	go func() { _ = g.server.Serve(listener) }()
	return nil
}

func (g *gate) close() {
	if g.server != nil {
		_ = g.server.Close()
	}
}

var jobCredential = regexp.MustCompile(`Credential=([^/]+)/\d{8}/[^/]+/([^/]+)/aws4_request`)

// admit judges a call, and answers it when it is refused. The action is the
// first of those that it needs.
func (g *gate) admit(w http.ResponseWriter, r *http.Request) (action string, ok bool) {
	m := jobCredential.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil || m[1] != g.key {
		refuse(w, "sts", "UnrecognizedClientException", "The security token included in the request is invalid.")
		return "", false
	}
	calls, err := g.callsOf(r, m[2])
	if err != nil {
		refuse(w, m[2], "ValidationException", err.Error())
		return "", false
	}
	for _, c := range calls {
		if reason := g.refusal(c); reason != "" {
			refuse(w, m[2], "AccessDeniedException", fmt.Sprintf(
				"User: %s is not authorized to perform: %s on resource: %s because %s", g.caller, c.action, c.resource, reason))
			return "", false
		}
	}
	return calls[0].action, true
}

// refusal says why a call is refused; "" = it is allowed.
func (g *gate) refusal(c call) string {
	if c.action == "sts:GetCallerIdentity" {
		return "" // needs no permission
	}
	switch judge(g.role.policies, c.action, c.resource) {
	case denied:
		return "with an explicit deny in an identity-based policy"
	case silent:
		return "no identity-based policy allows the " + c.action + " action"
	case allowed:
	}
	if g.session == nil {
		return ""
	}
	switch judge(g.session, c.action, c.resource) {
	case denied:
		return "with an explicit deny in a session policy"
	case silent:
		return "no session policy allows the " + c.action + " action"
	case allowed:
	}
	return ""
}

// refuse writes an error as the service would.
func refuse(w http.ResponseWriter, service, name, message string) {
	if service == "s3" {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>`)
		_ = xml.EscapeText(w, []byte(message))
		_, _ = io.WriteString(w, `</Message></Error>`)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Errortype", name)
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": name, "Message": message})
}

// call is an action on a resource.
type call struct{ action, resource string }

// callsOf says which permissions a request needs.
func (g *gate) callsOf(r *http.Request, service string) ([]call, error) {
	if service == "s3" {
		return s3Calls(r), nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	if operation == "" { // the query protocol
		for pair := range strings.SplitSeq(string(body), "&") {
			if name, ok := strings.CutPrefix(pair, "Action="); ok {
				operation = name
			}
		}
	}
	action := service + ":" + operation
	switch service {
	case "secretsmanager":
		var in struct {
			SecretID string `json:"SecretId"`
		}
		_ = json.Unmarshal(body, &in) // what is no JSON the service itself refuses
		return []call{{action, g.cloud.secretARN(r.Context(), in.SecretID)}}, nil
	case "glue":
		return g.glueCalls(action, body), nil
	}
	return []call{{action, "*"}}, nil
}

// glueCalls are the permissions of a call of Glue's: on the catalog, and on
// the database and table that it names.
func (g *gate) glueCalls(action string, body []byte) []call {
	var in struct{ DatabaseName, TableName, Name string }
	_ = json.Unmarshal(body, &in) // as above
	prefix := "arn:aws:glue:" + g.region + ":" + g.account + ":"
	calls := []call{{action, prefix + "catalog"}}
	table := in.TableName
	database := in.DatabaseName
	switch {
	case strings.HasSuffix(action, "Database"):
		database = in.Name
	case strings.HasSuffix(action, "Table") && table == "":
		table = in.Name
	case strings.HasSuffix(action, "Tables"):
		table = "*"
	}
	if database != "" {
		calls = append(calls, call{action, prefix + "database/" + database})
	}
	if database != "" && table != "" {
		calls = append(calls, call{action, prefix + "table/" + database + "/" + table})
	}
	return calls
}

// s3Calls are the permissions of a call of S3's.
func s3Calls(r *http.Request) []call {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := r.URL.Query()
	on := "arn:aws:s3:::" + bucket
	if bucket == "" {
		return []call{{"s3:ListAllMyBuckets", "*"}}
	}
	if key == "" {
		switch {
		case r.Method == http.MethodPost && q.Has("delete"):
			return []call{{"s3:DeleteObject", on + "/*"}}
		case q.Has("location"):
			return []call{{"s3:GetBucketLocation", on}}
		case q.Has("uploads"):
			return []call{{"s3:ListBucketMultipartUploads", on}}
		default:
			return []call{{"s3:ListBucket", on}}
		}
	}
	on += "/" + key
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return []call{{"s3:GetObject", on}}
	case http.MethodDelete:
		if q.Has("uploadId") {
			return []call{{"s3:AbortMultipartUpload", on}}
		}
		return []call{{"s3:DeleteObject", on}}
	}
	calls := []call{{"s3:PutObject", on}}
	if from := strings.TrimPrefix(r.Header.Get("X-Amz-Copy-Source"), "/"); from != "" {
		calls = append(calls, call{"s3:GetObject", "arn:aws:s3:::" + from})
	}
	return calls
}
