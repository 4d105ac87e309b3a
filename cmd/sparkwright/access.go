package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/auth"
	"github.com/sparkwright/sparkwright/internal/netguard"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// The ways of serve --auth.
const (
	authOpen  = "open"
	authToken = "token"
	authOIDC  = "oidc"
)

// listening is where a server listens and whom it lets in.
type listening struct {
	addr      string // HOST
	port      int
	auth      string // "" = as it must be
	public    string // https://ask.example.com
	cert, key string
	origins   []string
	demo      bool
}

// loopback reports whether only this machine reaches the address.
func (l *listening) loopback() bool {
	if strings.EqualFold(l.addr, "localhost") {
		return true
	}
	ip := net.ParseIP(l.addr)
	return ip != nil && ip.IsLoopback()
}

// check refuses what would let in whom nobody has meant. Without a login the
// server is for this machine alone: it listens on loopback, and no proxy
// speaks for it.
func (l *listening) check(s *settings.Settings) error {
	invalid := func(message, because, remedy string) error {
		return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: message, Because: because, Remedy: remedy}
	}
	if net.ParseIP(l.addr) == nil && !strings.EqualFold(l.addr, "localhost") {
		return invalid("the address "+l.addr+" cannot be listened on", "it is no IP address", "give an address of this machine to --addr")
	}
	if l.auth == "" {
		switch {
		case s.Auth.OIDCIssuer != "":
			l.auth = authOIDC
		case l.loopback() && l.public == "":
			l.auth = authOpen
		}
	}
	if l.public != "" {
		u, err := url.Parse(l.public)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return invalid("--public-url cannot be used", "it is no https://HOST", "write it as https://ask.example.com")
		}
		l.public = u.Scheme + "://" + u.Host
	}
	switch l.auth {
	case authOpen, "":
		if !l.loopback() || l.public != "" {
			return invalid("the server would be open to everybody who reaches "+cmp.Or(l.public, l.addr), "nobody would have to log in",
				"add --auth token, or configure auth.oidc_issuer; without a login listen on 127.0.0.1 and leave --public-url out")
		}
	case authToken:
	case authOIDC:
		if s.Auth.OIDCIssuer == "" || s.Auth.OIDCClientID == "" {
			return invalid("there is no OpenID Connect provider", "auth.oidc_issuer or auth.oidc_client_id is not set", "set both, or use --auth token")
		}
		if s.Spark.SupervisorARN != "" {
			return invalid("spark.supervisor_arn and several users exclude one another", "the runtime that it names knows no users", "leave one of them out")
		}
	default:
		return invalid("there is no --auth "+l.auth, "", "use open, token or oidc")
	}
	if (l.cert == "") != (l.key == "") {
		return invalid("--tls-cert and --tls-key belong together", "", "give both")
	}
	if !l.loopback() && l.cert == "" && !strings.HasPrefix(l.public, "https://") {
		return invalid("logins would travel unprotected", l.addr+" can be reached from elsewhere, without TLS",
			"add --tls-cert and --tls-key; or --public-url https://… when a proxy before this server does TLS")
	}
	return nil
}

// hosts are the names by which the server may be called.
func (l *listening) hosts() []string {
	names := []string{"127.0.0.1", "localhost", "::1"}
	if ip := net.ParseIP(l.addr); ip != nil && !ip.IsUnspecified() {
		names = append(names, ip.String())
	}
	if u, err := url.Parse(l.public); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
	}
	return names
}

// base is how the server is called from this machine.
func (l *listening) base(address string) string {
	if l.public != "" {
		return l.public
	}
	if l.cert != "" {
		return "https://" + address
	}
	return "http://" + address
}

// authenticator makes what finds out who asks. openStore must have been called.
func (a *app) authenticator(ctx context.Context, l *listening) (*auth.Auth, error) {
	tokens := auth.NewTokens(a.home)
	if _, err := tokens.Show(); err != nil { // there is one from now on
		return nil, err
	}
	cfg := auth.Config{
		Tokens: tokens, Store: a.store, Open: l.auth == authOpen, Public: l.public, Life: time.Duration(a.settings.Auth.SessionHours) * time.Hour, Log: a.log,
	}
	if l.auth == authOIDC {
		o := a.settings.Auth
		client := auth.OIDCConfig{
			Issuer: o.OIDCIssuer, ClientID: o.OIDCClientID, RoleClaim: o.OIDCRoleClaim, Default: access.Role(o.OIDCDefaultRole),
			Admins: names(o.OIDCAdmins), Analysts: names(o.OIDCAnalysts), Viewers: names(o.OIDCViewers),
			Client: (&netguard.Guard{Policy: netguard.Private}).Client(20 * time.Second),
		}
		if o.OIDCClientSecret != "" {
			cred, err := secret.Resolve(ctx, sparkwright.Connection{Name: "auth.oidc_client_secret", Secret: o.OIDCClientSecret})
			if err != nil {
				return nil, err
			}
			client.ClientSecret = cred.Password
		}
		cfg.OIDC = auth.NewOIDC(client)
	}
	return auth.New(cfg), nil
}

