package readplan

import (
	"path/filepath"
	"slices"
	"strings"
)

// Files are the paths of this machine that reads are of. Of a pattern it is
// the directory that what it finds is in.
func Files(reads []Read) []string {
	var out []string
	for i := range reads {
		path, ok := strings.CutPrefix(reads[i].Table.Location, "file:")
		if !ok && !strings.HasPrefix(path, "/") {
			continue
		}
		path = filepath.Clean("/" + strings.TrimLeft(path, "/"))
		for strings.ContainsAny(path, "*?[{") {
			path = filepath.Dir(path)
		}
		if path != "/" && !slices.Contains(out, path) {
			out = append(out, path)
		}
	}
	return out
}
