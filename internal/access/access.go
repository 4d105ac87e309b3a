// Package access says who asks and what they may do. The edge puts the
// identity of a request into its context; everything behind it that hands out
// something that belongs to somebody asks the context.
//
// A context without an identity is this process itself: the command line, the
// queue's own work. It may do everything.
package access

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Role is what a person may do; each role may do what the ones before it may.
type Role string

// The roles.
const (
	Nobody  Role = ""        // no login at all
	Viewer  Role = "viewer"  // looks at what is theirs and at shared connections
	Analyst Role = "analyst" // asks questions, keeps connections of their own
	Admin   Role = "admin"   // settings, shared connections, everybody's runs
)

// Known reports whether r is a role that a person can have.
func (r Role) Known() bool { return r == Viewer || r == Analyst || r == Admin }

// Allows reports whether a person of this role may do what needs that one.
func (r Role) Allows(need Role) bool { return rank(r) >= rank(need) }

func rank(r Role) int {
	switch r {
	case Viewer:
		return 1
	case Analyst:
		return 2
	case Admin:
		return 3
	case Nobody:
		return 0
	default:
		return -1 // a role that is not known may nothing
	}
}

// Way is how an identity was shown.
type Way string

// The ways.
const (
	Open   Way = "open"   // a request to loopback, where no login is asked for
	Token  Way = "token"  // the token of this installation
	Cookie Way = "cookie" // a session of the page
)

// Identity is who asks.
type Identity struct {
	User string // "" = the local user, who has started the server
	Name string // for people
	Role Role
	Way  Way
}

// Local is the user who has started the server, or holds its token.
func Local(way Way) Identity { return Identity{Name: "local user", Role: Admin, Way: way} }

type key struct{}

// With returns a context of that identity.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, key{}, id)
}

// From returns the identity of ctx; ok is false in this process's own work.
func From(ctx context.Context) (id Identity, ok bool) {
	id, ok = ctx.Value(key{}).(Identity)
	return id, ok
}

// User is who asks, as runs and sessions are kept under it; "" = the local
// user.
func User(ctx context.Context) string {
	id, _ := From(ctx)
	return id.User
}

// As returns a context in which that user's own work is done.
func As(ctx context.Context, user string) context.Context {
	if user == "" {
		return ctx
	}
	return With(ctx, Identity{User: user, Role: Analyst})
}

// MayUse reports whether the one who asks may read from a thing of that owner;
// "" = it is everybody's. The local user has the files of all of them anyway.
func MayUse(ctx context.Context, owner string) bool {
	id, ok := From(ctx)
	return !ok || owner == "" || id.User == "" || id.User == owner
}

// MayChange reports whether the one who asks may change a thing of that owner:
// everybody their own, admins everything.
func MayChange(ctx context.Context, owner string) bool {
	id, ok := From(ctx)
	return !ok || id.Role.Allows(Admin) || owner != "" && id.User == owner
}

// Ownership is whose a connection of that name becomes when the one who asks
// writes it: administrators make connections for everybody, and leave others'
// to them. CodeConflict when the name is taken by somebody else.
func Ownership(ctx context.Context, name string, exists bool, owner string) (string, error) {
	id, ok := From(ctx)
	switch {
	case !exists && (!ok || id.Role.Allows(Admin)):
		return "", nil
	case !exists:
		return id.User, nil
	case MayChange(ctx, owner):
		return owner, nil
	case owner == "":
		return "", Denied(Admin)
	default:
		return "", &sparkwright.Error{Code: sparkwright.CodeConflict, Message: "the name " + name + " is taken", Remedy: "choose another name"}
	}
}

// MaySee reports whether the one who asks may look at a run of that user.
func MaySee(ctx context.Context, user string) bool {
	id, ok := From(ctx)
	return !ok || id.Role.Allows(Admin) || id.User == user
}

// Denied is what is said to somebody whose role does not suffice.
func Denied(need Role) *sparkwright.Error {
	return &sparkwright.Error{
		Code: sparkwright.CodeUnauthorized, Message: "this needs the role " + string(need),
		Remedy: "ask an administrator of this server for it",
	}
}

// Login is a page that somebody is logged in with.
type Login struct {
	Hash    string // of what the cookie holds
	User    string
	Name    string
	Role    Role
	Expires time.Time
}