// names are the parts of a list with commas.
func names(list string) []string {
	var out []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			out = append(out, name)
		}
	}
	return out
}

func newTokenCommand(app *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "token", Short: "Show or replace the token of this installation",
		Long: "The token is what programs send to sparkwright serve: Authorization: Bearer TOKEN.\nWho has it is an administrator. It is in a file of the data directory that only you\ncan read.",
	}
	run := func(use, short string, do func(*auth.Tokens, *cobra.Command) (string, error)) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := app.loadSettings(); err != nil {
				return err
			}
			text, err := do(auth.NewTokens(app.home), cmd)
			if err != nil {
				return err
			}
			if app.json {
				return json.NewEncoder(plainJSON{app.stdout}).Encode(map[string]string{use: text})
			}
			app.printf("%s\n", clean(text))
			return nil
		}}
	}
	link := run("link", "Make a link that opens the page of a running server, once", nil)
	server := link.Flags().String("server", "http://127.0.0.1:8000", "address of the server")
	link.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := app.loadSettings(); err != nil {
			return err
		}
		text, err := app.loginLink(cmd.Context(), *server)
		if err != nil {
			return err
		}
		app.printf("%s\n", clean(text))
		return nil
	}
	cmd.AddCommand(
		run("show", "Print the token; one is made when there is none", func(t *auth.Tokens, _ *cobra.Command) (string, error) { return t.Show() }),
		run("rotate", "Replace the token; the old one and the pages that were opened with it are worth nothing any more", func(t *auth.Tokens, cmd *cobra.Command) (string, error) {
			st, err := app.openStore(cmd.Context())
			if err != nil {
				return "", err
			}
			token, err := t.Rotate()
			if err == nil {
				err = st.RemoveLogins(cmd.Context(), "")
			}
			return token, err
		}), link,
	)
	return cmd
}

// loginLink asks a running server for a one-time link.
func (a *app) loginLink(ctx context.Context, server string) (string, error) {
	token, err := auth.NewTokens(a.home).Show()
	if err != nil {
		return "", err
	}
	unreachable := func(err error) error {
		return &sparkwright.Error{
			Code: sparkwright.CodeUnavailable, Message: "the server " + server + " makes no link", Because: "it does not answer, or is one of another data directory",
			Remedy: "name the running server with --server", Err: err,
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(server, "/")+"/auth/link", nil)
	if err != nil {
		return "", unreachable(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return "", unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var body struct {
		Link string `json:"link"`
	}
	if resp.StatusCode != http.StatusOK || json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 64<<10)).Decode(&body) != nil || body.Link == "" {
		return "", unreachable(nil)
	}
	return body.Link, nil
}

func newAuditCommand(app *app) *cobra.Command {
	var user string
	var limit int
	cmd := &cobra.Command{
		Use: "audit", Short: "Show what was done over HTTP, and by whom", Args: cobra.NoArgs,
		Long: "Show what was done over HTTP, the newest first. The log is in the run database, which\nrefuses to change or delete its rows. It names what was done, never what was in it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			st, err := app.openStore(cmd.Context())
			if err != nil {
				return err
			}
			list, err := st.Audit(cmd.Context(), user, 0, limit)
			if err != nil {
				return err
			}
			if app.json {
				if list == nil {
					list = []access.Entry{}
				}
				return json.NewEncoder(plainJSON{app.stdout}).Encode(list)
			}
			for i := range list {
				e := &list[i]
				app.printf("%s  %3d  %-8s %-24s %s\n", e.At.Local().Format(time.DateTime), e.Status, e.Way, clean(cmp.Or(e.Name, e.User, "-")),
					clean(strings.Join(strings.Fields(e.Action+" "+e.Object+" "+e.Note), " ")))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "only of this user")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many entries")
	return cmd
}
