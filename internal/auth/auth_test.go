package auth_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/auth"
	"github.com/sparkwright/sparkwright/internal/auth/oidctest"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/store"
)

// bundle is a server with nothing but logins.
type bundle struct {
	home   string
	tokens *auth.Tokens
	auth   *auth.Auth
	store  *store.Store
	now    time.Time
	url    string
}

func setup(t *testing.T, change func(*auth.Config)) *bundle {
	t.Helper()
	b := &bundle{home: t.TempDir(), now: time.Now()}
	st, err := store.Open(t.Context(), filepath.Join(b.home, "sparkwright.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	b.store, b.tokens = st, auth.NewTokens(b.home)
	cfg := auth.Config{Tokens: b.tokens, Store: st, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return b.now }}
	if change != nil {
		change(&cfg)
	}
	b.auth = auth.New(cfg)
	mounts := map[string]http.Handler{"GET /thing": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := access.From(r.Context())
		_, _ = io.WriteString(w, who.User+" "+string(who.Role)+" "+string(who.Way))
	})}
	mounts["POST /api/v1/runs"] = mounts["GET /thing"]
	maps.Copy(mounts, b.auth.Handlers())
	srv := httptest.NewServer(server.New(server.Config{Auth: b.auth, Log: slog.New(slog.DiscardHandler), Hosts: []string{"127.0.0.1"}, Mounts: mounts}))
	t.Cleanup(srv.Close)
	b.url = srv.URL
	return b
}

// browser keeps cookies, follows redirects and refreshes, and sends what
// browsers send.
type browser struct {
	t      *testing.T
	client *http.Client
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, client: &http.Client{Jar: jar}}
}

func (b *browser) send(method, address string, edit func(*http.Request)) (int, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	if edit != nil {
		edit(req)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func TestToken(t *testing.T) {
	t.Parallel()
	b, w := setup(t, nil), newBrowser(t)
	token, err := b.tokens.Show()
	if err != nil || len(token) != 3+43 {
		t.Fatalf("token of %d characters, %v", len(token), err)
	}
	if again, bad := b.tokens.Show(); bad != nil || again != token {
		t.Errorf("another one was made: %v", bad)
	}
	if info, bad := os.Stat(filepath.Join(b.home, auth.TokenFile)); bad != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, bad)
	}
	if status, text := w.send("GET", b.url+"/thing", bearer(token)); status != 200 || text != " admin token" {
		t.Errorf("HTTP %d: %s", status, text)
	}
	for _, wrong := range []string{"", "x", token[:len(token)-1], token + "x", strings.ToUpper(token), "sw_" + auth.Random()} {
		if status, _ := w.send("GET", b.url+"/thing", bearer(wrong)); status != 401 {
			t.Errorf("%q gives HTTP %d", wrong, status)
		}
	}
	if status, _ := w.send("GET", b.url+"/thing", func(r *http.Request) { r.SetBasicAuth("x", token) }); status != 401 {
		t.Errorf("another scheme gives HTTP %d", status)
	}
	next, err := b.tokens.Rotate()
	if err != nil || next == token {
		t.Fatal(err)
	}
	if status, _ := w.send("GET", b.url+"/thing", bearer(token)); status != 401 {
		t.Errorf("the old token gives HTTP %d", status)
	}
	if status, _ := w.send("GET", b.url+"/thing", bearer(next)); status != 200 {
		t.Errorf("the new token gives HTTP %d", status)
	}
	if err := os.Chmod(filepath.Join(b.home, auth.TokenFile), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := auth.NewTokens(b.home).Show(); err == nil || !strings.Contains(err.Error(), "others may read it") {
		t.Errorf("a file that others may read: %v", err)
	}
}

// TestOpen: on loopback nothing need be brought; what is brought must be right.
func TestOpen(t *testing.T) {
	t.Parallel()
	b, w := setup(t, func(c *auth.Config) { c.Open = true }), newBrowser(t)
	if status, text := w.send("GET", b.url+"/thing", nil); status != 200 || text != " admin open" {
		t.Errorf("HTTP %d: %s", status, text)
	}
	if status, _ := w.send("GET", b.url+"/thing", bearer("wrong")); status != 401 {
		t.Errorf("a wrong token gives HTTP %d", status)
	}
}

func TestLaunchLink(t *testing.T) {
	t.Parallel()
	b, w := setup(t, nil), newBrowser(t)
	if status, text := w.send("GET", b.url+"/thing", nil); status != 401 || !strings.Contains(text, "needs a login") {
		t.Errorf("nobody gets HTTP %d: %s", status, text)
	}
	link := b.auth.Link(b.url)
	status, text := w.send("GET", link, nil)
	if status != 200 || !strings.Contains(text, `content="0;url=/"`) {
		t.Fatalf("HTTP %d: %s", status, text)
	}
	if status, text := w.send("GET", b.url+"/thing", nil); status != 200 || text != " admin cookie" {
		t.Errorf("HTTP %d: %s", status, text)
	}
	if status, _ := newBrowser(t).send("GET", link, nil); status != 403 {
		t.Errorf("the link is good twice: HTTP %d", status)
	}
	late := b.auth.Link(b.url)
	b.now = b.now.Add(16 * time.Minute)
	if status, _ := newBrowser(t).send("GET", late, nil); status != 403 {
		t.Errorf("the link is good for ever: HTTP %d", status)
	}
	if status, _ := newBrowser(t).send("GET", b.url+"/auth/launch?code=", nil); status != 403 {
		t.Errorf("no code gives HTTP %d", status)
	}
	// A cookie alone changes nothing; the page itself may.
	if status, _ := w.send("POST", b.url+"/api/v1/runs", nil); status != 403 {
		t.Errorf("a cookie alone: HTTP %d", status)
	}
	if status, _ := w.send("POST", b.url+"/api/v1/runs", func(r *http.Request) { r.Header.Set("Origin", b.url) }); status != 200 {
		t.Errorf("the page: HTTP %d", status)
	}
	if status, _ := w.send("POST", b.url+"/auth/link", func(r *http.Request) { r.Header.Set("Origin", b.url) }); status != 200 {
		t.Errorf("a new link: HTTP %d", status)
	}
	page := func(r *http.Request) { r.Header.Set("Origin", b.url) }
	if status, _ := w.send("POST", b.url+"/auth/logout", page); status != 204 {
		t.Errorf("HTTP %d", status)
	}
	if status, _ := w.send("GET", b.url+"/thing", nil); status != 401 {
		t.Errorf("after the logout: HTTP %d", status)
	}
}

// TestCookie: what the cookie is made of, and that it ends.
func TestCookie(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *auth.Config) { c.Public = "https://ask.example.com" })
	w := httptest.NewRecorder()
	link, err := url.Parse(b.auth.Link(""))
	if err != nil {
		t.Fatal(err)
	}
	b.auth.Handlers()["GET /auth/launch"].ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", link.String(), nil))
	c := w.Result().Cookies()[0]
	if c.Name != "__Host-sparkwright" || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || len(c.Value) != 43 {
		t.Errorf("%+v", c)
	}
	content, err := os.ReadFile(filepath.Join(b.home, "sparkwright.db-wal"))
	if err != nil || len(content) == 0 || strings.Contains(string(content), c.Value) {
		t.Errorf("the cookie's value is in the database: %v", err)
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "https://ask.example.com/", nil)
	r.AddCookie(c)
	if who, ok := b.auth.Identify(r); !ok || who.Way != access.Cookie {
		t.Errorf("%+v", who)
	}
	b.now = b.now.Add(13 * time.Hour)
	if who, ok := b.auth.Identify(r); ok {
		t.Errorf("it does not end: %+v", who)
	}
}

