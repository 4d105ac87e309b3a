// Package fetch downloads one file of a known SHA-256 to a known place. A
// download that was broken off is continued where it ended, a file is only
// ever visible under its name when it is whole and verified, and several
// processes may ask for the same file at once: one downloads, the others wait.
package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/sparkwright/sparkwright"
)

// Options says what to download and where to.
type Options struct {
	URL    string
	Dest   string // file to create; its directory is made when missing
	SHA256 string // hex digits
	// Client sends the requests; nil is a client with the environment's proxy
	// settings and time limits for connecting and for the first answer.
	Client *http.Client
	// Progress is called as bytes arrive with what is there and what there will
	// be, in bytes; total is -1 when the server does not tell. May be nil.
	Progress func(done, total int64)
}

const (
	lockPoll      = 200 * time.Millisecond
	maxStalls     = 4           // failures in a row without one new byte
	stallLimit    = time.Minute // silence after which a transfer counts as broken
	firstBackoff  = 250 * time.Millisecond
	connectLimit  = 20 * time.Second // connecting, and TLS
	answerLimit   = 60 * time.Second // from request to response header
	cleanAttempts = 2                // whole downloads before a wrong checksum is final
)

var hexDigest = regexp.MustCompile(`^[0-9a-f]{64}$`)

// File makes o.Dest hold the file at o.URL whose SHA-256 is o.SHA256. It
// returns at once when that is so already. What has arrived when it fails or
// ctx ends is kept beside Dest (".part") and used by the next call.
//
// Errors are *sparkwright.Error: CodeInvalid (options), CodeUnavailable (no
// network, refused, not there, wrong content), CodeResource (disk full or not
// writable), CodeCancelled.
func File(ctx context.Context, o Options) error {
	o.SHA256 = strings.ToLower(o.SHA256)
	if err := o.validate(); err != nil {
		return err
	}
	if sum, err := fileSum(o.Dest); err == nil && sum == o.SHA256 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(o.Dest), 0o755); err != nil { //nolint:gosec // downloads are not secret
		return diskError(o, err)
	}
	lock := flock.New(o.Dest + ".lock")
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		if ctx.Err() != nil {
			return cancelled(o, ctx.Err())
		}
		return diskError(o, err)
	}
	defer func() { _ = lock.Close() }()
	if sum, err := fileSum(o.Dest); err == nil && sum == o.SHA256 {
		return nil // another process was faster
	}
	d := &download{Options: o, part: o.Dest + ".part"}
	if d.Client == nil {
		d.Client = newClient()
		defer d.Client.CloseIdleConnections()
	}
	return d.run(ctx)
}

func (o Options) validate() error {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return &sparkwright.Error{
			Code:    sparkwright.CodeInvalid,
			Message: "cannot download from " + safeURL(o.URL),
			Because: "it is not an http or https URL",
			Remedy:  "correct the repository URL in the settings",
		}
	}
	if o.Dest == "" || !hexDigest.MatchString(o.SHA256) {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "download of %s needs a destination and a SHA-256", safeURL(o.URL))
	}
	return nil
}

// newClient is an HTTP client that gives up on a server that does not answer,
// but not on a long transfer.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectLimit}).DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   connectLimit,
		ResponseHeaderTimeout: answerLimit,
		MaxIdleConnsPerHost:   1,
	}}
}

// download is one call of File that holds the lock.
type download struct {
	Options
	part string
}

// run downloads, verifies and moves the file into place.
func (d *download) run(ctx context.Context) error {
	sum := ""
	for range cleanAttempts {
		if err := d.transfer(ctx); err != nil {
			return err
		}
		var err error
		if sum, err = fileSum(d.part); err != nil {
			return diskError(d.Options, err)
		}
		if sum == d.SHA256 {
			return d.publish()
		}
		if err := os.Remove(d.part); err != nil {
			return diskError(d.Options, err)
		}
	}
	return &sparkwright.Error{
		Code:    sparkwright.CodeUnavailable,
		Message: "the download of " + safeURL(d.URL) + " is not the expected file",
		Because: "its SHA-256 is " + sum + ", expected " + d.SHA256,
		Remedy:  "try again later or from another network; a proxy or a mirror that changes the file must be repaired or left out",
	}
}

// publish gives the verified part its name, so that it survives a power cut.
func (d *download) publish() error {
	f, err := os.OpenFile(d.part, os.O_RDWR, 0)
	if err != nil {
		return diskError(d.Options, err)
	}
	err = errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(d.part, d.Dest)
	}
	if err != nil {
		return diskError(d.Options, err)
	}
	if dir, err := os.Open(filepath.Dir(d.Dest)); err == nil {
		_ = dir.Sync() // not every file system can; the rename is done all the same
		_ = dir.Close()
	}
	return nil
}

// fileSum returns the SHA-256 of a file in hex digits.
func fileSum(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the caller's own destination
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
