package emrserverless

import (
	"bytes"
	"context"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// FaultKind is what goes wrong with a call.
type FaultKind string

// The kinds of faults.
const (
	LoseResponse FaultKind = "lose_response" // carried out, then the connection is reset
	LoseRequest  FaultKind = "lose_request"  // reset before anything is done
	Throttle     FaultKind = "throttle"      // 429 ThrottlingException
	Error500     FaultKind = "error_500"     // InternalServerException
	Error503     FaultKind = "error_503"     // ServiceUnavailableException
	Stall        FaultKind = "stall"         // carried out, answered after Delay
	Trickle      FaultKind = "trickle"       // carried out, answered byte by byte, Delay in all
	Forget       FaultKind = "forget"        // every clientToken is forgotten, then carried out
)

// Fault makes some calls go wrong.
type Fault struct {
	Operation string        // like StartJobRun; "" or "*" = every one
	Kind      FaultKind     //
	Skip      int           // calls that still go well before
	Times     int           // calls that go wrong; 0 = all from then on
	Delay     time.Duration // of Stall and Trickle
}

// rule is a fault and how often it still comes; -1 = always.
type rule struct {
	Fault
	left int
}

type faultScript struct {
	mu    sync.Mutex
	rules []rule
	seen  map[string]int
}

// SetFaults replaces the faults. None = everything goes well.
func (s *Server) SetFaults(faults ...Fault) {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.rules = nil
	for _, f := range faults {
		left := f.Times
		if left == 0 {
			left = -1
		}
		s.faults.rules = append(s.faults.rules, rule{f, left})
	}
}

// Calls counts the calls of an operation since the start, faulty ones included.
func (s *Server) Calls(operation string) int {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return s.faults.seen[operation]
}

// next takes the fault for a call, if there is one.
func (f *faultScript) next(operation string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[string]int{}
	}
	f.seen[operation]++
	for i := range f.rules {
		r := &f.rules[i]
		if r.Operation != "" && r.Operation != "*" && r.Operation != operation {
			continue
		}
		if r.Skip > 0 {
			r.Skip--
			continue
		}
		if r.left == 0 {
			continue // used up
		}
		if r.left > 0 {
			r.left--
		}
		return r.Fault, true
	}
	return Fault{}, false
}

// wrap puts the faults in front of the API.
func (f *faultScript) wrap(api http.Handler, s *Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault, ok := f.next(operationOf(r.Method, r.URL.Path))
		if !ok {
			api.ServeHTTP(w, r)
			return
		}
		s.cfg.Log.InfoContext(r.Context(), "fault", "kind", string(fault.Kind), "path", r.URL.Path)
		switch fault.Kind {
		case Throttle:
			s.write(w, nil, &apiError{http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded"})
		case Error500:
			s.write(w, nil, &apiError{http.StatusInternalServerError, "InternalServerException", "Internal error"})
		case Error503:
			s.write(w, nil, &apiError{http.StatusServiceUnavailable, "ServiceUnavailableException", "Service unavailable"})
		case LoseRequest:
			reset(w)
		case LoseResponse:
			api.ServeHTTP(httptest.NewRecorder(), r)
			reset(w)
		case Forget:
			s.ForgetTokens()
			api.ServeHTTP(w, r)
		case Stall, Trickle:
			late(w, r, api, fault)
		}
	})
}

// late carries the call out at once and lets the client wait for the answer.
func late(w http.ResponseWriter, r *http.Request, api http.Handler, fault Fault) {
	rec := httptest.NewRecorder()
	api.ServeHTTP(rec, r)
	text := rec.Body.Bytes()
	maps.Copy(w.Header(), rec.Header())
	if fault.Kind == Stall {
		if sleep(r.Context(), fault.Delay) {
			w.WriteHeader(rec.Code)
			_, _ = w.Write(text)
		}
		return
	}
	// The SDK closes the request's body with the first byte of the answer, and
	// net/http breaks the connection when it has not looked at its end by then:
	// an answer does not begin at once.
	if !sleep(r.Context(), fault.Delay/2) {
		return
	}
	w.WriteHeader(rec.Code)
	trickle(r.Context(), w, text, fault.Delay/2/time.Duration(max(len(text), 1)))
}

func trickle(ctx context.Context, w http.ResponseWriter, text []byte, pause time.Duration) {
	for b := range bytes.SplitAfterSeq(text, nil) {
		if !sleep(ctx, pause) {
			return
		}
		if _, err := w.Write(b); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// reset closes the connection so that the client sees a reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// operationOf names a call by its method and path.
func operationOf(method, path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	kind := method
	switch {
	case parts[0] == "tags":
		return map[string]string{"GET": "ListTagsForResource", "POST": "TagResource", "DELETE": "UntagResource"}[kind]
	case len(parts) == 1:
		return map[string]string{"GET": "ListApplications", "POST": "CreateApplication"}[kind]
	case len(parts) == 2:
		return map[string]string{"GET": "GetApplication", "PATCH": "UpdateApplication", "DELETE": "DeleteApplication"}[kind]
	case len(parts) == 3 && parts[2] == "jobruns":
		return map[string]string{"GET": "ListJobRuns", "POST": "StartJobRun"}[kind]
	case len(parts) == 3:
		return map[string]string{"start": "StartApplication", "stop": "StopApplication"}[parts[2]]
	case len(parts) == 4:
		return map[string]string{"GET": "GetJobRun", "DELETE": "CancelJobRun"}[kind]
	case parts[4] == "attempts":
		return "ListJobRunAttempts"
	}
	return "GetDashboardForJobRun"
}