func withProvider(t *testing.T, role access.Role) (*bundle, *oidctest.Provider) {
	t.Helper()
	p := oidctest.New(t)
	b := setup(t, func(c *auth.Config) {
		c.OIDC = auth.NewOIDC(auth.OIDCConfig{
			Issuer: p.URL, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, RoleClaim: "groups",
			Admins: []string{"data-admins", "boss@example.com"}, Analysts: []string{"data"}, Viewers: []string{"staff"}, Default: role, Client: http.DefaultClient, //nolint:forbidigo // a test
		})
	})
	p.Redirect = b.url + "/auth/callback"
	return b, p
}

func TestOIDC(t *testing.T) {
	t.Parallel()
	b, p := withProvider(t, access.Nobody)
	for _, test := range []struct {
		name   string
		person map[string]any
		want   string // "" = refused
	}{
		{"an analyst", map[string]any{"sub": "1", "email": "ann@example.com", "groups": []string{"staff", "data"}}, "oidc:1 analyst cookie"},
		{"a viewer by one group", map[string]any{"sub": "2", "groups": "staff"}, "oidc:2 viewer cookie"},
		{"an admin by address", map[string]any{"sub": "3", "email": "Boss@example.com", "email_verified": true}, "oidc:3 admin cookie"},
		{"an address that nobody has verified", map[string]any{"sub": "4", "email": "boss@example.com"}, ""},
		{"nobody's group", map[string]any{"sub": "5", "groups": []string{"other"}}, ""},
		{"a group of another type", map[string]any{"sub": "6", "groups": map[string]any{"data": true}}, ""},
	} {
		p.Person = test.person
		w := newBrowser(t)
		status, text := w.send("GET", b.url+"/thing", nil) // to the provider and back
		if (status == 200) != (test.want != "") {
			t.Errorf("%s: HTTP %d: %s", test.name, status, text)
		}
		if status, text = w.send("GET", b.url+"/thing", func(r *http.Request) { r.Header.Del("Accept") }); test.want == "" {
			if status != 401 {
				t.Errorf("%s: HTTP %d: %s", test.name, status, text)
			}
		} else if status != 200 || text != test.want {
			t.Errorf("%s: HTTP %d: %s", test.name, status, text)
		}
		if test.want != "" {
			_, text = w.send("GET", b.url+"/auth/me", nil)
			var me map[string]string
			if err := json.Unmarshal([]byte(text), &me); err != nil || me["user"] != "oidc:"+test.person["sub"].(string) { //nolint:forcetypeassert // the test's own
				t.Errorf("%s: %s", test.name, text)
			}
		}
	}
}

