// Package backup writes the run database and the files that belong to it into
// one archive while servers go on, and lays them out again.
//
// The database is copied as it is at one moment, then the files: those of runs
// that were over at that moment no longer change. A run that was under way then
// is found by the restored server like one whose server has died.
package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

const databaseName = "sparkwright.db"

// Dirs are directories by their name in the archive: "results", "uploads".
type Dirs map[string]string

// Write writes the archive.
func Write(ctx context.Context, st *store.Store, dirs Dirs, w io.Writer) error {
	scratch, err := os.MkdirTemp("", "sparkwright-backup")
	if err != nil {
		return failed("make the backup", err)
	}
	defer os.RemoveAll(scratch) //nolint:errcheck // scratch
	copied := filepath.Join(scratch, databaseName)
	if err = st.BackUp(ctx, copied); err != nil {
		return err
	}
	zip := gzip.NewWriter(w)
	out := tar.NewWriter(zip)
	if err = add(out, copied, databaseName); err != nil {
		return failed("make the backup", err)
	}
	for name, dir := range dirs {
		if err = addAll(ctx, out, dir, name); err != nil {
			return failed("make the backup", err)
		}
	}
	if err = errors.Join(out.Close(), zip.Close()); err != nil {
		return failed("make the backup", err)
	}
	return nil
}

// addAll adds the regular files below dir. One that is removed meanwhile is
// left out; one that grows is added as it was when it was opened.
func addAll(ctx context.Context, out *tar.Writer, dir, name string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		err = add(out, path, name+"/"+filepath.ToSlash(rel))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
}

func add(out *tar.Writer, path, name string) error {
	f, err := os.Open(path) //nolint:gosec // G304: below the data directory
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime(), Typeflag: tar.TypeReg}
	if err = out.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.CopyN(out, f, info.Size())
	return err
}

// Restore lays an archive out: the database at path, the files in dirs.
// CodeConflict when there is a database already: nothing is overwritten. The
// database comes last, so that an interrupted restore can be repeated.
func Restore(ctx context.Context, r io.Reader, path string, dirs Dirs) error {
	if _, err := os.Stat(path); err == nil {
		return &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: path + " exists", Because: "a restore overwrites nothing",
			Remedy: "stop the server and move the database away, or set SPARKWRIGHT_HOME to an empty directory",
		}
	}
	zip, err := gzip.NewReader(r)
	if err != nil {
		return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "this is no backup", Because: err.Error(), Err: err}
	}
	whole := path + ".restored"
	found := false
	in := tar.NewReader(zip)
	for {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return damaged(err)
		}
		if ctx.Err() != nil {
			return sparkwright.Errorf(sparkwright.CodeCancelled, "interrupted; restore again")
		}
		name, rest, _ := strings.Cut(header.Name, "/")
		to := filepath.Join(dirs[name], filepath.FromSlash(rest))
		switch {
		case header.Typeflag != tar.TypeReg || !filepath.IsLocal(header.Name):
			return sparkwright.Errorf(sparkwright.CodeInvalid, "the backup holds %q, which is no file of ours", header.Name)
		case header.Name == databaseName:
			to, found = whole, true
		case dirs[name] == "" || rest == "":
			continue // of another version
		}
		if err := write(to, in); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, gzip.ErrChecksum) {
				return damaged(err)
			}
			return failed("restore "+header.Name, err)
		}
	}
	if !found {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "the backup holds no database")
	}
	if err := store.Check(ctx, whole); err != nil {
		return err
	}
	if err := os.Rename(whole, path); err != nil {
		return failed("restore the database", err)
	}
	return nil
}

func damaged(err error) error {
	return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "the backup is damaged", Because: err.Error(), Err: err}
}

func write(to string, r io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // G304: below the data directory
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Sync(), f.Close())
}

func failed(what string, err error) error {
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		return e
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeResource, Message: "could not " + what, Because: err.Error(),
		Remedy: "see that there is space and that the directory can be written", Err: fmt.Errorf("%s: %w", what, err),
	}
}
