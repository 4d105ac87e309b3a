// Package agentcore is an Amazon Bedrock AgentCore with one runtime: it passes
// InvokeAgentRuntime on to a container, as it is. Signatures are not looked at.
package agentcore

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
)

// ARN is the runtime's.
const ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/spark_supervisor_agent-x"

// Core is a running AgentCore; its URL is the value of
// AWS_ENDPOINT_URL_BEDROCK_AGENTCORE.
type Core struct {
	*httptest.Server

	mu       sync.Mutex
	sessions []string
	throttle int
}

// Start starts one whose runtime is container.
func Start(container http.Handler) *Core {
	c := &Core{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.sessions = append(c.sessions, r.Header.Get("X-Amzn-Bedrock-AgentCore-Runtime-Session-Id"))
		refuse := c.throttle > 0
		c.throttle--
		c.mu.Unlock()
		want := "/runtimes/" + url.QueryEscape(ARN) + "/invocations"
		switch {
		case refuse:
			fail(w, http.StatusTooManyRequests, "ThrottlingException", "slow down")
		case r.Method != http.MethodPost || !strings.EqualFold(r.URL.EscapedPath(), want) || r.URL.Query().Get("qualifier") != "DEFAULT":
			fail(w, http.StatusNotFound, "ResourceNotFoundException", "there is no "+r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery)
		default:
			in := r.Clone(r.Context())
			in.URL = &url.URL{Path: "/invocations"}
			container.ServeHTTP(w, in)
		}
	}))
	return c
}

// Throttle refuses the next calls.
func (c *Core) Throttle(calls int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.throttle = calls
}

// Sessions are the session ids of the calls so far.
func (c *Core) Sessions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.sessions...)
}

func fail(w http.ResponseWriter, status int, name, message string) {
	w.Header().Set("X-Amzn-ErrorType", name)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
}
