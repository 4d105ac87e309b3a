// Package codegenagent has a code generation agent on an Amazon Bedrock
// AgentCore runtime write text (global.code_gen_agent_arn). It speaks the
// reference system's payload: prompt, system_prompt, model_id, session_id; the
// agent answers with text, as JSON or as an event stream. Every call has a
// session of its own: the agent keeps no memory. What holds for every call is
// told in package call.
package codegenagent

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/bedrockagentcore"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/model/call"
)

// Config is how to reach an agent.
type Config struct {
	AWS     aws.Config // its region is replaced by that of the ARN
	ARN     string     // of the runtime
	Model   string     // the model id that the agent is told to use
	Timeout time.Duration
	Idle    time.Duration

	// Transport carries the requests; nil = that of AWS, when it is the SDK's
	// own.
	Transport http.RoundTripper
	// Wait waits before the second try; nil = with a timer. For tests.
	Wait func(ctx context.Context, d time.Duration) error
}

// Model implements sparkwright.Model. It is safe for concurrent use.
type Model struct {
	arn, model string
	call       *call.Caller
	client     *bedrockagentcore.Client
}

var _ sparkwright.Model = (*Model)(nil)

var runtimeARN = regexp.MustCompile(`^arn:aws[a-z-]*:bedrock-agentcore:([a-z0-9-]+):[0-9]{12}:runtime/[A-Za-z0-9_-]+$`)

// New checks the configuration. It does not reach out to AWS.
func New(config Config) (*Model, error) {
	arn := runtimeARN.FindStringSubmatch(config.ARN)
	if arn == nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the code generation agent is not named by the ARN of an AgentCore runtime",
			Remedy: "set global.code_gen_agent_arn to arn:aws:bedrock-agentcore:REGION:ACCOUNT:runtime/NAME",
		}
	}
	if config.Model == "" {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the code generation agent needs a model to use", Remedy: "set global.bedrock_model",
		}
	}
	config.AWS.Region = arn[1]
	if client, ok := config.AWS.HTTPClient.(*awshttp.BuildableClient); ok && config.Transport == nil {
		t := client.GetTransport()
		t.ResponseHeaderTimeout = 0 // an agent that does not stream answers late
		config.Transport = t
	}
	credentials := awscloud.Remember(config.AWS.Credentials)
	caller := call.New(call.Config{
		Limits: call.Limits{Timeout: config.Timeout, Idle: config.Idle}, Model: config.Model, Server: "AgentCore in " + config.AWS.Region,
		Media: []string{"text/event-stream", "application/json", "text/plain", "application/octet-stream"},
		Tell: call.Tell{
			Key:     "the AWS credentials",
			Login:   "check the AWS credentials; they need bedrock-agentcore:InvokeAgentRuntime on " + config.ARN,
			Model:   "check global.code_gen_agent_arn and global.bedrock_model",
			Address: "check the region in global.code_gen_agent_arn and the network",
		},
		Secrets: credentials.Secrets, Transport: config.Transport, Wait: config.Wait,
	})
	client := bedrockagentcore.NewFromConfig(config.AWS, func(o *bedrockagentcore.Options) {
		o.HTTPClient, o.Retryer, o.Credentials = caller.HTTPClient(), aws.NopRetryer{}, credentials
	})
	return &Model{arn: config.ARN, model: config.Model, call: caller, client: client}, nil
}

// Name is "agentcore:" and the model's id.
func (m *Model) Name() string { return "agentcore:" + m.model }

// Complete implements sparkwright.Model. Tokens are not counted, and their
// number is not limited: the agent neither tells nor takes one.
func (m *Model) Complete(ctx context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	return m.call.Complete(ctx, onText, func(ctx context.Context, reply *call.Reply) error { return m.try(ctx, req, reply) })
}

