package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// errBroken marks a transfer that ended early and may be continued.
var errBroken = errors.New("transfer broken off")

// statusError is an answer of the server other than the file.
type statusError struct{ code int }

func (e *statusError) Error() string { return "HTTP status " + strconv.Itoa(e.code) }

// transient tells whether the same request may work soon.
func (e *statusError) transient() bool {
	return e.code == http.StatusTooManyRequests || e.code >= http.StatusInternalServerError
}

// transfer fills the part file to its end, continuing after every break as
// long as new bytes arrive.
func (d *download) transfer(ctx context.Context) error {
	f, err := os.OpenFile(d.part, os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // downloads are not secret
	if err != nil {
		return diskError(d.Options, err)
	}
	defer func() { _ = f.Close() }()
	for stalls := 0; ; {
		before, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return diskError(d.Options, err)
		}
		err = d.request(ctx, f, before)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return cancelled(d.Options, ctx.Err())
		}
		status, isStatus := errors.AsType[*statusError](err)
		if !errors.Is(err, errBroken) && (!isStatus || !status.transient()) {
			return d.explain(err)
		}
		stalls++
		if after, serr := f.Seek(0, io.SeekEnd); serr == nil && after > before {
			stalls = 1
		}
		if stalls >= maxStalls {
			return d.explain(err)
		}
		if !wait(ctx, firstBackoff<<(stalls-1)) {
			return cancelled(d.Options, ctx.Err())
		}
	}
}

// request asks for what is missing after the first have bytes and appends it
// to f, which holds those.
func (d *download) request(ctx context.Context, f *os.File, have int64) error {
	offset := have
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.URL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "sparkwright")
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := d.Client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()

	total := resp.ContentLength
	switch resp.StatusCode {
	case http.StatusOK:
		offset = 0
	case http.StatusPartialContent:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", offset)) {
			return d.startOver(f, "the server sent another range")
		}
		if total >= 0 {
			total += offset
		}
	case http.StatusRequestedRangeNotSatisfiable:
		if offset > 0 && resp.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", offset) {
			return nil // all of it is there already
		}
		return d.startOver(f, "what has arrived is longer than the file")
	default:
		return &statusError{resp.StatusCode}
	}
	if offset != have {
		if err := f.Truncate(offset); err != nil {
			return &writeError{err}
		}
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return &writeError{err}
	}
	return d.receive(cancel, f, resp.Body, offset, total)
}

// startOver drops what has arrived; the next request asks for all of it.
func (d *download) startOver(f *os.File, why string) error {
	if err := f.Truncate(0); err != nil {
		return &writeError{err}
	}
	return fmt.Errorf("%w: %s", errBroken, why)
}

// receive copies the body to f. A body that stays silent for stallLimit is
// broken off through cancel.
func (d *download) receive(cancel context.CancelFunc, f io.Writer, body io.Reader, done, total int64) error {
	stall := time.AfterFunc(stallLimit, cancel)
	defer stall.Stop()
	d.report(done, total)
	buf := make([]byte, 256<<10)
	for {
		n, err := body.Read(buf)
		stall.Reset(stallLimit)
		if n > 0 {
			if _, werr := f.Write(buf[:n]); werr != nil {
				return &writeError{werr}
			}
			done += int64(n)
			d.report(done, total)
		}
		switch {
		case err == nil:
		case errors.Is(err, io.EOF) && (total < 0 || done >= total):
			return nil
		default:
			return fmt.Errorf("%w after %d bytes: %w", errBroken, done, err)
		}
	}
}

func (d *download) report(done, total int64) {
	if d.Progress != nil {
		d.Progress(done, total)
	}
}

// wait waits, or returns false when ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
