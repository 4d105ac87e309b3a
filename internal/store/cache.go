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
	return cached[sparkwright.Analysis](ctx, s, hash, "an earlier analysis")
}

// CacheAnalysis keeps an analysis under a hash; nil forgets it.
func (s *Store) CacheAnalysis(ctx context.Context, hash string, a *sparkwright.Analysis) error {
	return cache(ctx, s, hash, a, "keep an analysis")
}

// CachedReply returns the model's reply that is kept under a key; nil when none
// is.
func (s *Store) CachedReply(ctx context.Context, key string) (*sparkwright.ModelReply, error) {
	return cached[sparkwright.ModelReply](ctx, s, key, "an earlier reply")
}

// CacheReply keeps a model's reply under a key; nil forgets it.
func (s *Store) CacheReply(ctx context.Context, key string, reply *sparkwright.ModelReply) error {
	return cache(ctx, s, key, reply, "keep a reply")
}

func cached[T any](ctx context.Context, s *Store, hash, what string) (*T, error) {
	var text string
	err := s.write.QueryRowContext(ctx, `UPDATE code_cache SET used_at = `+s.d.now()+` WHERE hash = ? RETURNING reply_json`, hash).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil //nolint:nilnil // nothing is kept
	}
	if err != nil {
		return nil, interpretError("look for "+what, err)
	}
	var value T
	if err = json.Unmarshal([]byte(text), &value); err != nil {
		return nil, interpretError("read "+what, err)
	}
	return &value, nil
}

func cache[T any](ctx context.Context, s *Store, hash string, value *T, what string) error {
	var err error
	if value == nil {
		_, err = s.write.ExecContext(ctx, `DELETE FROM code_cache WHERE hash = ?`, hash)
	} else {
		var text []byte
		if text, err = json.Marshal(value); err == nil {
			_, err = s.write.ExecContext(ctx, `INSERT INTO code_cache (hash, reply_json, used_at) VALUES (?, ?, `+s.d.now()+`)
				ON CONFLICT (hash) DO UPDATE SET reply_json = excluded.reply_json, used_at = excluded.used_at`, hash, clean(string(text)))
		}
	}
	if err != nil {
		return interpretError(what, err)
	}
	return nil
}
