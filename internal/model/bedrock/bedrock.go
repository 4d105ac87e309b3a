// Package bedrock talks to a text model on Amazon Bedrock by ConverseStream, or
// by Converse where a model cannot stream. What holds for every call is told in
// package call.
package bedrock

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
	"github.com/sparkwright/sparkwright/internal/model/call"
)

// Config is how to reach a model.
type Config struct {
	AWS     aws.Config // with the region of the model
	Model   string     // a model id, an inference profile, or the ARN of one
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
	name string
	call *call.Caller
	// client makes a client for one call: the streams of one client decode into
	// the same buffer (smithy-go 1.28.9, eventstream.Codec), so that two replies
	// at once would mix.
	client func() *bedrockruntime.Client
}

var _ sparkwright.Model = (*Model)(nil)

// New checks the configuration. It does not reach out to AWS.
func New(config Config) (*Model, error) {
	if config.Model == "" {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the id of the model is missing (model.name or global.bedrock_model)")
	}
	if config.AWS.Region == "" {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the region of the model on Bedrock is not known", Remedy: "set global.bedrock_region",
		}
	}
	if config.Transport == nil {
		config.Transport = Transport(config.AWS)
	}
	credentials := awscloud.Remember(config.AWS.Credentials)
	caller := call.New(call.Config{
		Limits: call.Limits{Timeout: config.Timeout, Idle: config.Idle}, Model: config.Model, Server: "Amazon Bedrock in " + config.AWS.Region,
		Media: []string{"application/vnd.amazon.eventstream", "application/json"},
		Tell: call.Tell{
			Key:     "the AWS credentials",
			Login:   "check the AWS credentials; they need bedrock:InvokeModelWithResponseStream and bedrock:InvokeModel on " + config.Model + ", and the account access to the model",
			Model:   "check model.name or global.bedrock_model, and global.bedrock_region; newer models want an inference profile (us.…, eu.…)",
			Address: "check global.bedrock_region and the network; a VPC without internet needs an endpoint for bedrock-runtime",
		},
		Secrets: credentials.Secrets, Transport: config.Transport, Wait: config.Wait,
	})
	client := func() *bedrockruntime.Client {
		return bedrockruntime.NewFromConfig(config.AWS, func(o *bedrockruntime.Options) {
			o.HTTPClient, o.Retryer, o.Credentials = caller.HTTPClient(), aws.NopRetryer{}, credentials
		})
	}
	return &Model{name: config.Model, call: caller, client: client}, nil
}

// Transport is the transport of the configuration's client, with its
// authorities and proxy, for replies that may begin late; nil when the client
// is not the SDK's own.
func Transport(cfg aws.Config) http.RoundTripper {
	client, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		return nil
	}
	t := client.GetTransport()
	t.ResponseHeaderTimeout = 0
	return t
}

// Name is "bedrock:" and the model's id.
func (m *Model) Name() string { return "bedrock:" + m.name }

// Complete implements sparkwright.Model.
func (m *Model) Complete(ctx context.Context, req sparkwright.ModelRequest, onText func(string)) (*sparkwright.ModelReply, error) {
	return m.call.Complete(ctx, onText, func(ctx context.Context, reply *call.Reply) error {
		err := m.stream(ctx, req, reply)
		if cannotStream(err) {
			err = m.whole(ctx, req, reply)
		}
		return err
	})
}

func conversation(req sparkwright.ModelRequest) ([]types.SystemContentBlock, []types.Message, *types.InferenceConfiguration) {
	var limits *types.InferenceConfiguration
	if req.MaxTokens > 0 {
		limits = &types.InferenceConfiguration{MaxTokens: aws.Int32(int32(min(req.MaxTokens, 1<<30)))}
	}
	return []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: req.System}},
		[]types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: req.User}}}}, limits
}

func (m *Model) stream(ctx context.Context, req sparkwright.ModelRequest, reply *call.Reply) error {
	system, messages, limits := conversation(req)
	out, err := m.client().ConverseStream(ctx, &bedrockruntime.ConverseStreamInput{
		ModelId: &m.name, System: system, Messages: messages, InferenceConfig: limits,
	})
	if err != nil {
		return told(err)
	}
	stream := out.GetStream()
	defer func() { _ = stream.Close() }()
	for event := range stream.Events() {
		switch event := event.(type) {
		case *types.ConverseStreamOutputMemberContentBlockDelta:
			if text, ok := event.Value.Delta.(*types.ContentBlockDeltaMemberText); ok { // thoughts and tools are of other kinds
				if err = reply.Text(text.Value); err != nil {
					return err
				}
			}
		case *types.ConverseStreamOutputMemberMessageStop:
			reply.End(reason(event.Value.StopReason))
		case *types.ConverseStreamOutputMemberMetadata:
			count(reply, event.Value.Usage)
		}
	}
	return inStream(stream.Err())
}

// whole asks for the reply in one piece.
func (m *Model) whole(ctx context.Context, req sparkwright.ModelRequest, reply *call.Reply) error {
	system, messages, limits := conversation(req)
	out, err := m.client().Converse(ctx, &bedrockruntime.ConverseInput{
		ModelId: &m.name, System: system, Messages: messages, InferenceConfig: limits,
	})
	if err != nil {
		return told(err)
	}
	count(reply, out.Usage)
	if message, ok := out.Output.(*types.ConverseOutputMemberMessage); ok {
		for _, block := range message.Value.Content {
			if text, isText := block.(*types.ContentBlockMemberText); isText {
				if err = reply.Text(text.Value); err != nil {
					return err
				}
			}
		}
	}
	reply.End(reason(out.StopReason))
	return nil
}

func count(reply *call.Reply, u *types.TokenUsage) {
	if u != nil {
		in := int64(aws.ToInt32(u.InputTokens)) + int64(aws.ToInt32(u.CacheReadInputTokens)) + int64(aws.ToInt32(u.CacheWriteInputTokens))
		reply.Count(in, int64(aws.ToInt32(u.OutputTokens)))
	}
}

func reason(stop types.StopReason) call.Reason {
	switch stop {
	case types.StopReasonMaxTokens, types.StopReasonModelContextWindowExceeded:
		return call.Length
	case types.StopReasonGuardrailIntervened, types.StopReasonContentFiltered:
		return call.Filtered
	case "refusal": // of Claude; the SDK has no name for it
		return call.Refused
	default:
		return call.Stop
	}
}

// cannotStream reports whether the model answers in one piece only.
func cannotStream(err error) bool {
	answer, ok := errors.AsType[*call.StatusError](err)
	return ok && answer.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(answer.Message), "streaming")
}

// told takes the errors of a request apart.
func told(err error) error {
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || response.HTTPStatusCode() == 0 {
		if awscloud.Classify(err) == awscloud.Credentials {
			return &call.StatusError{Status: http.StatusUnauthorized, Message: err.Error()}
		}
		return err
	}
	status := response.HTTPStatusCode()
	if status < http.StatusMultipleChoices {
		return err
	}
	answer := &call.StatusError{Status: status, Message: message(err), RetryAfter: response.Response.Header.Get("Retry-After")}
	if status == http.StatusFailedDependency { // ModelErrorException: the model failed, not the request
		answer.Status = http.StatusBadGateway
	}
	return answer
}

// inStream takes the errors in the middle of a reply apart: exceptions are
// events.
func inStream(err error) error {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return &call.StreamError{Message: api.ErrorCode() + ": " + api.ErrorMessage()}
	}
	return err
}

func message(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return ""
}
