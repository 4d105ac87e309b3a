package fetch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"syscall"

	"github.com/sparkwright/sparkwright"
)

// writeError is a failure of the disk in the middle of a transfer.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

// explain turns a failed transfer into an error for people.
func (d *download) explain(err error) error {
	if fault, ok := errors.AsType[*writeError](err); ok {
		return diskError(d.Options, fault.err)
	}
	out := &sparkwright.Error{
		Code:    sparkwright.CodeUnavailable,
		Message: "cannot download " + safeURL(d.URL),
		Remedy:  "check the network, the proxy settings (HTTPS_PROXY) and the repository URL, then try again; what has arrived is kept",
		Err:     err,
	}
	status, isStatus := errors.AsType[*statusError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	switch {
	case isStatus && (status.code == http.StatusNotFound || status.code == http.StatusGone):
		out.Because = fmt.Sprintf("the server does not have it (HTTP %d)", status.code)
		out.Remedy = "check the repository URL; a mirror must hold this very file"
	case isStatus && (status.code == http.StatusUnauthorized || status.code == http.StatusForbidden || status.code == http.StatusProxyAuthRequired):
		out.Because = fmt.Sprintf("the server refuses it (HTTP %d)", status.code)
		out.Remedy = "check the repository URL and the proxy's rules and login"
	case isStatus:
		out.Because = fmt.Sprintf("the server answered %d %s", status.code, http.StatusText(status.code))
	case isDNS:
		out.Because = "the host name " + dns.Name + " cannot be resolved"
	case errors.Is(err, syscall.ECONNREFUSED):
		out.Because = "the connection was refused"
	case errors.Is(err, errBroken):
		out.Because = "the transfer broke off again and again"
	default:
		out.Because = rootCause(err)
	}
	return out
}

// diskError tells that Dest cannot be written.
func diskError(o Options, err error) error {
	dir := filepath.Dir(o.Dest)
	out := &sparkwright.Error{
		Code:    sparkwright.CodeResource,
		Message: "cannot store the download of " + safeURL(o.URL),
		Because: err.Error(),
		Remedy:  "make " + dir + " writable, or choose another directory",
		Err:     err,
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		out.Because = "no space is left in " + dir
		out.Remedy = "free some space there, or choose a directory on another disk; the download then goes on where it ended"
	}
	return out
}

// cancelled tells that ctx ended.
func cancelled(o Options, err error) error {
	code, because := sparkwright.CodeCancelled, "it was cancelled"
	if errors.Is(err, context.DeadlineExceeded) {
		code, because = sparkwright.CodeTimeout, "the time limit passed"
	}
	return &sparkwright.Error{
		Code:    code,
		Message: "the download of " + safeURL(o.URL) + " was interrupted",
		Because: because,
		Remedy:  "run it again; it goes on where it ended",
		Err:     err,
	}
}

// safeURL is a URL without the password that it may hold.
func safeURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the given URL"
	}
	return u.Redacted()
}

// rootCause is the innermost message, without the URL that net/http repeats.
func rootCause(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
