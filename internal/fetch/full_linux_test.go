package fetch_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fetch"
)

func TestFileDiskFull(t *testing.T) {
	t.Parallel()
	content := sample(1000)
	srv := newOrigin(t, content, nil)
	dest := filepath.Join(t.TempDir(), "file.jar")
	if err := os.Symlink("/dev/full", dest+".part"); err != nil {
		t.Fatal(err)
	}
	err := fetch.File(t.Context(), fetch.Options{URL: srv.URL, Dest: dest, SHA256: digest(content)})
	checkError(t, err, sparkwright.CodeResource, []string{"no space is left in " + filepath.Dir(dest)}, "")
}
