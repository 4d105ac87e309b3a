package awscloud

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/sparkwright/sparkwright"
)

func setDial(d *net.Dialer) { d.Timeout = dialTimeout }

func sprintf(format string, args []any) string { return fmt.Sprintf(format, args...) }

// Class says what an error of AWS means for the caller.
type Class string

// The classes of errors.
const (
	Credentials Class = "credentials" // none, expired or wrong: waits for a person
	Denied      Class = "denied"      // the identity may not do this
	Throttled   Class = "throttled"   // too much at once, or a quota: try later
	NotFound    Class = "not_found"
	Conflict    Class = "conflict"    // another state than needed
	Invalid     Class = "invalid"     // the request is refused as it is
	Unavailable Class = "unavailable" // no answer, or a fault of the service
	Cancelled   Class = "cancelled"   // the caller has gone
	Other       Class = "other"       // not an error of an AWS call
)

var codes = map[Class][]string{
	Credentials: {
		"ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException",
		"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken",
		"AuthFailure", "InvalidToken", "TokenRefreshRequired", "RequestTimeTooSkewed",
	},
	Denied: {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "NotAuthorized"},
	Throttled: {
		"Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown",
		"ServiceQuotaExceededException", "LimitExceededException", "RequestThrottled", "RequestThrottledException", "EC2ThrottledException",
	},
	NotFound: {
		"ResourceNotFoundException", "NoSuchKey", "NoSuchBucket", "NotFound", "EntityNotFoundException", "NoSuchEntity",
	},
	Conflict: {"ConflictException", "ResourceConflictException", "OperationAbortedException", "PreconditionFailed"},
	Invalid:  {"ValidationException", "InvalidInputException", "InvalidParameterException", "InvalidRequestException", "InvalidRequest"},
}

// Classify says what err means. "" for nil.
func Classify(err error) Class {
	var (
		api    smithy.APIError
		status interface{ HTTPStatusCode() int }
		netErr net.Error
		call   *smithy.OperationError
	)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return Cancelled
	case errors.As(err, &api):
		for class, names := range codes {
			if slices.Contains(names, api.ErrorCode()) {
				return class
			}
		}
		if errors.As(err, &status) {
			return byStatus(status.HTTPStatusCode())
		}
		return Unavailable
	case noCredentials(err):
		return Credentials
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr):
		return Unavailable
	case errors.As(err, &status) && status.HTTPStatusCode() != 0: // an answer that is not the service's
		return byStatus(status.HTTPStatusCode())
	case errors.As(err, &call): // it did not come to an answer
		return Unavailable
	default:
		return Other
	}
}

func byStatus(status int) Class {
	switch {
	case status == 401:
		return Credentials
	case status == 402, status == 429:
		return Throttled
	case status == 403:
		return Denied
	case status == 404:
		return NotFound
	case status == 409, status == 412:
		return Conflict
	case status >= 400 && status < 500:
		return Invalid
	default:
		return Unavailable
	}
}

// noCredentials recognises the SDK's error for a chain that found nothing, or
// could not renew what it had: it comes from signing, before anything is sent.
func noCredentials(err error) bool {
	_, ok := errors.AsType[*smithy.OperationError](err)
	return ok && strings.Contains(err.Error(), "get credentials")
}

// Passing reports whether the same call may succeed later without anybody
// changing the request: credentials come back, throttling ends, services
// recover. Work that waits for it has not failed.
func Passing(err error) bool {
	switch Classify(err) {
	case Credentials, Throttled, Unavailable:
		return true
	default:
		return false
	}
}

// Error says for people what failed. what is a clause: "the job cannot be
// started". AWS's own words are kept as the reason; they hold no secrets.
func Error(what string, err error) error {
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*sparkwright.Error](err); ok {
		return own
	}
	e := &sparkwright.Error{Message: what, Because: reason(err), Err: err}
	switch Classify(err) {
	case Cancelled:
		e.Code = sparkwright.CodeCancelled
	case Credentials:
		e.Code, e.Remedy = sparkwright.CodeUnauthorized, "log in to AWS again (aws sso login), or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
	case Denied:
		e.Code, e.Remedy = sparkwright.CodeUnauthorized, "allow the action to the AWS identity in use"
	case Throttled:
		e.Code, e.Remedy = sparkwright.CodeResource, "it is tried again; ask for a higher quota when it stays"
	case NotFound:
		e.Code, e.Remedy = sparkwright.CodeNotFound, "check the name, the account and the region"
	case Conflict:
		e.Code = sparkwright.CodeConflict
	case Invalid:
		e.Code = sparkwright.CodeInvalid
	default:
		e.Code, e.Remedy = sparkwright.CodeUnavailable, "check the network, the proxy and AWS_ENDPOINT_URL; inside a VPC the service needs an endpoint"
	}
	return e
}

// reason is AWS's code and message, without request ids and retry counts.
func reason(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "it did not answer in time"
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err.Error()
		}
		err = next
	}
}
