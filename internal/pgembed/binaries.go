package pgembed

import (
	"archive/tar"
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gofrs/flock"
	"github.com/xi2/xz"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fetch"
)

// Version is the PostgreSQL that is run.
const Version = "17.11.0"

const (
	majorVersion      = "17"
	defaultRepository = "https://repo1.maven.org/maven2"
	maxBinarySize     = 1 << 30 // bytes of one unpacked file
)

// artifact is the archive for one platform.
func artifact(goos, goarch string) (name, sha256 string, ok bool) {
	switch goos + "/" + goarch {
	case "linux/amd64":
		return "linux-amd64", "0dd7b72b6f335b8ecfb355fa24c5781e8a93edd09880bb77eb52ebbf29b3e96d", true
	case "linux/arm64":
		return "linux-arm64v8", "8b042e0ea418b1927d95399207950da0734d27fe01e29503ade3bdc464ad4c2b", true
	case "darwin/amd64":
		return "darwin-amd64", "d464ff178e9860ba204662ac23fa547504b7fd392392ff2fb92e3fd73b5bdb64", true
	case "darwin/arm64":
		return "darwin-arm64v8", "a1c2786acb0c398f9b2d76806fc52f5dc8b222cbc8e9383a9b9702084daaf3a5", true
	default:
		return "", "", false
	}
}

// ensureBinaries makes dir hold PostgreSQL's binaries. It appears as a whole
// or not at all; processes that ask at the same time wait for one another.
func ensureBinaries(ctx context.Context, o Options, dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "bin", "postgres")); err == nil {
		return nil
	}
	name, sum, ok := artifact(runtime.GOOS, runtime.GOARCH)
	if !ok {
		return &sparkwright.Error{
			Code:    sparkwright.CodeMissing,
			Message: "there is no embedded PostgreSQL for " + runtime.GOOS + "/" + runtime.GOARCH,
			Remedy:  "use a PostgreSQL of your own: sparkwright connections add",
		}
	}
	if err := os.MkdirAll(o.CacheDir, 0o755); err != nil { //nolint:gosec // programs, not secrets
		return diskError(o.CacheDir, err)
	}
	lock := flock.New(filepath.Join(o.CacheDir, "postgresql.lock"))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return diskError(o.CacheDir, err)
	}
	defer func() { _ = lock.Close() }()
	if _, err := os.Stat(filepath.Join(dir, "bin", "postgres")); err == nil {
		return nil
	}
	repository := strings.TrimRight(o.RepositoryURL, "/")
	if repository == "" {
		repository = defaultRepository
	}
	file := fmt.Sprintf("embedded-postgres-binaries-%s-%s.jar", name, Version)
	jar := filepath.Join(o.CacheDir, file)
	percent := int64(-1)
	err := fetch.File(ctx, fetch.Options{
		URL:    fmt.Sprintf("%s/io/zonky/test/postgres/embedded-postgres-binaries-%s/%s/%s", repository, name, Version, file),
		Dest:   jar,
		SHA256: sum,
		Progress: func(done, total int64) {
			if total > 0 && done*10/total != percent {
				percent = done * 10 / total
				o.Progress(fmt.Sprintf("Downloading PostgreSQL %s: %d %% of %d MB", Version, percent*10, total>>20))
			}
		},
	})
	if err != nil {
		return err
	}
	o.Progress("Unpacking PostgreSQL " + Version)
	if err := unpack(ctx, jar, dir); err != nil {
		if ctx.Err() != nil {
			return &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "unpacking PostgreSQL was cancelled", Err: err}
		}
		return diskError(filepath.Dir(dir), err)
	}
	return nil
}

// unpack unpacks the .txz in the jar beside dir and then renames it to dir.
func unpack(ctx context.Context, jar, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // programs, not secrets
		return err
	}
	tmp := dir + ".unpacking"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	archive, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, ".txz") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		err = untar(ctx, r, tmp)
		if err = errors.Join(err, r.Close()); err != nil {
			return err
		}
		if err = os.RemoveAll(dir); err != nil { // half of one, made by hand
			return err
		}
		return os.Rename(tmp, dir)
	}
	return errors.New("the archive holds no .txz")
}

// untar unpacks files, directories and symbolic links below dir only.
func untar(ctx context.Context, r io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // programs, not secrets
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	plain, err := xz.NewReader(r, 0)
	if err != nil {
		return err
	}
	for files := tar.NewReader(plain); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		name := filepath.Clean(header.Name)
		if err = root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		switch header.Typeflag {
		case tar.TypeDir:
			err = root.MkdirAll(name, 0o755)
		case tar.TypeSymlink:
			err = root.Symlink(header.Linkname, name)
		case tar.TypeReg:
			err = writeFile(root, name, header.FileInfo().Mode().Perm(), files)
		}
		if err != nil {
			return err
		}
	}
}

func writeFile(root *os.Root, name string, mode os.FileMode, content io.Reader) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.LimitReader(content, maxBinarySize))
	return errors.Join(err, f.Close())
}
