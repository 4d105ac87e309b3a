package auth

import (
	"context"
	"encoding/json"
	"html"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
)

// Store keeps sessions. Errors are *sparkwright.Error.
type Store interface {
	AddLogin(ctx context.Context, l access.Login) error
	// Login returns the session of that hash; CodeNotFound.
	Login(ctx context.Context, hash string) (*access.Login, error)
	RemoveLogin(ctx context.Context, hash string) error
}

// Config is what an Auth works with.
type Config struct {
	Tokens *Tokens
	Store  Store
	// OIDC logs people in; nil = only the token does.
	OIDC *OIDC
	// Open lets everybody in as the local user who brings nothing: the server
	// listens on loopback. A wrong token or cookie is refused all the same.
	Open bool
	// Public is the address by which people call the server, as
	// https://ask.example.com; "" = as the request says.
	Public string
	Life   time.Duration // of a session; 0 = 12 h
	Now    func() time.Time
	Log    *slog.Logger
}

// Auth implements server.Authenticator. It is safe for concurrent use.
type Auth struct {
	cfg Config

	mu       sync.Mutex
	links    map[string]time.Time // hashes of one-time links, and when they end
	sessions map[string]known     // what the store has said, for a moment
}

type known struct {
	session access.Login
	read    time.Time
}

const (
	linkLife      = 15 * time.Minute
	believed      = 5 * time.Second // that a session is believed without asking the store
	maxSessions   = 10_000
	defaultLife   = 12 * time.Hour
	cookiePlain   = "sparkwright"
	cookieSecure  = "__Host-sparkwright"
	launchPath    = "/auth/launch"
	loginPath     = "/auth/login"
	callbackPath  = "/auth/callback"
	bearerPrefix  = "Bearer "
	maxCookieSize = 100
)

// New returns an Auth.
func New(cfg Config) *Auth {
	if cfg.Life <= 0 {
		cfg.Life = defaultLife
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Auth{cfg: cfg, links: map[string]time.Time{}, sessions: map[string]known{}}
}

// Identify implements server.Authenticator. Who brings a token or a cookie is
// taken by it: a wrong one is nobody, also where nothing need be brought.
func (a *Auth) Identify(r *http.Request) (access.Identity, bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		token, ok := strings.CutPrefix(header, bearerPrefix)
		if ok && a.cfg.Tokens.Right(strings.TrimSpace(token)) {
			return access.Local(access.Token), true
		}
		return access.Identity{}, false
	}
	if cookie, err := r.Cookie(a.cookieName(r)); err == nil {
		if s, err := a.session(r.Context(), cookie.Value); err == nil {
			return access.Identity{User: s.User, Name: s.Name, Role: s.Role, Way: access.Cookie}, true
		}
	}
	if a.cfg.Open {
		return access.Local(access.Open), true
	}
	return access.Identity{}, false
}

// Login implements server.Authenticator.
func (a *Auth) Login() string {
	if a.cfg.OIDC != nil {
		return loginPath
	}
	return ""
}

func (a *Auth) session(ctx context.Context, value string) (*access.Login, error) {
	if len(value) > maxCookieSize {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "this is no session")
	}
	id, now := hash(value), a.cfg.Now()
	a.mu.Lock()
	k, ok := a.sessions[id]
	a.mu.Unlock()
	if ok && now.Sub(k.read) < believed && now.Before(k.session.Expires) {
		return &k.session, nil
	}
	s, err := a.cfg.Store.Login(ctx, id)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil || !now.Before(s.Expires) {
		delete(a.sessions, id)
		if err == nil {
			err = sparkwright.Errorf(sparkwright.CodeNotFound, "the session has ended")
		}
		return nil, err
	}
	if len(a.sessions) >= maxSessions {
		clear(a.sessions)
	}
	a.sessions[id] = known{session: *s, read: now}
	return s, nil
}

// Link makes a link that logs the local user in, once and for 15 minutes.
func (a *Auth) Link(base string) string {
	code, now := Random(), a.cfg.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	for h, end := range a.links {
		if !now.Before(end) {
			delete(a.links, h)
		}
	}
	a.links[hash(code)] = now.Add(linkLife)
	return strings.TrimSuffix(base, "/") + launchPath + "?code=" + code
}

