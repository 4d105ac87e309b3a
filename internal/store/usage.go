package store

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
)

// TokensSince counts the model tokens of the runs that were made since then.
func (s *Store) TokensSince(ctx context.Context, since time.Time) (total int64, err error) {
	rows, err := s.write.QueryContext(ctx, `SELECT usage_json FROM runs WHERE created_at >= ? AND usage_json IS NOT NULL`, since.UnixMicro())
	if err != nil {
		return 0, interpretError("count the model's tokens", err)
	}
	defer rows.Close() //nolint:errcheck // read only
	for rows.Next() {
		var text document
		var u sparkwright.Usage
		if err = rows.Scan(&text); err == nil {
			err = decode(text, &u)
		}
		if err != nil {
			return 0, interpretError("count the model's tokens", err)
		}
		total += int64(u.InputTokens) + int64(u.OutputTokens)
	}
	if err = rows.Err(); err != nil {
		return 0, interpretError("count the model's tokens", err)
	}
	return total, nil
}
