//go:build soak

package readplan_test

import (
	"context"
	"os"
	program "os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// As TestParity, with many more cases.
func TestSoakParity(t *testing.T) { //nolint:paralleltest // one session
	b := theBed(t)
	parity(t, b, b.peer, "300", "0")
}

// As TestParity and TestTraps, with the views of a script for AWS on Spark 3.5.
func TestSoakParitySpark35(t *testing.T) { //nolint:paralleltest // one session
	b := theBed(t)
	p := spark35(t)
	if !strings.HasPrefix(p.version, "3.5.") {
		t.Fatalf("Spark %s", p.version)
	}
	for _, tt := range traps {
		t.Run(tt.name, func(t *testing.T) { //nolint:paralleltest // one session
			tt.ask(t, b, p, func(ask, *outcome) {})
		})
	}
	t.Run("drawn", func(t *testing.T) { //nolint:paralleltest // one session
		parity(t, b, p, "100", "0")
	})
}

// spark35 is a session of the Spark that AWS has.
func spark35(t *testing.T) *peer {
	t.Helper()
	rt, err := localruntime.InstallEMR(t.Context(), localruntime.Options{Home: testkit.Home(t), MavenURL: testkit.MavenURL(t), Progress: func(text string) { t.Log(text) }})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "parity-") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "parity.py")
	if err = os.WriteFile(path, []byte(parityProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := meet(dir, func(socket string) error {
		cmd := program.CommandContext(context.WithoutCancel(t.Context()), rt.Python, path)
		cmd.Dir = dir
		cmd.Env = append(rt.Env(), "PARITY_SOCKET="+socket, "PYSPARK_SUBMIT_ARGS=--master local[2] --driver-memory 1g --jars "+rt.Driver+
			" --driver-class-path "+rt.Driver+" --conf spark.ui.enabled=false --conf spark.sql.shuffle.partitions=2 --conf spark.driver.host=127.0.0.1"+
			" --conf spark.driver.extraJavaOptions=-Duser.timezone=UTC --conf spark.log.level=ERROR pyspark-shell")
		t.Cleanup(func() { _ = cmd.Wait() }) // it ends with its connection
		return cmd.Start()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.conn.Close() })
	p.views, p.old = awsViews, true
	return p
}

// awsViews are those of a script for AWS, without what asks AWS for the login.
func awsViews(conn jobscript.Connection, user, password string, reads []readplan.Read) (string, map[string]string, error) {
	script, err := jobscript.RenderAWS(jobscript.AWSSpec{
		RunID: "parity", AttemptID: "parity-1", Location: "s3://bucket/key", Analysis: "result = None",
		Connections: []jobscript.AWSConnection{{Name: conn.Name, URL: conn.URL, SecretARN: "arn", Region: "us-east-1", Guard: conn.Guard}}, Reads: reads,
	})
	if err != nil {
		return "", nil, err
	}
	_, views, _ := strings.Cut(script, "\ndef _views_0(")
	views, _, found := strings.Cut(views, "\n\ntry:\n    _views_0(")
	if !found {
		return "", nil, os.ErrNotExist
	}
	code := "import os\nspark.conf.set('spark.sql.session.timeZone', 'UTC')\ndef _views_0(" + views +
		"\n_views_0('" + jobscript.CatalogName(conn.Name) + "', {'user': os.environ.pop('PARITY_USER'), 'password': os.environ.pop('PARITY_PASSWORD')})\n"
	return code, map[string]string{"PARITY_USER": user, "PARITY_PASSWORD": password}, nil
}