// Handlers are the routes of logging in and out.
func (a *Auth) Handlers() map[string]http.Handler {
	out := map[string]http.Handler{
		"GET " + launchPath: http.HandlerFunc(a.launch), "GET /auth/me": http.HandlerFunc(a.me),
		"POST /auth/logout": http.HandlerFunc(a.logout), "POST /auth/link": http.HandlerFunc(a.newLink),
	}
	if a.cfg.OIDC != nil {
		out["GET "+loginPath] = http.HandlerFunc(a.login)
		out["GET "+callbackPath] = http.HandlerFunc(a.callback)
	}
	return out
}

// launch takes a one-time link.
func (a *Auth) launch(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("code")
	h := hash(code)
	a.mu.Lock()
	end, ok := a.links[h]
	delete(a.links, h)
	a.mu.Unlock()
	if code == "" || !ok || !a.cfg.Now().Before(end) {
		a.page(w, http.StatusForbidden, "This link has been used, or is too old", "Make a new one: sparkwright token link")
		return
	}
	local := access.Local(access.Cookie)
	a.begin(w, r, local.User, local.Name, local.Role, "/")
}

// begin logs somebody in and goes on to a path of this server.
func (a *Auth) begin(w http.ResponseWriter, r *http.Request, user, name string, role access.Role, to string) {
	value := Random()
	s := access.Login{Hash: hash(value), User: user, Name: name, Role: role, Expires: a.cfg.Now().Add(a.cfg.Life).UTC().Truncate(time.Microsecond)}
	if err := a.cfg.Store.AddLogin(r.Context(), s); err != nil {
		a.cfg.Log.ErrorContext(r.Context(), "login not kept", "error", err)
		a.page(w, http.StatusServiceUnavailable, "You could not be logged in", "Try again in a moment")
		return
	}
	access.Add(r.Context(), "login of "+s.Name+" as "+string(role))
	cookie := a.cookie(r, a.cookieName(r), value, http.SameSiteStrictMode) //nolint:gosec // not Secure without TLS only: on loopback
	cookie.MaxAge = int(a.cfg.Life.Seconds())
	http.SetCookie(w, cookie)
	// Not a redirect: a browser that comes from another site would keep the
	// strict cookie back.
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write([]byte(`<!doctype html><meta http-equiv="refresh" content="0;url=` + html.EscapeString(to) + `"><title>Sparkwright</title>`))
}

// secure reports whether the page is called over TLS.
func (a *Auth) secure(r *http.Request) bool {
	return r.TLS != nil || strings.HasPrefix(a.cfg.Public, "https://")
}

func (a *Auth) cookieName(r *http.Request) string {
	if a.secure(r) {
		return cookieSecure
	}
	// Cookies know no ports: two servers of one machine must not take each
	// other's.
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return cookiePlain + "-" + port
	}
	return cookiePlain
}

func (a *Auth) cookie(r *http.Request, name, value string, site http.SameSite) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: a.secure(r), SameSite: site} //nolint:gosec // not Secure without TLS only: on loopback
}

// me says who asks.
func (a *Auth) me(w http.ResponseWriter, r *http.Request) {
	who, _ := access.From(r.Context())
	a.json(w, map[string]any{"user": who.User, "name": who.Name, "role": who.Role, "way": who.Way})
}

// logout ends the session of the page.
func (a *Auth) logout(w http.ResponseWriter, r *http.Request) {
	name := a.cookieName(r)
	if cookie, err := r.Cookie(name); err == nil && len(cookie.Value) <= maxCookieSize {
		id := hash(cookie.Value)
		a.mu.Lock()
		delete(a.sessions, id)
		a.mu.Unlock()
		if err := a.cfg.Store.RemoveLogin(r.Context(), id); err != nil {
			a.cfg.Log.ErrorContext(r.Context(), "logout not kept", "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	}
	gone := a.cookie(r, name, "", http.SameSiteStrictMode) //nolint:gosec // not Secure without TLS only: on loopback
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	w.WriteHeader(http.StatusNoContent)
}

// newLink makes a one-time link for who holds the token.
func (a *Auth) newLink(w http.ResponseWriter, r *http.Request) {
	a.json(w, map[string]any{"link": a.Link(a.base(r)), "seconds": int(linkLife.Seconds())})
}

// base is how people call the server.
func (a *Auth) base(r *http.Request) string {
	if a.cfg.Public != "" {
		return a.cfg.Public
	}
	u := url.URL{Scheme: "http", Host: r.Host}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return u.String()
}

func (a *Auth) json(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}

// page tells a person what is wrong.
func (a *Auth) page(w http.ResponseWriter, status int, title, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Sparkwright</title><h1>` + html.EscapeString(title) + `</h1><p>` + html.EscapeString(text) + `</p></html>`))
}
