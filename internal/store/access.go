package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
)

// AddLogin keeps the session of a page. Those that have expired are removed.
func (s *Store) AddLogin(ctx context.Context, l access.Login) error {
	return s.inTx(ctx, "keep the login", func(tx *transaction) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM logins WHERE expires < ?`, time.Now().UnixMicro()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO logins (hash, user_name, name, role, expires) VALUES (?, ?, ?, ?, ?)`,
			l.Hash, clean(l.User), clean(l.Name), string(l.Role), l.Expires.UnixMicro())
		return err
	})
}

// Login returns the session of that hash. CodeNotFound.
func (s *Store) Login(ctx context.Context, hash string) (*access.Login, error) {
	l := access.Login{Hash: hash}
	var expires int64
	err := s.read.QueryRowContext(ctx, `SELECT user_name, name, role, expires FROM logins WHERE hash = ?`, clean(hash)).
		Scan(&l.User, &l.Name, &l.Role, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no such login")
	}
	if err != nil {
		return nil, interpretError("look for the login", err)
	}
	l.Expires = time.UnixMicro(expires).UTC()
	return &l, nil
}

// RemoveLogin ends a session. One that is not there has ended.
func (s *Store) RemoveLogin(ctx context.Context, hash string) error {
	if _, err := s.write.ExecContext(ctx, `DELETE FROM logins WHERE hash = ?`, clean(hash)); err != nil {
		return interpretError("end the login", err)
	}
	return nil
}

// RemoveLogins ends all sessions of a user.
func (s *Store) RemoveLogins(ctx context.Context, user string) error {
	if _, err := s.write.ExecContext(ctx, `DELETE FROM logins WHERE user_name = ?`, clean(user)); err != nil {
		return interpretError("end the logins", err)
	}
	return nil
}

// Record adds to the audit log. Nothing in it is ever changed.
func (s *Store) Record(ctx context.Context, e access.Entry) error {
	_, err := s.write.ExecContext(ctx, `INSERT INTO audit (at, user_name, name, role, way, address, action, object, status, note, request)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.At.UnixMicro(), clean(e.User), clean(e.Name), string(e.Role), string(e.Way), clean(e.Address), clean(e.Action), clean(e.Object),
		e.Status, clean(e.Note), clean(e.Request))
	if err != nil {
		return interpretError("keep the audit entry", err)
	}
	return nil
}

// Audit lists the newest entries of the audit log that are older than the one
// of that number, at most limit; 0 = from the newest on. user "" = of all.
func (s *Store) Audit(ctx context.Context, user string, before int64, limit int) ([]access.Entry, error) {
	query, args := `SELECT number, at, user_name, name, role, way, address, action, object, status, note, request FROM audit WHERE 1 = 1`, []any{}
	if user != "" {
		query, args = query+` AND (user_name = ? OR name = ?)`, append(args, clean(user), clean(user))
	}
	if before > 0 {
		query, args = query+` AND number < ?`, append(args, before)
	}
	rows, err := s.read.QueryContext(ctx, query+` ORDER BY number DESC LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, interpretError("read the audit log", err)
	}
	list, err := collect(rows, func(row scanner) (access.Entry, error) {
		var e access.Entry
		var at int64
		wrong := row.Scan(&e.Number, &at, &e.User, &e.Name, &e.Role, &e.Way, &e.Address, &e.Action, &e.Object, &e.Status, &e.Note, &e.Request)
		e.At = time.UnixMicro(at).UTC()
		return e, wrong
	})
	if err != nil {
		return nil, interpretError("read the audit log", err)
	}
	return list, nil
}
