package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/sparkwright/sparkwright"
)

// CachedAnalysis returns the analysis that is kept under a hash; nil when none
// is.
func (s *Store) CachedAnalysis(ctx context.Context, hash string) (*sparkwright.Analysis, error) {
	var text string
	err := s.write.QueryRowContext(ctx, `UPDATE code_cache SET used_at = `+s.d.now()+` WHERE hash = ? RETURNING reply_json`, hash).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, interpretError("look for an earlier analysis", err)
	}
	var a sparkwright.Analysis
	if err = json.Unmarshal([]byte(text), &a); err != nil {
		return nil, interpretError("read an earlier analysis", err)
	}
	return &a, nil
}

// CacheAnalysis keeps an analysis under a hash; nil forgets it.
func (s *Store) CacheAnalysis(ctx context.Context, hash string, a *sparkwright.Analysis) error {
	var err error
	if a == nil {
		_, err = s.write.ExecContext(ctx, `DELETE FROM code_cache WHERE hash = ?`, hash)
	} else {
		var text []byte
		if text, err = json.Marshal(a); err == nil {
			_, err = s.write.ExecContext(ctx, `INSERT INTO code_cache (hash, reply_json, used_at) VALUES (?, ?, `+s.d.now()+`)
				ON CONFLICT (hash) DO UPDATE SET reply_json = excluded.reply_json, used_at = excluded.used_at`, hash, clean(string(text)))
		}
	}
	if err != nil {
		return interpretError("keep an analysis", err)
	}
	return nil
}
