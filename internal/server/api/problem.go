package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

const problemType = "application/problem+json"

// Problem is an RFC 9457 problem document.
type Problem struct { //nolint:errname // its name in the standard
	Type      string           `json:"type" doc:"urn:sparkwright:problem: and the code"`
	Title     string           `json:"title" doc:"What happened, one sentence"`
	Status    int              `json:"status" doc:"The HTTP status"`
	Detail    string           `json:"detail,omitempty" doc:"What happened and why, on one line"`
	Code      sparkwright.Code `json:"code" doc:"The kind of error, for programs"`
	Cause     string           `json:"cause,omitempty" doc:"Why, when it is known"`
	Remedy    string           `json:"remedy,omitempty" doc:"What to do next, when it is known"`
	RequestID string           `json:"request_id,omitempty" doc:"The request's id, as in the server's log"`
	Errors    []Invalid        `json:"errors,omitempty" doc:"What of the request does not fit"`

	retryAfter time.Duration
}

// Invalid is one part of a request that does not fit.
type Invalid struct {
	Location string `json:"location" doc:"body.question, query.limit, path.id …"`
	Message  string `json:"message"`
}

var (
	_ huma.StatusError       = (*Problem)(nil)
	_ huma.HeadersError      = (*Problem)(nil)
	_ huma.ContentTypeFilter = (*Problem)(nil)
)

// Error implements error.
func (p *Problem) Error() string { return p.Title }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int(p.retryAfter.Seconds()))))
	}
	return h
}

// statusOf is the one table from error codes to HTTP statuses. Requests
// that do not fit their schema are 422, and 401 is kept for logins to this server: a database that refuses a
// login is 403.
func statusOf(code sparkwright.Code) int {
	statuses := map[sparkwright.Code]int{
		sparkwright.CodeInvalid: http.StatusBadRequest, sparkwright.CodeUnauthorized: http.StatusForbidden,
		sparkwright.CodeNotFound: http.StatusNotFound, sparkwright.CodeConflict: http.StatusConflict,
		sparkwright.CodeCancelled: http.StatusConflict, sparkwright.CodeDeclined: http.StatusUnprocessableEntity,
		sparkwright.CodeLimited: http.StatusRequestEntityTooLarge, sparkwright.CodeBusy: http.StatusTooManyRequests, sparkwright.CodeJobFailed: http.StatusInternalServerError,
		sparkwright.CodeInternal: http.StatusInternalServerError, sparkwright.CodeUnavailable: http.StatusServiceUnavailable,
		sparkwright.CodeMissing: http.StatusServiceUnavailable, sparkwright.CodeTimeout: http.StatusGatewayTimeout,
		sparkwright.CodeResource: http.StatusInsufficientStorage,
	}
	if status, ok := statuses[code]; ok {
		return status
	}
	return http.StatusInternalServerError
}

// refusal is a problem of the edge itself.
func refusal(status int, code sparkwright.Code, title, remedy string) *Problem {
	return &Problem{
		Type: "urn:sparkwright:problem:" + string(code), Title: title, Status: status, Detail: title, Code: code, Remedy: remedy,
	}
}

// problemOf turns any error into what a client may see. What is not meant for
// people is logged and answered as internal.
func problemOf(ctx context.Context, log *slog.Logger, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		p.RequestID = telemetry.RequestID(ctx)
		return p
	}
	e, ok := errors.AsType[*sparkwright.Error](err)
	if !ok {
		log.ErrorContext(ctx, "request failed", "error", err)
		e = &sparkwright.Error{Code: sparkwright.CodeInternal, Message: "an internal error", Remedy: "see the server's log, and please report it with the request's id"}
	}
	p := refusal(statusOf(e.Code), e.Code, e.Message, e.Remedy)
	p.Detail, p.Cause, p.RequestID = e.Error(), e.Because, telemetry.RequestID(ctx)
	switch p.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		p.retryAfter = 5 * time.Second
	case http.StatusInternalServerError:
		log.ErrorContext(ctx, "request failed", "code", e.Code, "error", e.Err)
	}
	return p
}

// problemOfHuma gives the errors of the framework (a body that does not fit
// its schema) our form. Values are not echoed: they may be secret.
func problemOfHuma(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	code := sparkwright.CodeInvalid
	if m.Status >= http.StatusInternalServerError {
		code = sparkwright.CodeInternal
	}
	p := refusal(m.Status, code, "the request does not fit: "+m.Detail, "see "+Prefix+"/openapi.json")
	if m.Status == http.StatusRequestEntityTooLarge {
		p = tooLarge("the request", 0)
	}
	for _, d := range m.Errors {
		if d != nil {
			p.Errors = append(p.Errors, Invalid{Location: d.Location, Message: d.Message})
		}
	}
	p.RequestID = telemetry.RequestID(ctx.Context())
	return p, nil
}

// writeProblem answers outside the framework.
func (a *API) writeProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	p.RequestID = telemetry.RequestID(r.Context())
	maps.Copy(w.Header(), p.GetHeaders())
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // the client may have left
}

// schemaOf registers a type and refers to it.
func schemaOf[T any](a *API) *huma.Schema {
	t := reflect.TypeFor[T]()
	return a.huma.OpenAPI().Components.Schemas.Schema(t, true, t.Name())
}
