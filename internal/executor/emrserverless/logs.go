package emrserverless

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
)

const (
	maxLog    = 4 << 20 // what is told of one job's output
	maxRecent = 8 << 10 // what a fault carries of it
	logEvery  = 5 * time.Second
	maxPages  = 20 // of one stream in one look
)

// tail tells what the driver has printed since the last look: from CloudWatch,
// and from S3 for a job that has nothing there. A log that cannot be read
// never fails an attempt.
func (e *Executor) tail(ctx context.Context, d *data, t *told, final bool, sink sparkwright.Sink) {
	t.mu.Lock()
	soon := time.Since(t.read) < logEvery
	if final || !soon {
		t.read = time.Now()
	}
	t.mu.Unlock()
	if soon && !final {
		return
	}
	t.reading.Lock()
	defer t.reading.Unlock()
	fresh, err := e.cloudwatch(ctx, d, t, sink)
	if err == nil && (fresh || len(t.streams) > 0) {
		return
	}
	if s3err := e.s3logs(ctx, d, t, sink); s3err != nil && final {
		e.cfg.Log.WarnContext(ctx, "driver log not read", "job", d.Job, "error", s3err, "cloudwatch_error", err)
	}
}

// jobPath is how EMR Serverless names a job's logs in both places.
func jobPath(d *data) string { return "applications/" + d.Application + "/jobs/" + d.Job + "/" }

// driverStream tells the stream of a log by its name, which may lie below a
// directory of an attempt; ok is false for the logs of executors.
func driverStream(name string) (stream string, ok bool) {
	if !strings.Contains(name, "SPARK_DRIVER") {
		return "", false
	}
	base := strings.ToLower(name[strings.LastIndexByte(name, '/')+1:])
	switch {
	case strings.HasPrefix(base, "stdout"):
		return "stdout", true
	case strings.HasPrefix(base, "stderr"):
		return "stderr", true
	default:
		return "", false
	}
}

// cloudwatch reads every driver stream of the job from where the last look
// ended. fresh tells whether there was anything.
func (e *Executor) cloudwatch(ctx context.Context, d *data, t *told, sink sparkwright.Sink) (fresh bool, err error) {
	if e.cfg.LogGroup == "" {
		return false, nil
	}
	out, err := e.logs.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: &e.cfg.LogGroup, LogStreamNamePrefix: aws.String(jobPath(d)),
	})
	if err != nil {
		return false, err
	}
	for i := range out.LogStreams {
		name := text(out.LogStreams[i].LogStreamName)
		stream, ok := driverStream(name)
		if !ok {
			continue
		}
		for range maxPages {
			in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: &e.cfg.LogGroup, LogStreamName: &name, StartFromHead: aws.Bool(true)}
			if token := t.streams[name]; token != "" {
				in.NextToken = &token
			}
			page, err := e.logs.GetLogEvents(ctx, in)
			if err != nil {
				return fresh, err
			}
			for _, ev := range page.Events {
				fresh = true
				t.tell(sink, stream, text(ev.Message)+"\n")
			}
			next := text(page.NextForwardToken)
			end := next == "" || next == t.streams[name]
			if next != "" && (len(page.Events) > 0 || t.streams[name] != "") {
				t.streams[name] = next
			}
			if end || len(page.Events) == 0 {
				break
			}
		}
	}
	return fresh, nil
}

// s3logs reads the driver's logs as EMR Serverless has put them into S3 so
// far. An object that grew is read from where the last look ended.
func (e *Executor) s3logs(ctx context.Context, d *data, t *told, sink sparkwright.Sink) error {
	pages := s3.NewListObjectsV2Paginator(e.s3, &s3.ListObjectsV2Input{Bucket: &e.cfg.Bucket, Prefix: aws.String(logPrefix + jobPath(d))})
	var keys []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for i := range page.Contents {
			if _, ok := driverStream(text(page.Contents[i].Key)); ok {
				keys = append(keys, text(page.Contents[i].Key))
			}
		}
	}
	slices.Sort(keys)
	var errs error
	for _, key := range keys {
		errs = errors.Join(errs, e.s3log(ctx, key, t, sink))
	}
	return errs
}

func (e *Executor) s3log(ctx context.Context, key string, t *told, sink sparkwright.Sink) error {
	out, err := e.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &e.cfg.Bucket, Key: &key})
	if err != nil {
		return err
	}
	defer out.Body.Close() //nolint:errcheck // read only
	var r io.Reader = out.Body
	if strings.HasSuffix(key, ".gz") {
		if r, err = gzip.NewReader(out.Body); err != nil {
			return err // not yet a whole header
		}
	}
	stream, _ := driverStream(key)
	if _, err = io.CopyN(io.Discard, r, t.offsets[key]); err != nil {
		return partial(err)
	}
	buf := make([]byte, 32<<10)
	for t.room() {
		n, err := r.Read(buf)
		if n > 0 {
			t.offsets[key] += int64(n)
			t.tell(sink, stream, string(buf[:n]))
		}
		if err != nil {
			return partial(err)
		}
	}
	return nil
}

// partial forgives a log that is still being written.
func partial(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// tell hands on a piece of output, within the bound of one job's.
func (t *told) tell(sink sparkwright.Sink, stream, piece string) {
	piece = strings.ToValidUTF8(piece, "\uFFFD")
	t.mu.Lock()
	room := t.bytes < maxLog
	t.bytes += len(piece)
	t.end += piece
	t.end = t.end[max(0, len(t.end)-maxRecent):]
	t.mu.Unlock()
	if room {
		sink.Log(stream, piece)
	}
}

func (t *told) room() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bytes < maxLog
}
