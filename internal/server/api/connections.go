package api

import (
	"context"
	"net/http"

	"github.com/sparkwright/sparkwright"
)

// Connections keeps the connections. Errors are *sparkwright.Error;
// CodeNotFound for a name that is not there.
type Connections interface {
	Connections(ctx context.Context) ([]Connection, error)
	// PutConnection makes a connection or replaces the one of that name.
	// CodeConflict when it must be new and is not.
	PutConnection(ctx context.Context, c ConnectionChange, mustBeNew bool) (*Connection, error)
	DeleteConnection(ctx context.Context, name string) error
	TestConnection(ctx context.Context, name string) (*ConnectionTest, error)
	// TryConnection is TestConnection for one that is not saved, or that would be
	// changed so. Nothing is kept.
	TryConnection(ctx context.Context, c ConnectionChange) (*ConnectionTest, error)
}

// Connection is a PostgreSQL database. It never holds a password.
type Connection struct {
	Name        string                 `json:"name"`
	Description string                 `json:"description,omitempty"`
	Enabled     bool                   `json:"enabled"`
	Host        string                 `json:"host,omitempty"`
	Port        int                    `json:"port,omitempty"`
	Database    string                 `json:"database,omitempty"`
	User        string                 `json:"user,omitempty"`
	AuthMethod  sparkwright.AuthMethod `json:"auth_method,omitempty"`
	TLS         sparkwright.TLSMode    `json:"tls,omitempty"`
	RootCert    string                 `json:"root_cert,omitempty"`
	HasSecret   bool                   `json:"has_secret" doc:"A password or a secret is known for it"`
	Demo        bool                   `json:"demo,omitempty" doc:"The built-in demo data"`
}

// ConnectionChange is what a client says of a connection. The password is
// taken and never given back.
type ConnectionChange struct {
	Name       string `json:"name" minLength:"1" maxLength:"100" pattern:"^[^./]+$" patternDescription:"a name without dots and slashes"`
	Host       string `json:"host,omitempty" maxLength:"253"`
	Port       int    `json:"port,omitempty" minimum:"1" maximum:"65535" default:"5432"`
	Database   string `json:"database,omitempty" maxLength:"63" default:"postgres"`
	User       string `json:"user,omitempty" maxLength:"63"`
	AuthMethod string `json:"auth_method,omitempty" enum:"user_password,secrets_manager,iam" default:"user_password"`
	TLS        string `json:"tls,omitempty" enum:"disable,require,verify-ca,verify-full"`
	RootCert   string `json:"root_cert,omitempty" maxLength:"1024"`
	Secret     string `json:"secret,omitempty" writeOnly:"true" maxLength:"2048" doc:"Where the password is: env:NAME, file:PATH or aws-sm:ARN"`
	Password   string `json:"password,omitempty" writeOnly:"true" maxLength:"4096" doc:"Kept in a file that only the server can read"`
}

// ConnectionTest is what a login saw.
type ConnectionTest struct {
	OK       bool     `json:"ok"`
	Saw      []string `json:"saw,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	CanWrite bool     `json:"can_write" doc:"The login may change data; one that may only read is better"`
	Tables   int      `json:"tables" doc:"Tables and views that are there"`
	Readable int      `json:"readable" doc:"Those that the login may read"`
	Problem  *Problem `json:"problem,omitempty" doc:"Why it did not work"`
}

// ConnectionList are all connections.
type ConnectionList struct {
	Connections []Connection `json:"connections"`
}

// ConnectionPath names a connection.
type ConnectionPath struct {
	Name string `path:"name" maxLength:"164"`
}

func (a *API) registerConnections() {
	register(a, operation("list-connections", http.MethodGet, "/connections", "List connections", "connections"),
		func(ctx context.Context, _ *struct{}) (*body[ConnectionList], error) {
			if a.cfg.Connections == nil {
				return nil, absent("connections")
			}
			list, err := a.cfg.Connections.Connections(ctx)
			if list == nil {
				list = []Connection{}
			}
			return reply(ConnectionList{Connections: list}, err)
		})
	create := operation("create-connection", http.MethodPost, "/connections", "Add a connection", "connections")
	create.DefaultStatus = http.StatusCreated
	register(a, create, func(ctx context.Context, in *struct{ Body ConnectionChange }) (*body[Connection], error) {
		return a.putConnection(ctx, in.Body, true)
	})
	register(a, operation("put-connection", http.MethodPut, "/connections/{name}", "Add a connection, or replace the one of that name", "connections"),
		func(ctx context.Context, in *struct {
			ConnectionPath
			Body ConnectionChange
		},
		) (*body[Connection], error) {
			if in.Body.Name != in.Name {
				return nil, &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "the names in path and body differ", Remedy: "a connection cannot be renamed: add a new one and delete the old"}
			}
			return a.putConnection(ctx, in.Body, false)
		})
	register(a, operation("delete-connection", http.MethodDelete, "/connections/{name}", "Remove a connection and the password kept for it", "connections"),
		func(ctx context.Context, in *ConnectionPath) (*struct{}, error) {
			if a.cfg.Connections == nil {
				return nil, absent("connections")
			}
			return &struct{}{}, a.cfg.Connections.DeleteConnection(ctx, in.Name)
		})
	test := operation("test-connection", http.MethodPost, "/connections/{name}/test", "Log in and say what was seen", "connections")
	test.Description = "200 with ok false when the login does not work: the problem says why."
	register(a, test, func(ctx context.Context, in *ConnectionPath) (*body[ConnectionTest], error) {
		return a.tested(ctx, func(c Connections) (*ConnectionTest, error) { return c.TestConnection(ctx, in.Name) })
	})
	try := operation("try-connection", http.MethodPost, "/connections/test", "Log in as a new or changed connection would, and keep nothing", "connections")
	try.Description = "Without a password that of the saved connection of the same name is used, when host and port are the same."
	register(a, try, func(ctx context.Context, in *struct{ Body ConnectionChange }) (*body[ConnectionTest], error) {
		if in.Body.Password != "" && in.Body.Secret != "" {
			return nil, bothSecrets()
		}
		return a.tested(ctx, func(c Connections) (*ConnectionTest, error) { return c.TryConnection(ctx, in.Body) })
	})
}

func bothSecrets() error {
	return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "password and secret exclude one another", Remedy: "send one of them"}
}

func (a *API) putConnection(ctx context.Context, c ConnectionChange, mustBeNew bool) (*body[Connection], error) {
	if a.cfg.Connections == nil {
		return nil, absent("connections")
	}
	if c.Password != "" && c.Secret != "" {
		return nil, bothSecrets()
	}
	out, err := a.cfg.Connections.PutConnection(ctx, c, mustBeNew)
	if err != nil {
		return nil, err
	}
	return reply(*out, nil)
}

// tested tells what a login saw. The database's own refusal is an answer too.
func (a *API) tested(ctx context.Context, test func(Connections) (*ConnectionTest, error)) (*body[ConnectionTest], error) {
	if a.cfg.Connections == nil {
		return nil, absent("connections")
	}
	out, err := test(a.cfg.Connections)
	switch sparkwright.ErrorCode(err) {
	case "":
		return reply(*out, nil)
	case sparkwright.CodeNotFound, sparkwright.CodeInternal:
		return nil, err
	default:
		return reply(ConnectionTest{Problem: problemOf(ctx, a.cfg.Log, err)}, nil)
	}
}
