package server

import (
	"context"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

// Authenticator finds out who sends a request.
type Authenticator interface {
	// Identify returns who it is; ok is false when nobody is known by what the
	// request brings.
	Identify(r *http.Request) (who access.Identity, ok bool)
	// Login is the path at which a person can log in; "" = there is none but the
	// link that the server has printed.
	Login() string
}

// Audit keeps what was done, by whom.
type Audit interface {
	Record(ctx context.Context, e access.Entry) error
}

// apiPrefix is where errors are problem documents.
const apiPrefix = "/api/v1/"

// guard stands before every route. What it asks for does not depend on the
// handler: a route that is added later is behind it too.
//
// In this order: the Host header, other sites, how often, who, with which role,
// the form and the size of the body. Then what was done is recorded.
func (s *server) guard(mux *access.Mux, next http.Handler) http.Handler {
	hosts := map[string]bool{}
	for _, h := range s.cfg.Hosts {
		hosts[strings.ToLower(h)] = true
	}
	rates := newRates(s.cfg.PerSecond)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.harden(w)
		host := r.Host
		if h, _, err := net.SplitHostPort(r.Host); err == nil {
			host = h
		}
		host = strings.ToLower(strings.Trim(host, "[]")) // an IPv6 address without a port keeps its brackets
		if !hosts[host] {
			s.refuse(w, r, http.StatusMisdirectedRequest, sparkwright.CodeInvalid, "this server is not called "+shown(host), "call it by the name that it printed at its start")
			return
		}
		if s.cors(w, r) {
			return
		}
		if s.foreign(r) {
			s.refuse(w, r, http.StatusForbidden, sparkwright.CodeUnauthorized, "requests of other sites are refused", "")
			return
		}
		who, known := s.identify(r)
		if !rates.allow(who, known, r.RemoteAddr) {
			w.Header().Set("Retry-After", "1")
			s.refuse(w, r, http.StatusTooManyRequests, sparkwright.CodeBusy, "too many requests", "send fewer at a time; limits.client_requests is how many a second are taken")
			return
		}
		pattern := mux.Pattern(r)
		if pattern != "" && pattern != "/" {
			// The handlers see a request of their own, so its pattern does not come back to the log.
			telemetry.SetRoute(r.Context(), pattern[strings.Index(pattern, "/"):])
		}
		need := Need(pattern)
		if !known && need != access.Nobody {
			s.unknown(w, r)
			s.record(r, who, pattern, http.StatusUnauthorized, nil)
			return
		}
		if !who.Role.Allows(need) {
			s.refuse(w, r, http.StatusForbidden, sparkwright.CodeUnauthorized, access.Denied(need).Message, access.Denied(need).Remedy)
			s.record(r, who, pattern, http.StatusForbidden, nil)
			return
		}
		if who.Way == access.Cookie && !safeMethod(r.Method) && !fromPage(r) {
			s.refuse(w, r, http.StatusForbidden, sparkwright.CodeUnauthorized, "a cookie alone changes nothing", "programs send the token: Authorization: Bearer …")
			return
		}
		if !jsonBody(r) {
			s.refuse(w, r, http.StatusUnsupportedMediaType, sparkwright.CodeInvalid, "only JSON is taken", "send Content-Type: application/json")
			return
		}
		limit := s.bodyLimit(r.URL.Path)
		if r.ContentLength > limit {
			w.Header().Set("Connection", "close") // the rest is not read
			s.refuse(w, r, http.StatusRequestEntityTooLarge, sparkwright.CodeLimited, fmt.Sprintf("the request is larger than %d MB", limit>>20), "")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		note := &access.Note{}
		ctx := r.Context()
		if known {
			ctx = access.With(ctx, who)
		}
		seen := &outcome{ResponseWriter: w, status: http.StatusOK}
		defer func() { s.record(r, who, pattern, seen.status, note) }()
		next.ServeHTTP(seen, r.WithContext(access.WithNote(ctx, note)))
	})
}

// identify finds out who asks. Without an Authenticator everybody who can
// reach the server is the local user: it then listens on loopback only.
func (s *server) identify(r *http.Request) (access.Identity, bool) {
	if s.cfg.Auth == nil {
		return access.Local(access.Open), true
	}
	if who, ok := s.cfg.Auth.Identify(r); ok {
		return who, true
	}
	return access.Identity{}, false
}

// harden sets the headers that every reply has. The page sets a policy of its
// own; everything else is data.
func (s *server) harden(w http.ResponseWriter) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
}

// foreign reports whether a page of another site has caused the request. A
// link to the page may be followed from anywhere; data may not be fetched, not
// even where the browser would keep it from the other site.
func (s *server) foreign(r *http.Request) bool {
	if r.Method == http.MethodOptions { // does nothing, and nothing is allowed
		return false
	}
	origin := r.Header.Get("Origin")
	if origin != "" && slices.Contains(s.cfg.Origins, origin) {
		return false
	}
	navigates := safeMethod(r.Method) && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		if !navigates {
			return true
		}
	}
	if origin == "" {
		return false
	}
	from, err := url.Parse(origin)
	return err != nil || from.Host == "" || !strings.EqualFold(from.Host, r.Host)
}

func safeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// fromPage reports whether the browser itself says that the server's own page
// has sent the request; foreign has refused all others that say something.
func fromPage(r *http.Request) bool {
	return r.Header.Get("Origin") != "" || r.Header.Get("Sec-Fetch-Site") == "same-origin"
}

// jsonBody reports whether the body is JSON by its type. Programs may leave
// the type out; what a browser sends must have it, because a form has another.
func jsonBody(r *http.Request) bool {
	if r.ContentLength == 0 || safeMethod(r.Method) {
		return true
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Cookie") == ""
	}
	media, params, err := mime.ParseMediaType(header)
	if err != nil || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return false
	}
	return media == "application/json" || strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
}

// bodyLimit is the size of the largest body that a path takes, in bytes. JSON
// makes a file larger: by half is allowed.
func (s *server) bodyLimit(path string) int64 {
	if (path == "/upload-csv" || path == "/spark/upload-csv") && s.cfg.Uploads != nil {
		return max(maxBody, s.cfg.Uploads.MaxBytes()*3/2)
	}
	return maxBody
}

// unknown answers a request of nobody. A person gets a page, or the login.
func (s *server) unknown(w http.ResponseWriter, r *http.Request) {
	if !person(r) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="sparkwright"`)
		s.refuse(w, r, http.StatusUnauthorized, sparkwright.CodeUnauthorized, "this needs a login", "send Authorization: Bearer with the token of: sparkwright token show")
		return
	}
	h := w.Header()
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		// The browser keeps a strict cookie back when a link of another site is
		// followed: the page asks once more by itself.
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte(`<!doctype html><meta http-equiv="refresh" content="0"><title>Sparkwright</title>`))
		return
	}
	if login := s.cfg.Auth.Login(); login != "" {
		http.Redirect(w, r, login, http.StatusSeeOther)
		return
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Sparkwright</title><h1>This page needs a login</h1>` +
		`<p>Open the link that <code>sparkwright serve</code> printed, or a new one: <code>sparkwright token link</code></p></html>`))
}

// person reports whether a browser shows the reply to a person.
func person(r *http.Request) bool {
	return safeMethod(r.Method) && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// refuse answers in the form of the interface that was called.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, status int, code sparkwright.Code, text, remedy string) {
	if s.cfg.Refused != nil {
		s.cfg.Refused("guard_" + strconv.Itoa(status))
	}
	if !strings.HasPrefix(r.URL.Path, apiPrefix) {
		s.write(w, status, map[string]any{"detail": text})
		return
	}
	body := map[string]any{"type": "urn:sparkwright:problem:" + string(code), "title": text, "status": status, "detail": text, "code": code}
	if remedy != "" {
		body["remedy"] = remedy
	}
	if id := telemetry.RequestID(r.Context()); id != "" {
		body["request_id"] = id
	}
	w.Header().Set("Content-Type", "application/problem+json")
	s.write(w, status, body)
}

// shown is a word of a client, shortened and without what could steer a
// terminal.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	if len(text) > 100 {
		return text[:100] + "…"
	}
	return text
}

// record keeps what was done. Looking is not recorded, but for rows that leave
// the server.
func (s *server) record(r *http.Request, who access.Identity, pattern string, status int, note *access.Note) {
	if s.cfg.Audit == nil || !audited(r.Method, pattern, status) {
		return
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	e := access.Entry{
		At: time.Now().UTC().Truncate(time.Microsecond), User: who.User, Name: who.Name, Role: who.Role, Way: who.Way, Address: address,
		Action: pattern, Object: object(pattern, r.URL.Path), Status: status, Note: note.String(), Request: telemetry.RequestID(r.Context()),
	}
	if e.Action == "" || e.Action == "/" {
		e.Action = r.Method + " (no such path)"
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
	defer cancel()
	if err := s.cfg.Audit.Record(ctx, e); err != nil {
		s.cfg.Log.ErrorContext(ctx, "audit entry not kept", "action", e.Action, "user", e.User, "error", err)
	}
}

func audited(method, pattern string, status int) bool {
	if !safeMethod(method) {
		return pattern != "" && pattern != "/" || status == http.StatusForbidden
	}
	switch pattern {
	case "GET " + apiPrefix + "runs/{id}/result", "GET " + apiPrefix + "runs/{id}/export":
		return true
	}
	return strings.HasPrefix(pattern, "GET /auth/") || status == http.StatusForbidden && pattern != "/"
}

// object is what a path names, by the places that the pattern leaves open.
func object(pattern, path string) string {
	_, route, _ := strings.Cut(pattern, " ")
	var out []string
	parts := strings.Split(path, "/")
	for i, part := range strings.Split(route, "/") {
		if strings.HasPrefix(part, "{") && part != "{$}" && i < len(parts) {
			out = append(out, shown(parts[i]))
		}
	}
	return strings.Join(out, " ")
}

// outcome knows the status of a reply.
type outcome struct {
	http.ResponseWriter
	status int
	begun  bool
}

// WriteHeader implements http.ResponseWriter.
func (o *outcome) WriteHeader(status int) {
	if !o.begun && status >= http.StatusOK {
		o.status, o.begun = status, true
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (o *outcome) Write(p []byte) (int, error) {
	o.begun = true
	return o.ResponseWriter.Write(p)
}

// Unwrap serves http.ResponseController.
func (o *outcome) Unwrap() http.ResponseWriter { return o.ResponseWriter }
