package jobscript_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/jobscript"
)

// raise ends the script's own _fault with an error of each shape that PySpark
// has: the trace is an attribute, and in its text only where Spark shows it.
const raise = `
import json, os, sys, traceback
ANALYSIS_LINES = (1, 2)


def _write(name, text):
    print(name, text)


%FAULT%


TRACE = """org.apache.spark.sql.AnalysisException: [FAILED_JDBC.LOAD_TABLE] Failed JDBC
	at org.apache.spark.sql.jdbc.NoLegacyJDBCError.classifyException(JdbcDialects.scala:978)
Caused by: org.postgresql.util.PSQLException: FATAL: terminating connection due to administrator command
	at org.postgresql.core.v3.QueryExecutorImpl.receiveErrorResponse(QueryExecutorImpl.java:2736)
Caused by: org.postgresql.util.PSQLException: FATAL: terminating connection due to administrator command
	... 40 more
Caused by: java.io.EOFException
	at org.postgresql.core.PGStream.receiveChar(PGStream.java:479)
"""


class AnalysisException(Exception):
    def getErrorClass(self):
        return "FAILED_JDBC.LOAD_TABLE"


error = AnalysisException("[FAILED_JDBC.LOAD_TABLE] Failed JDBC on the operation: Load the table" + (
    "\n\nJVM stacktrace:\n" + TRACE if os.environ["SHOWN"] else ""))
if os.environ["NAME"]:
    setattr(error, os.environ["NAME"], TRACE)
_fault(AnalysisException, error, None)
`

// The causes that the JVM tells reach the diagnosis, the message stays short.
func TestFaultTellsItsCauses(t *testing.T) {
	t.Parallel()
	local, err := jobscript.Render(spec())
	if err != nil {
		t.Fatal(err)
	}
	aws, err := jobscript.RenderAWS(postgresSpec())
	if err != nil {
		t.Fatal(err)
	}
	const causes = "Caused by: org.postgresql.util.PSQLException: FATAL: terminating connection due to administrator command\nCaused by: java.io.EOFException"
	tests := []struct{ name, script, attribute, shown, log, class string }{
		{"Spark Connect", local, "_stacktrace", "yes", causes, "postgres.terminated"},
		{"spark-submit, Spark 4", local, "_stackTrace", "", causes, "postgres.terminated"},
		{"EMR, Spark 3.5", aws, "stackTrace", "", causes, "postgres.terminated"},
		{"an error of Python", aws, "", "", "", "postgres.jdbc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, fault, found := strings.Cut(tt.script, "\ndef _causes(")
			fault, _, ends := strings.Cut(fault, "\nsys.excepthook = _fault")
			if !found || !ends {
				t.Fatal("the script has no _causes and _fault")
			}
			cmd := exec.CommandContext(t.Context(), "python3", "-")
			cmd.Stdin = strings.NewReader(strings.Replace(raise, "%FAULT%", "def _causes("+fault, 1))
			cmd.Env = append(cmd.Environ(), "NAME="+tt.attribute, "SHOWN="+tt.shown)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			var f sparkwright.Fault
			if err := json.Unmarshal(bytes.TrimPrefix(out, []byte("fault.json ")), &f); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			if f.Log != tt.log || !strings.HasSuffix(strings.TrimSpace(stderr.String()), tt.log) {
				t.Errorf("causes %q; printed %q", f.Log, stderr.String())
			}
			diagnose.Explain(&f)
			if f.Kind != sparkwright.FaultTransient || f.Diagnosis == nil || f.Diagnosis.Class != tt.class {
				t.Errorf("kind %s, diagnosis %+v", f.Kind, f.Diagnosis)
			}
			if f.Message != "[FAILED_JDBC.LOAD_TABLE] Failed JDBC on the operation: Load the table" {
				t.Errorf("message %q", f.Message)
			}
		})
	}
}
