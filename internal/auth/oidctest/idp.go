// Package oidctest is an OpenID Connect provider for tests. It speaks the real
// protocol and insists on it: discovery, authorization codes that are good once,
// exact redirect addresses, PKCE with S256, ID tokens signed with RS256.
package oidctest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// The one client that the provider knows.
const (
	ClientID     = "sparkwright"
	ClientSecret = "canary-client-secret"
)

// Provider is a running provider.
type Provider struct {
	URL string
	// Person is who logs in: claims of the ID token, beside those of the protocol.
	Person map[string]any
	// Redirect is the only redirect address that is taken.
	Redirect string
	// Spoil changes the claims of an ID token before it is signed; may be nil.
	Spoil func(claims map[string]any)
	// Forge signs with a key that the provider has not published.
	Forge bool
	// Asked counts the calls of the token endpoint.
	Asked int

	key, other *rsa.PrivateKey
	mu         sync.Mutex
	codes      map[string]url.Values // of the authorization request
}

// New starts a provider; it ends with the test.
func New(t *testing.T) *Provider {
	t.Helper()
	p := &Provider{codes: map[string]url.Values{}, key: newKey(t), other: newKey(t)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p.URL = srv.URL
	return p
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may have left
}

func (p *Provider) discovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "code_challenge_methods_supported": []string{"S256"},
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": encode(p.key.N.Bytes()), "e": encode(big.NewInt(int64(p.key.E)).Bytes()),
	}}})
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// authorize logs the person in at once.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("redirect_uri") != p.Redirect || q.Get("response_type") != "code" ||
		q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" || q.Get("nonce") == "" {
		http.Error(w, "the request is not what the protocol demands: "+r.URL.RawQuery, http.StatusBadRequest)
		return
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	code := encode(b[:])
	p.mu.Lock()
	p.codes[code] = q
	p.mu.Unlock()
	back := url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {p.URL}}
	http.Redirect(w, r, p.Redirect+"?"+back.Encode(), http.StatusFound)
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Asked++
	fail := func(why string) { reply(w, http.StatusBadRequest, map[string]any{"error": why}) }
	if r.ParseForm() != nil || r.PostForm.Get("grant_type") != "authorization_code" {
		fail("unsupported_grant_type")
		return
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id != ClientID || secret != ClientSecret {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client"})
		return
	}
	asked, known := p.codes[r.PostForm.Get("code")]
	delete(p.codes, r.PostForm.Get("code"))
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	if !known || encode(sum[:]) != asked.Get("code_challenge") || r.PostForm.Get("redirect_uri") != p.Redirect {
		fail("invalid_grant")
		return
	}
	now := time.Now()
	claims := map[string]any{"iss": p.URL, "aud": ClientID, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": asked.Get("nonce")}
	maps.Copy(claims, p.Person)
	if p.Spoil != nil {
		p.Spoil(claims)
	}
	reply(w, http.StatusOK, map[string]any{"access_token": "none", "token_type": "Bearer", "expires_in": 3600, "id_token": p.sign(claims)})
}

func (p *Provider) sign(claims map[string]any) string {
	head, _ := json.Marshal(map[string]any{"alg": "RS256", "kid": "k1", "typ": "JWT"}) // plain values: it cannot fail
	body, _ := json.Marshal(claims)                                                    // likewise
	text := encode(head) + "." + encode(body)
	sum := sha256.Sum256([]byte(text))
	key := p.key
	if p.Forge {
		key = p.other
	}
	signature, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:]) // of a key that was just made
	return text + "." + encode(signature)
}