func (m *Model) try(ctx context.Context, req sparkwright.ModelRequest, reply *call.Reply) error {
	session := newSession()
	body, err := json.Marshal(map[string]any{
		"prompt": req.User, "system_prompt": req.System, "model_id": m.model, "session_id": session,
	})
	if err != nil {
		return err
	}
	out, err := m.client.InvokeAgentRuntime(ctx, &bedrockagentcore.InvokeAgentRuntimeInput{
		AgentRuntimeArn: &m.arn, Qualifier: aws.String("DEFAULT"), RuntimeSessionId: &session, Payload: body,
		ContentType: aws.String("application/json"), Accept: aws.String("text/event-stream, application/json"),
	})
	if err != nil {
		return told(err)
	}
	defer out.Response.Close() //nolint:errcheck // read only
	if kind, _, _ := mime.ParseMediaType(aws.ToString(out.ContentType)); kind == "text/event-stream" {
		err = events(out.Response, reply)
	} else {
		err = whole(out.Response, reply)
	}
	if err == nil {
		reply.End(call.Stop)
	}
	return err
}

// newSession is an id of a session; AgentCore wants 33 characters.
func newSession() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return "sparkwright-" + hex.EncodeToString(random[:])
}

// maxWhole bounds an answer in one piece: JSON may double what it holds, more
// than once.
const maxWhole = 4 * call.MaxReply

// whole takes an answer in one piece, out of however many JSON texts it is
// wrapped in.
func whole(body io.Reader, reply *call.Reply) error {
	text, err := io.ReadAll(io.LimitReader(body, maxWhole+1))
	if err != nil {
		return err
	}
	if len(text) > maxWhole {
		return call.ErrTooLarge
	}
	for {
		var inner, deeper string
		if json.Unmarshal(text, &inner) != nil || json.Unmarshal([]byte(inner), &deeper) != nil {
			return piece(text, reply)
		}
		text = []byte(inner)
	}
}

// events takes the pieces of an event stream.
func events(body io.Reader, reply *call.Reply) error {
	lines := bufio.NewReader(body)
	var data []byte
	for {
		line, err := limitedLine(lines)
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if rest, is := strings.CutPrefix(text, "data:"); is {
			data = append(data, strings.TrimPrefix(rest, " ")...)
		}
		if (text == "" || last) && len(data) > 0 {
			if pieceErr := piece(data, reply); pieceErr != nil {
				return pieceErr
			}
			data = data[:0]
		}
		if len(data) > maxWhole {
			return call.ErrTooLarge
		}
		if last {
			return nil
		}
	}
}

// limitedLine reads a line, and none that is larger than any answer.
func limitedLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > maxWhole {
			return nil, call.ErrTooLarge
		}
	}
}

// piece takes what an agent says at once: text, a JSON text, or an object with
// data, or with the error that ended it.
func piece(text []byte, reply *call.Reply) error {
	if len(text) == 0 || text[0] != '{' && text[0] != '"' {
		return reply.Text(string(text))
	}
	if text[0] == '"' {
		var inner string
		if err := json.Unmarshal(text, &inner); err != nil {
			return err
		}
		return reply.Text(inner)
	}
	var object struct {
		Data  *string `json:"data"`
		Error *string `json:"error"`
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return err
	}
	switch {
	case object.Error != nil:
		return &call.StreamError{Message: *object.Error}
	case object.Data != nil:
		return reply.Text(*object.Data)
	default:
		return nil // an event of another kind
	}
}

// told takes the errors of a request apart.
func told(err error) error {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || response.HTTPStatusCode() < http.StatusMultipleChoices {
		if awscloud.Classify(err) == awscloud.Credentials {
			return &call.StatusError{Status: http.StatusUnauthorized, Message: err.Error()}
		}
		return err
	}
	answer := &call.StatusError{Status: response.HTTPStatusCode(), RetryAfter: response.Response.Header.Get("Retry-After")}
	if api, is := errors.AsType[smithy.APIError](err); is {
		answer.Message = api.ErrorCode() + ": " + api.ErrorMessage()
	}
	if answer.Status == http.StatusFailedDependency { // RuntimeClientError: the agent failed, not the request
		answer.Status = http.StatusBadGateway
	}
	return answer
}
