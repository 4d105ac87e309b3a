package emrserverless

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

const (
	defaultGroup = "/aws/emr-serverless"
	maxBatch     = 500      // events of one delivery
	maxEvent     = 64 << 10 // bytes of one event
	maxTail      = 64 << 10 // what is read of a log to name exceptions
)

// delivery brings a job's logs to S3 and CloudWatch while it runs and when it
// has ended. The zero value delivers nothing.
type delivery struct {
	cloud  *Cloud
	dir    string // holds stdout and stderr
	s3     string // s3:// URL of the directory, "" = none
	group  string // "" = no CloudWatch
	stream string // without stdout or stderr
	names  []string
	now    func() time.Time

	mu   sync.Mutex
	sent map[string]int64 // bytes that CloudWatch has
	stop func()
	done chan struct{}
}

// deliver opens the destinations of a job's logs, as its role and its VPC let
// it, and starts to bring logs there.
func (s *Server) deliver(ctx context.Context, j *job, a *surroundings, m *monitoring, reach network, nowhere string) (*delivery, error) {
	d := &delivery{cloud: s.cfg.Cloud, dir: a.task.Dir, sent: map[string]int64{}, now: s.cfg.Now, done: make(chan struct{})}
	path := "applications/" + j.app + "/jobs/" + j.id
	if j.attempt > 1 {
		path += fmt.Sprintf("/attempts/%d", j.attempt)
	}
	path += "/SPARK_DRIVER"
	if m != nil && m.S3 != nil && m.S3.LogURI != "" {
		d.s3 = strings.TrimSuffix(m.S3.LogURI, "/") + "/" + path
		bucket, key, err := splitS3(d.s3)
		if err != nil {
			return nil, fmt.Errorf("Job failed: logUri: %w", err) //nolint:staticcheck // ST1005: the service's text
		}
		if why := a.gate.refusal(call{"s3:PutObject", "arn:aws:s3:::" + bucket + "/" + key + "/stdout.gz"}); why != "" {
			return nil, fmt.Errorf("Job failed: Access denied when writing logs to %s: %s", m.S3.LogURI, why) //nolint:staticcheck // ST1005: the service's text
		}
	}
	if m != nil && m.CloudWatch != nil && m.CloudWatch.Enabled {
		if err := s.openCloudWatch(ctx, d, a.gate, m, path, reach, nowhere); err != nil {
			return nil, err
		}
	}
	loop, stop := context.WithCancel(context.WithoutCancel(ctx))
	d.stop = stop
	s.work.Go(func() { d.loop(loop, s.cfg.Timing.LogFlush) })
	return d, nil
}

