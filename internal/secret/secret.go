// Package secret resolves the secret references of connections: "env:NAME",
// "file:PATH" and "aws-sm:ARN". What a reference holds is the bare password or
// a JSON object as RDS writes it, with username and password and perhaps host,
// port and dbname. Values never appear in an error.
package secret

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/sparkwright/sparkwright"
)

const maxSize = 64 << 10 // bytes; the limit of Secrets Manager

// Value is what a secret holds. Only Password is always there.
type Value struct {
	Credentials sparkwright.Credentials
	Host        string
	Port        int // 0 = not given
	Database    string
}

// Resolve returns the credentials that conn logs in with: user and password
// of its secret, and conn's own user where the secret has none. A connection
// without a secret has no password.
//
// Errors are *sparkwright.Error: CodeInvalid (reference or content),
// CodeNotFound, CodeUnauthorized (file mode, AWS permissions), CodeUnavailable
// and CodeTimeout (AWS).
func Resolve(ctx context.Context, conn sparkwright.Connection) (sparkwright.Credentials, error) {
	value, err := Lookup(ctx, conn.Secret)
	if err != nil {
		return sparkwright.Credentials{}, err
	}
	if value.Credentials.User == "" {
		value.Credentials.User = conn.User
	}
	return value.Credentials, nil
}

// Complete returns conn with the fields that it lacks and its secret has, and
// the credentials. Fields of conn win. With AuthIAM the password is an RDS IAM
// token, and the secret, when there is one, needs no password.
func Complete(ctx context.Context, conn sparkwright.Connection) (sparkwright.Connection, sparkwright.Credentials, error) {
	iam := conn.AuthMethod == sparkwright.AuthIAM
	value, err := lookup(ctx, conn.Secret, !iam)
	if err != nil {
		return conn, sparkwright.Credentials{}, err
	}
	if conn.Host == "" {
		conn.Host = value.Host
		if value.Port != 0 {
			conn.Port = value.Port
		}
	}
	if conn.Port == 0 {
		conn.Port = value.Port
	}
	if conn.Database == "" {
		conn.Database = value.Database
	}
	if conn.User == "" {
		conn.User = value.Credentials.User
	}
	if iam {
		cred, err := token(ctx, conn)
		return conn, cred, err
	}
	if value.Credentials.User == "" {
		value.Credentials.User = conn.User
	}
	return conn, value.Credentials, nil
}

// Lookup returns what a reference refers to; the empty reference to nothing.
func Lookup(ctx context.Context, reference string) (Value, error) {
	return lookup(ctx, reference, true)
}

// lookup is Lookup, where a secret without a password may be enough.
func lookup(ctx context.Context, reference string, password bool) (Value, error) {
	v, err := read(ctx, reference)
	if err == nil && password && reference != "" && v.Credentials.Password == "" {
		_, name, _ := strings.Cut(reference, ":")
		return Value{}, malformed("the secret "+name, "it has no password")
	}
	return v, err
}

func read(ctx context.Context, reference string) (Value, error) {
	kind, name, _ := strings.Cut(reference, ":")
	switch {
	case reference == "":
		return Value{}, nil
	case name == "":
	case kind == "env":
		return fromEnvironment(name)
	case kind == "file":
		return fromFile(name)
	case kind == "aws-sm":
		return fromSecretsManager(ctx, name)
	}
	// The text may be a password that was put in the wrong place.
	return Value{}, &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: "the secret of the connection is not a reference",
		Because: "a reference begins with env:, file: or aws-sm:",
		Remedy:  "write env:NAME, file:PATH or aws-sm:ARN, never the password itself",
	}
}

func fromEnvironment(name string) (Value, error) {
	content, ok := os.LookupEnv(name)
	if !ok || content == "" {
		return Value{}, &sparkwright.Error{
			Code: sparkwright.CodeNotFound, Message: "the environment variable " + name + " is not set",
			Because: "the connection's secret is env:" + name, Remedy: "set it to the password before sparkwright is started",
		}
	}
	return parse("the environment variable "+name, []byte(content))
}

// fromFile reads a file that only its owner may read. A relative path begins
// at the working directory, "~/" at the home directory.
func fromFile(path string) (Value, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, rest)
		}
	}
	fail := func(code sparkwright.Code, because, remedy string, err error) (Value, error) {
		return Value{}, &sparkwright.Error{
			Code: code, Message: "cannot take the password from the file " + path, Because: because, Remedy: remedy, Err: err,
		}
	}
	f, err := os.Open(path) //nolint:gosec // the user names the file
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(sparkwright.CodeNotFound, "it does not exist", "create it with the password in it, and chmod 600 it", err)
	case errors.Is(err, fs.ErrPermission):
		return fail(sparkwright.CodeUnauthorized, "this user may not read it", "make it belong to the user who runs sparkwright", err)
	case err != nil:
		return fail(sparkwright.CodeInvalid, "it cannot be opened", "correct the path", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return fail(sparkwright.CodeInvalid, "it is not a regular file", "correct the path", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fail(sparkwright.CodeUnauthorized, fmt.Sprintf("other users may use it (mode %04o)", mode), "chmod 600 "+path, nil)
	}
	if info.Size() > maxSize*3/2 { // a sealed one is larger by a third
		return fail(sparkwright.CodeInvalid, "it is larger than 64 kB", "correct the path", nil)
	}
	content := make([]byte, info.Size())
	if n, cut := f.ReadAt(content, 0); n < len(content) {
		return fail(sparkwright.CodeInvalid, "it cannot be read", "try again", cut)
	}
	if content, err = unseal(path, content); err != nil {
		return Value{}, err
	}
	if len(content) > maxSize {
		return fail(sparkwright.CodeInvalid, "it is larger than 64 kB", "correct the path", nil)
	}
	return parse("the file "+path, content)
}

// parse takes the bare password or the JSON object. where is for errors.
func parse(where string, content []byte) (Value, error) {
	text := strings.TrimRight(string(content), "\r\n")
	if text == "" {
		return Value{}, malformed(where, "it is empty")
	}
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		if strings.ContainsAny(text, "\r\n\x00") {
			return Value{}, malformed(where, "it has more than one line")
		}
		return Value{Credentials: sparkwright.Credentials{Password: text}}, nil
	}
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var fields map[string]any
	if err := dec.Decode(&fields); err != nil || dec.More() {
		return Value{}, malformed(where, "it begins like JSON but is not")
	}
	var v Value
	for _, f := range []struct {
		to   *string
		keys []string
	}{
		{&v.Credentials.User, []string{"username", "user"}},
		{&v.Credentials.Password, []string{"password"}},
		{&v.Host, []string{"host"}},
		{&v.Database, []string{"dbname", "database"}},
	} {
		for _, key := range f.keys {
			switch field := fields[key].(type) {
			case nil:
			case string:
				if *f.to == "" {
					*f.to = field
				}
			default:
				return Value{}, malformed(where, "its "+key+" is not a text")
			}
		}
	}
	if port, ok := fields["port"]; ok && port != nil {
		n, err := strconv.Atoi(fmt.Sprint(port)) // RDS writes a number, people a text
		if err != nil || n < 1 || n > 65535 {
			return Value{}, malformed(where, "its port is not a port number")
		}
		v.Port = n
	}
	return v, nil
}

func malformed(where, because string) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeInvalid, Message: where + " holds no usable secret", Because: because,
		Remedy: `it must hold the bare password, or JSON like {"username": "…", "password": "…"}`,
	}
}
