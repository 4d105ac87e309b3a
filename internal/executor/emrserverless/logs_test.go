package emrserverless_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/executortest"
)

func TestLogs(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	e := newExecutor(c)
	h := mustSubmit(t, e, newJob("r_log"))
	path := "applications/" + appID + "/jobs/00job1/"
	c.change(func() {
		c.jobs[0].set("RUNNING", "")
		c.streams[path+"SPARK_DRIVER/stdout"] = []string{"one", "two"}
		c.streams[path+"SPARK_EXECUTOR/1/stderr"] = []string{"not the driver"}
	})
	sink := &executortest.Sink{}
	poll(t, e, h, sink)
	c.change(func() {
		c.streams[path+"SPARK_DRIVER/stdout"] = []string{"one", "two", "three"}
		c.jobs[0].set("FAILED", "")
	})
	poll(t, e, h, sink)
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		if n := strings.Count(sink.Text(), line); n != 1 {
			t.Errorf("%q is told %d times in %q", line, n, sink.Text())
		}
	}
	if strings.Contains(sink.Text(), "not the driver") {
		t.Error("an executor's log is told")
	}
}

// Logs in S3: compressed, cut off in the middle, then whole.
func TestLogsFromS3(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	e := newExecutor(c, func(cfg *emrserverless.Config) { cfg.LogGroup = "" })
	h := mustSubmit(t, e, newJob("r_s3log"))
	var full bytes.Buffer
	zip := gzip.NewWriter(&full)
	_, _ = zip.Write([]byte("first line\n"))
	_ = zip.Flush()
	cut := full.Len()
	_, _ = zip.Write([]byte("second line\n"))
	_ = zip.Close()
	key := bucket + "/logs/emr/applications/" + appID + "/jobs/00job1/SPARK_DRIVER/"
	sink := &executortest.Sink{}
	c.change(func() {
		c.jobs[0].set("RUNNING", "")
		c.objects[key+"stderr.gz"] = full.Bytes()[:cut]
	})
	poll(t, e, h, sink)
	if !strings.Contains(sink.Text(), "first line\n") {
		t.Errorf("what is there is not told: %q", sink.Text())
	}
	c.change(func() {
		c.jobs[0].set("FAILED", "")
		c.objects[key+"stderr.gz"] = full.Bytes()
		c.objects[key+"stdout"] = []byte("plain \xff\n")
	})
	poll(t, e, h, sink)
	for _, line := range []string{"first line\n", "second line\n", "plain \uFFFD\n"} {
		if n := strings.Count(sink.Text(), line); n != 1 {
			t.Errorf("%q is told %d times in %q", line, n, sink.Text())
		}
	}
}
