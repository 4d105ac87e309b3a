package server

import (
	"net/http"
	"strings"

	"github.com/sparkwright/sparkwright/internal/access"
)

// Need is the role that a route asks for, by its pattern. What is not named
// here is for everybody who is known when it only looks, and for administrators
// when it changes something: a route that is added and forgotten here is closed,
// not open.
func Need(pattern string) access.Role {
	method, path, _ := strings.Cut(pattern, " ")
	switch pattern {
	case "GET /healthz", "GET /auth/launch", "GET /auth/login", "GET /auth/callback":
		return access.Nobody
	case "GET /auth/me", "POST /auth/logout":
		return access.Viewer
	case "GET /api/v1/doctor": // looks at everybody's connections
		return access.Admin
	case "POST /sessions/{session_id}/reset", "POST /sessions/{session_id}/select-tables", "POST /sessions/{session_id}/select-postgres-tables",
		"POST /spark/generate", "POST /spark/execute", "POST /spark/upload-csv", "POST /upload-csv",
		"POST /generate", "POST /execute", "POST /ray/jobs/{job_id}/stop",
		"POST /postgres/test-connection", "POST /postgres/connections":
		return access.Analyst
	}
	if method != http.MethodGet && strings.HasPrefix(path, apiPrefix) {
		switch group, _, _ := strings.Cut(strings.TrimPrefix(path, apiPrefix), "/"); group {
		case "runs", "plan", "connections": // each its own: see package access
			return access.Analyst
		}
	}
	if method == http.MethodGet || pattern == "" || !strings.Contains(pattern, " ") {
		return access.Viewer // also what no route takes, and methods that none takes
	}
	return access.Admin
}
