package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// List lists runs, newest first, without their attempts. The cursor is the id
// of the last run of the page before; CodeNotFound when it is no run.
func (s *Store) List(ctx context.Context, f sparkwright.RunFilter) (sparkwright.RunPage, error) {
	const operation = "list the runs"
	var page sparkwright.RunPage
	if f.Limit <= 0 {
		f.Limit = 50
	}
	f.Limit = min(f.Limit, 1000)
	query, args := `SELECT `+runColumns+` FROM runs WHERE 1 = 1`, []any{}
	where := func(condition string, values ...any) { query, args = query+` AND `+condition, append(args, values...) }
	if f.State != "" {
		where(`state = ?`, string(f.State))
	}
	if f.Session != "" {
		where(`session = ?`, clean(f.Session))
	}
	if f.User != "" {
		where(`user_name = ?`, clean(f.User))
	}
	if f.Pinned {
		where(`pinned = 1`)
	}
	for word := range strings.FieldsSeq(strings.ToLower(clean(f.Text))) {
		where(`search LIKE ? ESCAPE '!'`, "%"+likeEscape.Replace(word)+"%")
	}
	if f.Cursor != "" {
		var created int64
		err := s.read.QueryRowContext(ctx, `SELECT created_at FROM runs WHERE id = ?`, clean(f.Cursor)).Scan(&created)
		if errors.Is(err, sql.ErrNoRows) {
			return page, s.noRun(ctx, f.Cursor)
		}
		if err != nil {
			return page, interpretError(operation, err)
		}
		where(`(created_at, id) < (?, ?)`, created, f.Cursor)
	}
	list, err := s.list(ctx, operation, query+` ORDER BY created_at DESC, id DESC LIMIT ?`, append(args, f.Limit+1)...)
	if err != nil {
		return page, err
	}
	if len(list) > f.Limit {
		list = list[:f.Limit]
		page.Next = list[f.Limit-1].ID
	}
	page.Runs = list
	return page, nil
}

var likeEscape = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")
