package diagnose_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/diagnose"
)

// Messages are what Spark 4.3 and pgjdbc 42.7.8 print.
func TestExplain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		fault   sparkwright.Fault
		kind    sparkwright.FaultKind
		because string
	}{
		{"unknown column", sparkwright.Fault{Class: "UNRESOLVED_COLUMN", SQLState: "42703", Message: "[UNRESOLVED_COLUMN] …"}, sparkwright.FaultCode, ""},
		{"permission", sparkwright.Fault{Message: "org.postgresql.util.PSQLException: ERROR: permission denied for table secrets"}, sparkwright.FaultInfrastructure, "may not read"},
		{"dropped table", sparkwright.Fault{Message: `org.postgresql.util.PSQLException: ERROR: relation "sales.orders" does not exist`}, sparkwright.FaultInfrastructure, "gone"},
		{"password", sparkwright.Fault{Message: `FATAL: password authentication failed for user "u"`}, sparkwright.FaultInfrastructure, "refused the login"},
		{"refused", sparkwright.Fault{Message: "Connection to localhost:1 refused. Check that the hostname and port are correct"}, sparkwright.FaultInfrastructure, "reach PostgreSQL"},
		{"disk, below a lost connection", sparkwright.Fault{Message: "Job aborted", Log: "java.io.IOException: No space left on device\nConnection reset by peer"}, sparkwright.FaultInfrastructure, "disk"},
		{"restart", sparkwright.Fault{Message: "FATAL: terminating connection due to administrator command"}, sparkwright.FaultTransient, "restarted"},
		{"driver", sparkwright.Fault{Message: "java.lang.ClassNotFoundException: org.postgresql.Driver"}, sparkwright.FaultInfrastructure, "driver"},
		{"statement time-out", sparkwright.Fault{Message: "ERROR: canceling statement due to statement timeout"}, sparkwright.FaultTimeout, "statement_timeout"},
		{"what is known stays", sparkwright.Fault{Kind: sparkwright.FaultTimeout, Because: "the limit", Message: "No space left on device"}, sparkwright.FaultTimeout, "the limit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := tt.fault
			diagnose.Explain(&f)
			if f.Kind != tt.kind || !strings.Contains(f.Because, tt.because) {
				t.Errorf("kind %s, because %q", f.Kind, f.Because)
			}
			if f.Remedy == "" && tt.fault.Because == "" {
				t.Error("no remedy")
			}
		})
	}
}

func TestMessageHasNoTrace(t *testing.T) {
	t.Parallel()
	f := sparkwright.Fault{Message: "[X] wrong; line 1 pos 2;\n'Project ['a]\n+- Relation\n\n\nJVM stacktrace:\norg.apache\n\tat a.b(C.scala)"}
	diagnose.Explain(&f)
	if f.Message != "[X] wrong; line 1 pos 2" {
		t.Errorf("message %q", f.Message)
	}
}
