package web

import (
	"embed"
	"io/fs"
)

// The page is built from web/ by make; dist holds only .keep before that, so
// that a fresh checkout compiles.
//
//go:embed all:dist
var embedded embed.FS

// Dist is the page as it was built into this binary.
func Dist() fs.FS {
	sub, err := fs.Sub(embedded, "dist")
	if err != nil {
		panic(err) // the name is a valid one: it cannot fail
	}
	return sub
}
