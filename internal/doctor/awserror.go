package doctor

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/aws/smithy-go"
)

// because says in one sentence what an AWS call failed with.
func because(err error) string {
	var (
		api    smithy.APIError
		netErr net.Error
	)
	switch {
	case errors.As(err, &api):
		return strings.TrimSpace(api.ErrorCode() + ": " + api.ErrorMessage())
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &netErr) && netErr.Timeout():
		return "it did not answer in time"
	case errors.As(err, &netErr):
		return "it cannot be reached: " + netErr.Error()
	default:
		text := err.Error()
		return text[strings.LastIndex(text, ": ")+1:]
	}
}

// apiCode is the error code of AWS, or "".
func apiCode(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

// denied reports whether the caller's own rights are what is missing.
func denied(err error) bool {
	code := apiCode(err)
	return strings.Contains(code, "AccessDenied") || code == "UnauthorizedOperation" || code == "Forbidden"
}

// blind is the finding of a check that may not look.
func blind(err error, action string) Finding {
	if !denied(err) {
		return warn("not checked", because(err))
	}
	return warn("not checked: "+action+" is not allowed here", because(err), iamPolicy(document([]string{action}, []string{"*"})))
}
