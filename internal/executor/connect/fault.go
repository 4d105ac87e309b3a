package connect

import (
	"errors"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// startFault tells of an attempt that could not be started.
func startFault(err error) *sparkwright.Fault {
	f := &sparkwright.Fault{Kind: sparkwright.FaultInfrastructure, Class: "SPARK_NOT_STARTED", Message: err.Error()}
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		f.Message, f.Because, f.Remedy = e.Message, e.Because, e.Remedy
	}
	return f
}

// lostServer tells of a server that died under the attempt.
func lostServer(srv *server) *sparkwright.Fault {
	return &sparkwright.Fault{
		Kind: sparkwright.FaultLost, Class: "SPARK_SERVER_LOST", Message: "the Spark server ended during the run",
		Because: tailOf(srv.logPath),
		Remedy:  "ask again; when it happens twice, raise spark.driver_memory in the settings",
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
