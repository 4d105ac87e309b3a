package agentcore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// Client calls one AgentCore runtime. It is safe for concurrent use. Errors are
// *sparkwright.Error.
type Client struct {
	client *bedrockagentcore.Client
	arn    string
}

// The time limits of a call: a run may take as long as the reference's clients
// wait.
const (
	runTime       = 21 * time.Minute
	handshakeTime = 60 * time.Second
	minSession    = 33
	maxAnswer     = 64 << 20
	tries         = 5
)

// NewClient returns a client of the runtime with that ARN.
func NewClient(cfg aws.Config, arn string) *Client {
	return &Client{arn: arn, client: bedrockagentcore.NewFromConfig(cfg, func(o *bedrockagentcore.Options) {
		o.RetryMaxAttempts = 1 // throttling is waited for below; a run is never started twice
		o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = runTime })
	})}
}

// Handshake asks the agent who it is. ok is false for one that does not know
// the question: a prototype of the reference system.
func (c *Client) Handshake(ctx context.Context) (info Info, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	payload := map[string]any{handshakeKey: Protocol}
	text, err := c.invoke(ctx, session("handshake"), payload)
	if err != nil {
		// A prototype fails on a payload without a prompt; AWS's own refusals are errors.
		if awscloud.Classify(err) == awscloud.Unavailable && strings.Contains(err.Error(), "RuntimeClientError") {
			return info, false, nil
		}
		return info, false, awscloud.Error("the agent of spark.supervisor_arn cannot be called", err)
	}
	var answer map[string]json.RawMessage
	if json.Unmarshal(unwrap(text), &answer) != nil || answer[handshakeKey] == nil {
		return info, false, nil
	}
	if json.Unmarshal(answer[handshakeKey], &info) != nil || info.Protocol == 0 {
		return info, false, nil
	}
	if info.Protocol != Protocol {
		return info, true, &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the agent of spark.supervisor_arn speaks another protocol",
			Because: "it is version " + info.Version, Remedy: "deploy the agent of this version",
		}
	}
	return info, true, nil
}

// Run hands a payload to the agent and returns its result object.
func (c *Client) Run(ctx context.Context, sessionID string, payload map[string]any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, runTime)
	defer cancel()
	const what = "the agent of spark.supervisor_arn has not carried out the run"
	text, err := c.invoke(ctx, session(sessionID), payload)
	if err != nil {
		return nil, awscloud.Error(what, err)
	}
	result := unwrap(text)
	var object map[string]json.RawMessage
	if json.Unmarshal(result, &object) != nil || object["execution_result"] == nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeJobFailed, Message: what, Because: "its answer is no result object", Remedy: "look at the agent's log in CloudWatch",
		}
	}
	return result, nil
}

// invoke calls the agent. Throttling is waited for; nothing else is repeated.
func (c *Client) invoke(ctx context.Context, sessionID string, payload map[string]any) ([]byte, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	for try, wait := 1, time.Second; ; try, wait = try+1, 2*wait {
		out, err := c.client.InvokeAgentRuntime(ctx, &bedrockagentcore.InvokeAgentRuntimeInput{
			AgentRuntimeArn: &c.arn, Qualifier: aws.String("DEFAULT"), RuntimeSessionId: &sessionID, Payload: body,
			ContentType: aws.String("application/json"), Accept: aws.String("text/event-stream, application/json"),
		})
		if err == nil {
			return read(out.Response, aws.ToString(out.ContentType))
		}
		if awscloud.Classify(err) != awscloud.Throttled || try == tries {
			return nil, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

// read takes the answer: JSON, or the data of an event stream's result. An agent
// that does not name its events has it in the last one. What happens to the
// connection after the result changes nothing.
func read(body io.ReadCloser, contentType string) ([]byte, error) {
	defer body.Close() //nolint:errcheck // read only
	limited := io.LimitReader(body, maxAnswer)
	if !strings.HasPrefix(contentType, "text/event-stream") {
		return io.ReadAll(limited)
	}
	var data, last bytes.Buffer
	name := ""
	lines := bufio.NewReaderSize(limited, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		switch text := strings.TrimRight(line, "\r\n"); {
		case text == "" && data.Len() > 0 && (err == nil || err == io.EOF):
			if name == resultEvent {
				return data.Bytes(), nil
			}
			last.Reset()
			last.Write(data.Bytes())
			data.Reset()
			name = ""
		case strings.HasPrefix(text, "event:"):
			name = strings.TrimSpace(strings.TrimPrefix(text, "event:"))
		case strings.HasPrefix(text, "data:"):
			data.WriteString(strings.TrimPrefix(strings.TrimPrefix(text, "data:"), " "))
		}
		if err == io.EOF {
			if last.Len() == 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return last.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// unwrap takes JSON texts off a JSON value as often as there are.
func unwrap(text []byte) json.RawMessage {
	for {
		var inner string
		if json.Unmarshal(text, &inner) != nil {
			return text
		}
		text = []byte(inner)
	}
}

// session is an id that AgentCore takes: it wants 33 characters.
func session(id string) string {
	if len(id) >= minSession {
		return id[:min(len(id), 256)]
	}
	return "sparkwright-session-" + id + strings.Repeat("0", max(0, minSession-len("sparkwright-session-")-len(id)))
}
