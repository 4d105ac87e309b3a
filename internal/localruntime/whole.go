package localruntime

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/sparkwright/sparkwright/internal/fetch"
	"github.com/sparkwright/sparkwright/python"
)

func (rt *Runtime) marker(step string) string { return filepath.Join(rt.Dir, step+".done") }

func (rt *Runtime) done(step string) bool {
	_, err := os.Stat(rt.marker(step))
	return err == nil
}

func complete(rt *Runtime, steps []step) bool {
	for _, s := range steps {
		if !rt.done(s.name) || !s.ok() {
			return false
		}
	}
	return true
}

func (rt *Runtime) steps(opt Options) []step {
	exists := func(path string) func() bool {
		return func() bool { _, err := os.Stat(path); return err == nil }
	}
	client := filepath.Base(rt.ClientDir)
	return []step{
		{"driver", "PostgreSQL JDBC driver " + DriverVersion, rt.driverWhole, func(ctx context.Context) error {
			return fetch.File(ctx, fetch.Options{
				URL: opt.MavenURL + "/" + driverPath, Dest: rt.Driver, SHA256: driverSHA256,
				Client: &http.Client{}, Progress: opt.bytes("driver"),
			})
		}},
		{"environment", "private Python environment", exists(rt.Python), func(ctx context.Context) error { return rt.makeVenv(ctx, opt) }},
		{"python", "pyspark and its libraries (about 500 MB, a few minutes the first time)", rt.sparkThere, func(ctx context.Context) error { return rt.pip(ctx, opt) }},
		{client, "client process", rt.clientWhole, func(context.Context) error { return rt.unpackClient() }},
	}
}

func (rt *Runtime) sparkThere() bool {
	_, err := os.Stat(filepath.Join(rt.SparkHome, "bin", "spark-submit"))
	return err == nil
}

// driverWhole verifies the jar, 1 MB, by its checksum.
func (rt *Runtime) driverWhole() bool {
	f, err := os.Open(rt.Driver)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha256.New()
	_, err = io.Copy(h, f)
	return err == nil && hex.EncodeToString(h.Sum(nil)) == driverSHA256
}

// clientWhole compares the unpacked client with the embedded one.
func (rt *Runtime) clientWhole() bool {
	return fs.WalkDir(python.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		want, err := python.FS.ReadFile(path)
		if err != nil {
			return err
		}
		got, err := os.ReadFile(filepath.Join(rt.ClientDir, filepath.FromSlash(path)))
		if err == nil && !bytes.Equal(got, want) {
			err = fs.ErrInvalid
		}
		return err
	}) == nil
}

// unpackClient writes the embedded client beside its final place and moves it
// there, so that a half-written one is never used.
func (rt *Runtime) unpackClient() error {
	tmp, err := os.MkdirTemp(rt.Dir, "client-tmp-")
	if err != nil {
		return diskError("unpack the client", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // best effort; the name is ours
	if err := os.CopyFS(tmp, python.FS); err != nil {
		return diskError("unpack the client", err)
	}
	if err := os.Chmod(tmp, 0o755); err != nil { //nolint:gosec // G302: read by the client process, holds no secrets
		return diskError("unpack the client", err)
	}
	if err := os.RemoveAll(rt.ClientDir); err != nil {
		return diskError("replace the client", err)
	}
	if err := os.Rename(tmp, rt.ClientDir); err != nil {
		return diskError("unpack the client", err)
	}
	return nil
}
