package sparkwright

import (
	"errors"
	"fmt"
)

// Code classifies an Error. One table maps codes to exit codes
// (cmd/sparkwright) and one to HTTP statuses (internal/server).
type Code string

// The error codes.
const (
	CodeInvalid      Code = "invalid"      // the caller's input is wrong
	CodeNotFound     Code = "not_found"    // a named thing does not exist
	CodeConflict     Code = "conflict"     // the thing is in another state than needed
	CodeUnauthorized Code = "unauthorized" // credentials missing, wrong, or not allowed
	CodeUnavailable  Code = "unavailable"  // a service that is needed does not answer
	CodeBusy         Code = "busy"         // too much is under way; later it may work
	CodeResource     Code = "resource"     // disk, memory or a limit is exhausted
	CodeLimited      Code = "limited"      // larger than a limit allows; with less it works
	CodeMissing      Code = "missing"      // a program needed on this machine is not there
	CodeCancelled    Code = "cancelled"    // the user cancelled
	CodeTimeout      Code = "timeout"      // a time limit passed
	CodeJobFailed    Code = "job_failed"   // the job ran and failed
	CodeDeclined     Code = "declined"     // the question was declined
	CodeInternal     Code = "internal"     // anything else; a defect of ours
)

// Known reports whether c is one of the codes.
func (c Code) Known() bool {
	switch c {
	case CodeInvalid, CodeNotFound, CodeConflict, CodeUnauthorized, CodeUnavailable, CodeBusy, CodeResource, CodeLimited, CodeMissing,
		CodeCancelled, CodeTimeout, CodeJobFailed, CodeDeclined, CodeInternal:
		return true
	default:
		return false
	}
}

// Error is what every package returns to a caller that must tell a person
// what happened, why, and what to do next.
type Error struct {
	Code    Code
	Message string // what happened, one sentence, no secrets
	Because string // the cause, when known
	Remedy  string // what to do next, when known
	Err     error  // the wrapped error, for logs; never shown to users
}

// Error renders message and cause on one line.
func (e *Error) Error() string {
	if e.Because == "" {
		return e.Message
	}
	return e.Message + ": " + e.Because
}

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of the given code. A %w verb wraps as usual.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// ErrorCode returns the code of the first Error in err's chain:
// "" for nil, CodeInternal when there is none.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
