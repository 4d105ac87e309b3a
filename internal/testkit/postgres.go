package testkit

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/sparkwright/sparkwright/internal/pgembed"
)

// WithPostgres runs a package's tests beside one real PostgreSQL, which use is
// handed before them. It belongs into TestMain and returns its exit code.
func WithPostgres(m *testing.M, settings map[string]string, use func(ctx context.Context, server *pgembed.Server) error) int {
	pgembed.KeeperMain()
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "postgres-test-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	all := map[string]string{"fsync": "off"}
	maps.Copy(all, settings)
	server, err := pgembed.Start(ctx, pgembed.Options{Dir: dir, CacheDir: filepath.Join(cache, "sparkwright-test", "postgresql"), Settings: all})
	if err != nil {
		panic(err)
	}
	defer func() { _ = server.Stop(ctx) }()
	if err = use(ctx, server); err != nil {
		panic(err)
	}
	return m.Run()
}
