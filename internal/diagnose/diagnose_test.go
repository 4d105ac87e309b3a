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
		{"refused", sparkwright.Fault{Message: "Connection to localhost:1 refused. Check that the hostname and port are correct"}, sparkwright.FaultInfrastructure, "nothing listens"},
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

// A connection that is lost while Spark looks at a table is no mistake of the
// code, whether or not Spark tells the cause.
func TestLostConnectionOfFailedJDBC(t *testing.T) {
	t.Parallel()
	const message = "[FAILED_JDBC.LOAD_TABLE] Failed JDBC jdbc:postgresql:*********(redacted) on the operation: Load the table `public`.`orders`. SQLSTATE: HV000"
	const caused = "Caused by: org.postgresql.util.PSQLException: "
	tests := []struct{ name, class, cause, want string }{
		{"ended by an administrator", "LOAD_TABLE", caused + "FATAL: terminating connection due to administrator command", "postgres.terminated"},
		{"ended, in another language", "TABLE_EXISTS", caused + "FATAL: Verbindung wird abgebrochen, SQLState: 57P01", "postgres.terminated"},
		{"ended by a crash", "GET_TABLES", caused + "FATAL: … SQLState: 57P02", "postgres.terminated"},
		{"cut while it was used", "LOAD_TABLE", caused + "An I/O error occurred while sending to the backend.\nCaused by: java.io.EOFException", "postgres.broken"},
		{"cut, in another language", "LOAD_TABLE", caused + "… SQLState: 08006", "postgres.broken"},
		{"closed before", "LIST_NAMESPACES", caused + "This connection has been closed.", "postgres.broken"},
		{"starting again", "LOAD_TABLE", caused + "FATAL: the database system is starting up", "postgres.starting"},
		{"without its cause", "LOAD_TABLE", "", "postgres.jdbc"},
		{"without class", "", "", "postgres.jdbc"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := sparkwright.Fault{Class: "AnalysisException", SQLState: "HV000", Message: message, Log: "Traceback (most recent call last):\n" + message + "\n" + tt.cause + "\n"}
			if tt.class != "" {
				f.Class = "FAILED_JDBC." + tt.class
			}
			diagnose.Explain(&f)
			if f.Kind != sparkwright.FaultTransient || f.Diagnosis == nil || f.Diagnosis.Class != tt.want {
				t.Errorf("kind %s, diagnosis %+v; want transient, %s", f.Kind, f.Diagnosis, tt.want)
			}
		})
	}
	others := []struct{ cause, want string }{
		{caused + `FATAL: password authentication failed for user "u"`, "postgres.password"},
		{caused + "ERROR: permission denied for table orders", "postgres.permission"},
	}
	for _, tt := range others {
		f := sparkwright.Fault{Class: "FAILED_JDBC.LOAD_TABLE", SQLState: "HV000", Message: message, Log: message + "\n" + tt.cause}
		diagnose.Explain(&f)
		if f.Kind != sparkwright.FaultInfrastructure || f.Diagnosis.Class != tt.want {
			t.Errorf("kind %s, diagnosis %+v; want %s", f.Kind, f.Diagnosis, tt.want)
		}
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
