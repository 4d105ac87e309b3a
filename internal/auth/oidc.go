package auth

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
)

// OIDCConfig is a provider and who may do what.
type OIDCConfig struct {
	Issuer       string
	ClientID     string
	ClientSecret string // "" = a public client
	// RoleClaim is the claim of the ID token that holds roles or groups.
	RoleClaim string
	// Admins, Analysts and Viewers are values of RoleClaim, or verified e-mail
	// addresses, that have the role. The highest counts.
	Admins, Analysts, Viewers []string
	// Default is the role of everybody else whom the provider knows; Nobody =
	// they are refused.
	Default access.Role
	// Client calls the provider.
	Client *http.Client
}

// OIDC logs people in by the authorization code flow with PKCE.
type OIDC struct {
	cfg OIDCConfig

	mu       sync.Mutex
	provider *oidc.Provider // found at the first login
}

// NewOIDC returns an OIDC. The provider is asked when somebody logs in: the
// server starts without it.
func NewOIDC(cfg OIDCConfig) *OIDC { return &OIDC{cfg: cfg} }

const (
	flowLife   = 10 * time.Minute
	flowCookie = "sparkwright-login"
)

// flow is what a login remembers in the browser until it comes back.
type flow struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	To       string `json:"t"`
}

func (o *OIDC) find(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps its keys up to date with this context's client: it must
	// not end with the request.
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), o.cfg.Client), o.cfg.Issuer)
	if err != nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeUnavailable, Message: "the OpenID Connect provider cannot be used", Because: "its discovery document cannot be read, or names another issuer",
			Remedy: "check auth.oidc_issuer", Err: err,
		}
	}
	o.provider = p
	return p, nil
}

func (o *OIDC) config(p *oidc.Provider, base string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: o.cfg.ClientID, ClientSecret: o.cfg.ClientSecret, Endpoint: p.Endpoint(), RedirectURL: strings.TrimSuffix(base, "/") + callbackPath,
		Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
}

// login sends a person to the provider.
func (a *Auth) login(w http.ResponseWriter, r *http.Request) {
	p, err := a.cfg.OIDC.find(r.Context())
	if err != nil {
		a.cfg.Log.ErrorContext(r.Context(), "provider not found", "error", err)
		a.page(w, http.StatusServiceUnavailable, "The login provider does not answer", "Try again in a moment, or ask the administrator of this server")
		return
	}
	f := flow{State: Random(), Nonce: Random(), Verifier: oauth2.GenerateVerifier(), To: inside(r.URL.Query().Get("to"))}
	text, err := json.Marshal(f)
	if err != nil {
		a.page(w, http.StatusInternalServerError, "The login could not begin", "")
		return
	}
	// Lax: the provider sends the person back from another site.
	c := a.cookie(r, flowCookie, url.QueryEscape(string(text)), http.SameSiteLaxMode) //nolint:gosec // not Secure without TLS only: on loopback
	c.Path, c.MaxAge = callbackPath, int(flowLife.Seconds())
	http.SetCookie(w, c)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.cfg.OIDC.config(p, a.base(r)).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther) //nolint:gosec // to the provider that the settings name
}

// inside is a path of this server, else its first page: a login must not lead
// to another site.
func inside(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(to, "/auth/") {
		return "/"
	}
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" {
		return "/"
	}
	return to
}

// callback takes a person back from the provider.
func (a *Auth) callback(w http.ResponseWriter, r *http.Request) {
	gone := a.cookie(r, flowCookie, "", http.SameSiteLaxMode) //nolint:gosec // not Secure without TLS only: on loopback
	gone.Path, gone.MaxAge = callbackPath, -1
	http.SetCookie(w, gone)
	user, name, role, to, err := a.arrive(r)
	if err != nil {
		a.cfg.Log.WarnContext(r.Context(), "login refused", "error", err)
		e := &sparkwright.Error{Message: "The login did not work", Remedy: "Begin again at the first page"}
		status := http.StatusForbidden
		if told, ok := errors.AsType[*sparkwright.Error](err); ok {
			e = told
			if told.Code == sparkwright.CodeUnavailable {
				status = http.StatusServiceUnavailable
			}
		}
		a.page(w, status, e.Message, e.Remedy)
		return
	}
	a.begin(w, r, user, name, role, to)
}

func (a *Auth) arrive(r *http.Request) (user, name string, role access.Role, to string, err error) {
	refused := func(because string, err error) (string, string, access.Role, string, error) {
		return "", "", access.Nobody, "", &sparkwright.Error{
			Code: sparkwright.CodeUnauthorized, Message: "The login did not work", Because: because, Remedy: "Begin again at the first page", Err: err,
		}
	}
	o := a.cfg.OIDC
	var f flow
	c, absent := r.Cookie(flowCookie)
	if absent != nil {
		return refused("this browser has not begun it, or too long ago", absent)
	}
	text, bad := url.QueryUnescape(c.Value)
	if bad != nil || json.Unmarshal([]byte(text), &f) != nil || f.State == "" {
		return refused("the browser remembers it wrongly", bad)
	}
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1 {
		return refused("it was begun by somebody else", nil)
	}
	if iss := query.Get("iss"); iss != "" && iss != o.cfg.Issuer { // RFC 9207
		return refused("another provider has answered", nil)
	}
	if query.Get("error") != "" || query.Get("code") == "" {
		return refused("the provider has refused it", nil)
	}
	p, err := o.find(r.Context())
	if err != nil {
		return "", "", access.Nobody, "", err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(r.Context(), o.cfg.Client), 30*time.Second)
	defer cancel()
	tokens, err := o.config(p, a.base(r)).Exchange(ctx, query.Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return refused("the provider did not take the code", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := p.VerifierContext(oidc.ClientContext(context.WithoutCancel(ctx), o.cfg.Client), &oidc.Config{ClientID: o.cfg.ClientID, Now: a.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return refused("the ID token is not valid", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 {
		return refused("the ID token is of another login", nil)
	}
	var claims map[string]any
	if err = id.Claims(&claims); err != nil {
		return refused("the ID token cannot be read", err)
	}
	role = o.role(claims)
	if !role.Known() {
		return "", "", access.Nobody, "", &sparkwright.Error{
			Code: sparkwright.CodeUnauthorized, Message: "You may not use this server", Because: "no role is given to this login", Remedy: "Ask its administrator for a role",
		}
	}
	return "oidc:" + id.Subject, display(claims, id.Subject), role, inside(f.To), nil
}

// display is how a person is named to others.
func display(claims map[string]any, subject string) string {
	for _, claim := range []string{"email", "preferred_username", "name"} {
		if text, _ := claims[claim].(string); text != "" && len(text) <= 200 {
			return text
		}
	}
	return subject
}

// role is the highest role that the claims give.
func (o *OIDC) role(claims map[string]any) access.Role {
	var has []string
	switch v := claims[o.cfg.RoleClaim].(type) {
	case string:
		has = append(has, v)
	case []any:
		for _, item := range v {
			if text, ok := item.(string); ok {
				has = append(has, text)
			}
		}
	}
	if verified, _ := claims["email_verified"].(bool); verified {
		if email, _ := claims["email"].(string); email != "" {
			has = append(has, strings.ToLower(email))
		}
	}
	for _, g := range []struct {
		role access.Role
		who  []string
	}{{access.Admin, o.cfg.Admins}, {access.Analyst, o.cfg.Analysts}, {access.Viewer, o.cfg.Viewers}} {
		if slices.ContainsFunc(has, func(h string) bool { return slices.Contains(g.who, h) }) {
			return g.role
		}
	}
	return o.cfg.Default
}
