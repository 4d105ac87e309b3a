package server

import (
	"net/http"

	"github.com/sparkwright/sparkwright"
)

// resetSession is POST /sessions/{session_id}/reset: the selection is cleared,
// the history stays.
func (s *server) resetSession(w http.ResponseWriter, r *http.Request) {
	if err := s.cfg.Sessions.Reset(r.Context(), s.user(r), r.PathValue("session_id")); err != nil {
		s.fail(w, err, nil)
		return
	}
	s.ok(w, map[string]any{"message": "Session reset"})
}

// history is GET /history/{session_id}: the questions and the executions of a
// session, oldest first. An unknown session has none.
func (s *server) history(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("session_id")
	empty := map[string]any{"session_id": id, "conversation_history": []any{}, "execution_results": []any{}}
	found, err := s.cfg.Sessions.Find(r.Context(), s.user(r), id)
	if err != nil {
		s.fail(w, err, empty)
		return
	}
	if found == nil {
		s.ok(w, empty)
		return
	}
	runs, err := s.cfg.Sessions.History(r.Context(), found)
	if err != nil {
		s.fail(w, err, empty)
		return
	}
	asked, executed := []any{}, []any{}
	for i := range runs {
		run := &runs[i]
		if run.Question.Text != "" {
			asked = append(asked, map[string]any{
				"type": "generation", "prompt": run.Question.Text, "generated_code": codeOf(run), "timestamp": epoch(run.CreatedAt),
				"framework": framework, "run_id": run.ID, "state": run.State,
			})
		}
		if len(run.Attempts) > 0 && run.State.Final() {
			executed = append(executed, map[string]any{
				"code": codeOf(run), "result": s.result(run, nil), "timestamp": epoch(finished(run)),
				"success": run.State == sparkwright.RunSucceeded, "framework": framework, "run_id": run.ID,
			})
		}
	}
	s.ok(w, map[string]any{"session_id": id, "conversation_history": asked, "execution_results": executed})
}
