package doctor_test

import (
	"os"
	"syscall"
	"testing"
)

// own gives a file to the owner of its directory: PostgreSQL takes only keys
// of its own user.
func own(t *testing.T, path string, dir os.FileInfo) {
	t.Helper()
	if st, isUnix := dir.Sys().(*syscall.Stat_t); isUnix && os.Geteuid() == 0 {
		if err := os.Chown(path, int(st.Uid), int(st.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}
