package localruntime

import (
	"archive/zip"
	"bytes"
	"context"
	_ "embed"
	"io/fs"
	"os"
	"strings"
)

// modulesRequirements name pg8000 and what it needs, in releases that Python
// 3.9 runs: what the emr-7 images have.
//
//go:embed modules-requirements.txt
var modulesRequirements []byte

// shipped are the packages of the archive. dateutil and six, which pg8000 needs
// too, come with boto3, which each image has.
var shipped = []string{"asn1crypto", "pg8000", "scramp"}

// Modules is the archive of Python modules with which a job elsewhere holds one
// state of a database: pg8000, PostgreSQL's protocol without anything compiled.
// The same releases make the same bytes. Errors are those of Install.
func Modules(ctx context.Context, opt Options) ([]byte, error) {
	_, site, err := Venv(ctx, opt, "modules", modulesRequirements,
		"import os, pg8000; print(os.path.dirname(os.path.dirname(pg8000.__file__)))")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	files := os.DirFS(site)
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error { // in the order of names
		if err != nil || d.IsDir() || !ships(path) {
			return err
		}
		text, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		w, err := archive.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Store}) // no time, no mode, no compressor
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
	if err == nil {
		err = archive.Close()
	}
	if err != nil {
		return nil, diskError("pack the modules of jobs elsewhere", err)
	}
	return b.Bytes(), nil
}

// ships reports whether a file belongs into the archive: sources, licences, and
// the metadata in which the packages look up their own version.
func ships(path string) bool {
	top, rest, _ := strings.Cut(path, "/")
	for _, name := range shipped {
		switch {
		case top == name:
			return strings.HasSuffix(rest, ".py")
		case strings.HasPrefix(top, name+"-") && strings.HasSuffix(top, ".dist-info"):
			return rest == "METADATA" || strings.Contains(rest, "LICENSE")
		}
	}
	return false
}