func (s *Server) openCloudWatch(ctx context.Context, d *delivery, g *gate, m *monitoring, path string, reach network, nowhere string) error {
	cw := m.CloudWatch
	d.group, d.stream = cw.LogGroupName, path
	if d.group == "" {
		d.group = defaultGroup
	}
	if cw.LogStreamNamePrefix != "" {
		d.stream = strings.TrimSuffix(cw.LogStreamNamePrefix, "/") + "/" + path
	}
	for _, name := range []string{"stdout", "stderr"} {
		if kinds, limited := cw.LogTypes["SPARK_DRIVER"]; len(cw.LogTypes) == 0 || limited && slices.Contains(kinds, strings.ToUpper(name)) {
			d.names = append(d.names, name)
		}
	}
	if !reach.reaches("logs") {
		return s.noLogs(ctx, nowhere)
	}
	on := "arn:aws:logs:" + s.cfg.Region + ":" + s.cfg.Account + ":log-group:" + d.group + ":*"
	for _, action := range []string{"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"} {
		if why := g.refusal(call{action, on}); why != "" {
			return fmt.Errorf("Job failed: AccessDeniedException: User: %s is not authorized to perform: %s on resource: %s because %s", g.caller, action, on, why) //nolint:staticcheck // ST1005: the service's text
		}
	}
	for _, name := range d.names {
		if err := d.cloud.openStream(ctx, d.group, d.stream+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

// noLogs tries to connect from where there is no route, and tells of it as the
// Java SDK does.
func (s *Server) noLogs(ctx context.Context, nowhere string) error {
	dialer := net.Dialer{Timeout: s.cfg.Timing.Connect}
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(nowhere, "http://"))
	if err == nil {
		_ = conn.Close()
		return fmt.Errorf("the address that must not answer has answered")
	}
	host := "logs." + s.cfg.Region + ".amazonaws.com"
	return fmt.Errorf("Job failed, please check complete logs in configured logging destination. Last few exceptions: "+ //nolint:staticcheck // ST1005: the service's text
		"com.amazonaws.SdkClientException: Unable to execute HTTP request: Connect to %s:443 [%s] failed: connect timed out", host, host)
}

// loop delivers until the attempt is over.
func (d *delivery) loop(ctx context.Context, every time.Duration) {
	defer close(d.done)
	for sleep(ctx, every) {
		_ = d.flush(ctx, false) // finish reports what is still wrong in the end
	}
}

// finish delivers what is left.
func (d *delivery) finish(ctx context.Context) error {
	if d.cloud == nil {
		return nil
	}
	d.stop()
	<-d.done
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return d.flush(ctx, true)
}

func (d *delivery) flush(ctx context.Context, last bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range []string{"stdout", "stderr"} {
		text, err := os.ReadFile(filepath.Join(d.dir, name)) //nolint:gosec // G304: below our own directory
		if err != nil {
			return fmt.Errorf("read the job's %s: %w", name, err)
		}
		if d.s3 != "" && (last || len(text) > 0) {
			packed, err := pack(text)
			if err == nil {
				_, err = d.cloud.put(ctx, d.s3+"/"+name+".gz", packed)
			}
			if err != nil {
				return err
			}
		}
		if d.group != "" && slices.Contains(d.names, name) {
			if err := d.lines(ctx, name, text, last); err != nil {
				return err
			}
		}
	}
	return nil
}

// lines brings the whole lines that are new to CloudWatch.
func (d *delivery) lines(ctx context.Context, name string, text []byte, last bool) error {
	text = text[d.sent[name]:]
	if !last {
		text = text[:bytes.LastIndexByte(text, '\n')+1]
	}
	var events []logtypes.InputLogEvent
	at := d.now().UnixMilli()
	for line := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		if len(line) == 0 {
			continue // CloudWatch takes no empty events
		}
		line = line[:min(len(line), maxEvent)]
		events = append(events, logtypes.InputLogEvent{Message: aws.String(strings.ToValidUTF8(string(line), "\uFFFD")), Timestamp: &at})
	}
	for batch := range slices.Chunk(events, maxBatch) {
		if err := d.cloud.putLines(ctx, d.group, d.stream+"/"+name, batch); err != nil {
			return err
		}
	}
	d.sent[name] += int64(len(text))
	return nil
}

func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if _, err := zip.Write(text); err != nil {
		return nil, fmt.Errorf("compress a log: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("compress a log: %w", err)
	}
	return b.Bytes(), nil
}

var exceptionLine = regexp.MustCompile(`(^|\s)([\w$]+\.)*\w*(Exception|Error)\b`)

// lastExceptions are the last lines of the logs that name an exception.
func lastExceptions(paths ...string) string {
	var found []string
	for _, path := range paths {
		text, err := os.ReadFile(path) //nolint:gosec // G304: below our own directory
		if err != nil {
			continue
		}
		var lines []string
		scan := bufio.NewScanner(io.NewSectionReader(bytes.NewReader(text), int64(max(0, len(text)-maxTail)), maxTail))
		scan.Buffer(nil, maxTail+1)
		for scan.Scan() {
			if line := strings.TrimSpace(scan.Text()); exceptionLine.MatchString(line) && !strings.HasPrefix(line, "at ") {
				lines = append(lines, line[:min(len(line), 300)])
			}
		}
		found = append(found, lines[max(0, len(lines)-3):]...)
	}
	return strings.Join(found, "\n")
}