// TestOIDCAttacks: each is one thing that is wrong on the way back.
func TestOIDCAttacks(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(b *bundle, p *oidctest.Provider, w *browser) (status int, text string){
		"a nonce of another login": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			p.Spoil = func(c map[string]any) { c["nonce"] = "other" }
			return w.send("GET", b.url+"/auth/login", nil)
		},
		"another audience": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			p.Spoil = func(c map[string]any) { c["aud"] = "somebody-else" }
			return w.send("GET", b.url+"/auth/login", nil)
		},
		"another issuer": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			p.Spoil = func(c map[string]any) { c["iss"] = "https://evil.example" }
			return w.send("GET", b.url+"/auth/login", nil)
		},
		"an old token": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			p.Spoil = func(c map[string]any) { c["exp"] = 1 }
			return w.send("GET", b.url+"/auth/login", nil)
		},
		"a forged signature": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			p.Forge = true
			return w.send("GET", b.url+"/auth/login", nil)
		},
		"no login begun here": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			return w.send("GET", p.Redirect+"?code=x&state=y", nil)
		},
		"the state of another browser": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			back := comeBack(w, b)
			return w.send("GET", regexp.MustCompile(`state=[^&]*`).ReplaceAllString(back, "state=other"), nil)
		},
		"a code that was stolen": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) { // PKCE: it is worth nothing elsewhere
			stolen, _ := url.Parse(comeBack(newBrowser(w.t), b))
			own, _ := url.Parse(comeBack(w, b))
			q := own.Query()
			q.Set("code", stolen.Query().Get("code"))
			own.RawQuery = q.Encode()
			return w.send("GET", own.String(), nil)
		},
		"another provider's answer": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			back, _ := url.Parse(comeBack(w, b))
			q := back.Query()
			q.Set("iss", "https://evil.example")
			back.RawQuery = q.Encode()
			return w.send("GET", back.String(), nil)
		},
		"a refusal": func(b *bundle, p *oidctest.Provider, w *browser) (int, string) {
			back, _ := url.Parse(comeBack(w, b))
			q := back.Query()
			q.Set("error", "<script>access_denied</script>")
			back.RawQuery = q.Encode()
			return w.send("GET", back.String(), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, p := withProvider(t, access.Analyst)
			p.Person = map[string]any{"sub": "1"}
			w := newBrowser(t)
			status, text := attack(b, p, w)
			if status != 403 || strings.Contains(text, "<script") {
				t.Errorf("HTTP %d: %s", status, text)
			}
			if status, _ = w.send("GET", b.url+"/thing", func(r *http.Request) { r.Header.Del("Accept") }); status != 401 {
				t.Errorf("it is logged in: HTTP %d", status)
			}
		})
	}
}

// comeBack goes to the provider and returns where it sends the browser.
func comeBack(w *browser, b *bundle) (address string) {
	w.t.Helper()
	w.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), b.url+"/auth/callback") {
			address = r.URL.String()
			return http.ErrUseLastResponse
		}
		return nil
	}
	w.send("GET", b.url+"/auth/login", nil)
	w.client.CheckRedirect = nil
	if address == "" {
		w.t.Fatal("the provider sends nobody back")
	}
	return address
}

// TestProviderAway: people are told, and the server lives on.
func TestProviderAway(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *auth.Config) {
		c.OIDC = auth.NewOIDC(auth.OIDCConfig{Issuer: "http://127.0.0.1:1", ClientID: "x", Client: &http.Client{Timeout: time.Second}})
	})
	if status, text := newBrowser(t).send("GET", b.url+"/auth/login", nil); status != 503 || !strings.Contains(text, "does not answer") {
		t.Errorf("HTTP %d: %s", status, text)
	}
}

// TestLoginLeadsInside: after a login nobody is sent to another site.
func TestLoginLeadsInside(t *testing.T) {
	t.Parallel()
	b, p := withProvider(t, access.Analyst)
	p.Person = map[string]any{"sub": "1"}
	for to, want := range map[string]string{
		"/runs/r1": "/runs/r1", "": "/", "https://evil.example": "/", "//evil.example": "/", `/\evil.example`: "/", "/auth/logout": "/",
		"javascript:alert(1)": "/", "/\tx": "/", `/"><script>`: "/&#34;&gt;&lt;script&gt;",
	} {
		status, text := newBrowser(t).send("GET", b.url+"/auth/login?to="+url.QueryEscape(to), nil)
		if status != 200 || !strings.Contains(text, `content="0;url=`+want+`"`) {
			t.Errorf("%q leads to HTTP %d: %s", to, status, text)
		}
	}
}
