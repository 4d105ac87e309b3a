package netguard_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/netguard"
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	never := strings.Fields(`169.254.169.254 169.254.170.2 169.254.0.1 fe80::1 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 100.100.100.200 192.0.0.192 0.0.0.0 ::
		224.0.0.1 ff02::1 255.255.255.255 ::ffff:169.254.169.254 64:ff9b::169.254.169.254 64:ff9b:1::a9fe:a9fe 2002:a9fe:a9fe::1 ::169.254.169.254 fe80::1%eth0 ff01::1`)
	inside := strings.Fields(`127.0.0.1 127.8.8.8 ::1 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fd12::1 fc00::1 100.64.0.1 198.18.0.1 192.0.2.1
		240.0.0.1 0.1.2.3 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::10.0.0.1 2002:7f00:1::1 ::10.0.0.1 2001:db8::1 fec0::1 203.0.113.9 2001::1`)
	outside := strings.Fields(`1.1.1.1 8.8.8.8 172.15.0.1 172.32.0.1 192.169.0.1 2606:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8`)
	for _, group := range []struct {
		list            []string
		public, private bool
	}{{never, false, false}, {inside, false, true}, {outside, true, true}} {
		for _, text := range group.list {
			a := netip.MustParseAddr(text)
			if why := netguard.Public.Why(a); (why == "") != group.public {
				t.Errorf("public, %s: %q", text, why)
			}
			if why := netguard.Private.Why(a); (why == "") != group.private {
				t.Errorf("private, %s: %q", text, why)
			}
		}
	}
}

// rebinding answers with another address each time: its TTL is 0.
type rebinding struct {
	mu      sync.Mutex
	answers []string
	asked   int
}

func (r *rebinding) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []netip.Addr
	for text := range strings.FieldsSeq(r.answers[min(r.asked, len(r.answers)-1)]) {
		out = append(out, netip.MustParseAddr(text))
	}
	r.asked++
	return out, nil
}

// TestRebinding: what was checked is what is dialled, and it is asked once.
func TestRebinding(t *testing.T) {
	t.Parallel()
	names := &rebinding{answers: []string{"1.1.1.1", "169.254.169.254", "127.0.0.1"}}
	var dialled []string
	g := &netguard.Guard{Resolver: names, Dial: func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, errors.New("nobody is there")
	}}
	if _, err := g.DialContext(t.Context(), "tcp", "rebind.example:5432"); err == nil {
		t.Error("it answers")
	}
	if fmt.Sprint(dialled) != "[1.1.1.1:5432]" || names.asked != 1 {
		t.Errorf("dialled %v, asked %d times", dialled, names.asked)
	}
	if _, err := g.DialContext(t.Context(), "tcp", "rebind.example:5432"); len(dialled) != 1 {
		t.Errorf("the second answer is dialled: %v, %v", dialled, err)
	} else if e, ok := netguard.Refusal(err); !ok || e.Code != sparkwright.CodeUnauthorized || !strings.Contains(e.Because, "metadata") {
		t.Errorf("%v", err)
	}
}

// TestOneOfMany: one address inside refuses the name.
func TestOneOfMany(t *testing.T) {
	t.Parallel()
	g := &netguard.Guard{Resolver: &rebinding{answers: []string{"1.1.1.1 10.0.0.1"}}}
	if _, err := g.Resolve(t.Context(), "both.example"); err == nil {
		t.Error("it is let through")
	}
	if _, err := (&netguard.Guard{Resolver: &rebinding{answers: []string{""}}}).Resolve(t.Context(), "none.example"); err == nil {
		t.Error("a name without addresses is let through")
	}
}

// TestSpellings: forms of loopback that resolvers and libraries understand.
func TestSpellings(t *testing.T) {
	t.Parallel()
	g := &netguard.Guard{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("dialled") }}
	for _, host := range []string{"localhost", "127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "::1", "0", "::ffff:127.0.0.1", "169.254.169.254", "2852039166"} {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if _, err := g.DialContext(ctx, "tcp", net.JoinHostPort(host, "80")); err == nil || strings.Contains(err.Error(), "dialled") {
			t.Errorf("%s: %v", host, err)
		}
		cancel()
	}
}

func TestClient(t *testing.T) {
	t.Parallel()
	reached := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached++
		http.Redirect(w, r, "/again", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(srv.Close)
	get := func(p netguard.Policy) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		return (&netguard.Guard{Policy: p}).Client(5 * time.Second).Do(req)
	}
	if resp, err := get(netguard.Public); err == nil {
		_ = resp.Body.Close()
		t.Error("loopback is reached")
	} else if _, ok := netguard.Refusal(err); !ok {
		t.Errorf("%v", err)
	}
	resp, err := get(netguard.Private)
	if err != nil || resp.StatusCode != http.StatusTemporaryRedirect || reached != 1 {
		t.Fatalf("%v, %d requests", err, reached)
	}
	_ = resp.Body.Close()
}
