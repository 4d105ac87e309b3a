package server

import (
	"net/http"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/session"
)

// noRay is what every endpoint for Ray says.
const noRay = "Ray is not supported by this server. Use /spark/generate and /spark/execute."

// rayGenerate is POST /generate.
func (s *server) rayGenerate(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	_ = b.text("prompt")
	given := b.optional("session_id")
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	s.write(w, http.StatusOK, map[string]any{
		"success": false, "code": nil, "error": noRay, "session_id": raySession(given, "fastapi-session-"), "iterations": nil,
	})
}

// rayExecute is POST /execute.
func (s *server) rayExecute(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	_ = b.text("code")
	given := b.optional("session_id")
	_ = b.flag("interactive")
	_ = b.list("inputs")
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	s.write(w, http.StatusOK, map[string]any{
		"success": false, "output": nil, "error": noRay, "session_id": raySession(given, "exec-session-"), "job_id": nil,
	})
}

// raySession is an id in the reference's shape. No session is made: nothing
// was asked in it.
func raySession(given, prefix string) string {
	return session.Wire(&sparkwright.Session{Handle: session.NewHandle()}, given, prefix)
}

// rayStatus is GET /ray/status.
func (s *server) rayStatus(w http.ResponseWriter, _ *http.Request) {
	s.write(w, http.StatusOK, map[string]any{"status": "disconnected", "dashboard_url": "", "error": noRay})
}

// rayJobs is GET /ray/jobs.
func (s *server) rayJobs(w http.ResponseWriter, _ *http.Request) {
	s.write(w, http.StatusOK, map[string]any{"success": false, "jobs": []any{}, "error": noRay})
}

// rayStop is POST /ray/jobs/{job_id}/stop.
func (s *server) rayStop(w http.ResponseWriter, _ *http.Request) {
	s.write(w, http.StatusOK, map[string]any{"success": false, "error": noRay})
}
