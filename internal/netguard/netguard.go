// Package netguard opens connections to hosts that users have named. The name
// is looked up once, every address that it has is checked, and a checked address
// is what is dialled: a name that means something else a moment later (DNS
// rebinding) leads nowhere new.
//
// Nobody reaches link-local addresses, among them the metadata services of
// clouds. Loopback and private addresses are for those whom the policy trusts
// with the inner network.
package netguard

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Policy says which addresses may be reached.
type Policy int

// The policies.
const (
	// Public is the internet: neither this machine nor private networks.
	Public Policy = iota
	// Private is everything but link-local and metadata addresses.
	Private
)

// Resolver looks names up. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Guard dials checked addresses. It is safe for concurrent use.
type Guard struct {
	Policy   Policy
	Resolver Resolver // nil = the system's
	// Dial opens a connection to an address; nil = net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Error says why an address may not be reached.
type Error struct {
	Host string
	Addr netip.Addr
	Why  string
}

// Error implements error.
func (e *Error) Error() string {
	return "connections to " + e.Host + " are refused: " + e.Addr.String() + " is " + e.Why
}

// Refused is the error for people.
func (e *Error) Refused() *sparkwright.Error {
	return &sparkwright.Error{
		Code: sparkwright.CodeUnauthorized, Message: "connections to " + e.Host + " are refused", Because: e.Addr.String() + " is " + e.Why,
		Remedy: "an administrator can make the connection, or set network.private_addresses", Err: e,
	}
}

// Refusal is the error for people in err, when there is one.
func Refusal(err error) (*sparkwright.Error, bool) {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Refused(), true
	}
	return nil, false
}

// metadata are addresses of metadata services that no range below has: those
// of Amazon over IPv6, of Alibaba and of Oracle.
func metadata(a netip.Addr) bool {
	switch a.String() {
	case "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "100.100.100.200", "192.0.0.192":
		return true
	}
	return false
}

// Why says why a policy refuses an address; "" = it does not. Addresses that
// have an IPv4 address inside count as that one.
func (p Policy) Why(a netip.Addr) string {
	if a.Zone() != "" {
		return "of one link only"
	}
	a = inner(a.Unmap())
	switch {
	case !a.IsValid():
		return "no address"
	case a.IsUnspecified():
		return "no address of one machine"
	case metadata(a):
		return "a metadata service"
	case a.IsLinkLocalUnicast(): // 169.254.0.0/16, fe80::/10
		return "link-local, where clouds have their metadata services"
	case a.IsMulticast(), a.IsInterfaceLocalMulticast(), a.IsLinkLocalMulticast(), a.String() == "255.255.255.255":
		return "an address of many machines"
	}
	if p == Private {
		return ""
	}
	if a.IsLoopback() {
		return "this machine"
	}
	if a.IsPrivate() {
		return "in a private network"
	}
	for _, r := range special() {
		if r.Contains(a) {
			return "in a network of special purpose"
		}
	}
	return ""
}

// special are further ranges that are not the internet (RFC 6890 and its
// successors).
func special() []netip.Prefix {
	list := []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
	}
	out := make([]netip.Prefix, len(list))
	for i, text := range list {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// inner is the IPv4 address that a translated one leads to: NAT64, 6to4 and
// the old IPv4-compatible form.
func inner(a netip.Addr) netip.Addr {
	if !a.Is6() {
		return a
	}
	b := a.As16()
	four := func(at int) netip.Addr { return netip.AddrFrom4([4]byte(b[at : at+4])) }
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return four(12)
	case netip.MustParsePrefix("64:ff9b:1::/48").Contains(a):
		return four(12)
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return four(2)
	case netip.MustParsePrefix("::/96").Contains(a) && a != netip.IPv6Unspecified() && a != netip.IPv6Loopback():
		return four(12)
	}
	return a
}

// Resolve looks a host up and checks every address that it has; one that is
// refused refuses all: a name that leads inside and outside is an attack, or a
// mistake.
func (g *Guard) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs := []netip.Addr{}
	if literal, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, literal)
	} else {
		resolver := g.Resolver
		if resolver == nil {
			resolver = net.DefaultResolver
		}
		if addrs, err = resolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, err
		}
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	for _, a := range addrs {
		if why := g.Policy.Why(a); why != "" {
			return nil, &Error{Host: host, Addr: a.Unmap(), Why: why}
		}
	}
	return addrs, nil
}

// LookupHost is Resolve for drivers that look names up by themselves and then
// dial an address.
func (g *Guard) LookupHost(ctx context.Context, host string) ([]string, error) {
	addrs, err := g.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(addrs))
	for i, a := range addrs {
		out[i] = a.Unmap().String()
	}
	return out, nil
}

// DialContext connects to HOST:PORT: to an address that was checked, never to
// the name.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := g.Resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	dial := g.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTime, KeepAlive: 30 * time.Second}).DialContext
	}
	var errs []error
	for _, a := range addrs {
		conn, err := dial(ctx, network, net.JoinHostPort(a.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

const dialTime = 10 * time.Second

// Client calls HTTP servers that people have named. Redirects are not
// followed: they would take a key to where nobody has sent it.
func (g *Guard) Client(timeout time.Duration) *http.Client {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: g.DialContext, ForceAttemptHTTP2: true, MaxIdleConns: 20, IdleConnTimeout: time.Minute,
		TLSHandshakeTimeout: dialTime, ResponseHeaderTimeout: timeout,
	}
	return &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
