package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

const sessionColumns = `user_name, id, handle, selection_json, created_at, updated_at`

// Session returns the session of a user with that id, else the one with that
// handle. CodeNotFound.
func (s *Store) Session(ctx context.Context, user, id, handle string) (*sparkwright.Session, error) {
	row := s.read.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions
		WHERE user_name = ? AND (id = ? OR (handle = ? AND handle <> '')) ORDER BY id <> ? LIMIT 1`,
		clean(user), clean(id), clean(handle), clean(id))
	found, err := scanSession(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no such session")
	}
	if err != nil {
		return nil, interpretError("read the session", err)
	}
	return found, nil
}

// UpdateSession changes the session of a user with that id and stores it
// whole; changes of one session follow one another. A session that does not
// exist is made first, with that handle. Nothing is stored when change fails,
// and its error is returned.
func (s *Store) UpdateSession(ctx context.Context, user, id, handle string, change func(*sparkwright.Session) error) (*sparkwright.Session, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	var found *sparkwright.Session
	err := s.inTx(ctx, "store the session", func(tx *transaction) error {
		// The insert comes first: it takes the row, so that a second change waits.
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (`+sessionColumns+`) VALUES (?, ?, ?, '{}', ?, ?)
			ON CONFLICT (user_name, id) DO UPDATE SET updated_at = excluded.updated_at`,
			clean(user), clean(id), clean(handle), now.UnixMicro(), now.UnixMicro())
		if err != nil {
			return err
		}
		row := tx.QueryRowContext(ctx, `SELECT `+sessionColumns+` FROM sessions WHERE user_name = ? AND id = ?`, clean(user), clean(id))
		if found, err = scanSession(row); err != nil {
			return err
		}
		if err = change(found); err != nil {
			return err
		}
		selection, err := json.Marshal(found.Selection)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sessions SET selection_json = ? WHERE user_name = ? AND id = ?`,
			string(selection), clean(user), clean(id))
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// ForgetSessions removes the sessions that nobody has used since then and of
// which no run is kept.
func (s *Store) ForgetSessions(ctx context.Context, before time.Time) (int64, error) {
	const operation = "remove old sessions"
	result, err := s.write.ExecContext(ctx, `DELETE FROM sessions WHERE updated_at < ?
		AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.session = sessions.id AND runs.user_name = sessions.user_name)`, before.UnixMicro())
	if err != nil {
		return 0, interpretError(operation, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, interpretError(operation, err)
	}
	return n, nil
}

// Handles returns those of the handles that a session has.
func (s *Store) Handles(ctx context.Context, handles []string) (map[string]bool, error) {
	const operation = "look for sessions"
	out := map[string]bool{}
	for part := range slices.Chunk(handles, 500) {
		args := make([]any, len(part))
		for i, h := range part {
			args[i] = clean(h)
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(part)), ", ")
		rows, err := s.read.QueryContext(ctx, `SELECT handle FROM sessions WHERE handle IN (`+marks+`)`, args...)
		if err != nil {
			return nil, interpretError(operation, err)
		}
		_, err = collect(rows, func(row scanner) (handle string, err error) {
			err = row.Scan(&handle)
			out[handle] = true
			return handle, err
		})
		if err != nil {
			return nil, interpretError(operation, err)
		}
	}
	return out, nil
}

func scanSession(row scanner) (*sparkwright.Session, error) {
	var (
		out              sparkwright.Session
		selection        string
		created, updated int64
	)
	if err := row.Scan(&out.User, &out.ID, &out.Handle, &selection, &created, &updated); err != nil {
		return nil, err
	}
	out.CreatedAt, out.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	return &out, json.Unmarshal([]byte(selection), &out.Selection)
}
