// Package artifact keeps what jobs leave: a directory per attempt with the
// Parquet parts, and last of all the manifest that vouches for them.
package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sparkwright/sparkwright"
)

const manifestVersion = 1

// What a job leaves is not taken to be small.
const (
	maxManifest = 64 << 20 // bytes
	maxFault    = 1 << 20
)

// Load reads the manifest of an attempt and verifies every part's size and
// checksum against it. Any difference is an error: an unknown outcome is
// never a success.
func Load(location, runID, attemptID string) (*sparkwright.Manifest, error) {
	text, err := read(location, "manifest.json", maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "the job left no manifest")
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	var m sparkwright.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, mismatch("the manifest is broken: %v", err)
	}
	if err := consistent(&m, runID, attemptID); err != nil {
		return nil, err
	}
	// The job has written it, and readers look for the parts there later.
	if m.Location != "" && filepath.Clean(m.Location) != filepath.Clean(location) {
		return nil, mismatch("the manifest is of another place, %s", m.Location)
	}
	m.Location = location
	for _, p := range m.Parts {
		if err := verify(location, p); err != nil {
			return nil, err
		}
	}
	return &m, nil
}

// consistent checks what a manifest says against itself.
func consistent(m *sparkwright.Manifest, runID, attemptID string) error {
	if m.Version != manifestVersion || m.RunID != runID || m.AttemptID != attemptID {
		return mismatch("the manifest is of another attempt (%s, version %d)", m.AttemptID, m.Version)
	}
	var rows int64
	for _, p := range m.Parts {
		if !filepath.IsLocal(p.Path) {
			return mismatch("the part %q lies outside the result", p.Path)
		}
		rows += p.Rows
	}
	if rows != m.RowCount || int64(len(m.Preview)) > m.RowCount || m.Truncated != (int64(len(m.Preview)) < m.RowCount) {
		return mismatch("the manifest counts %d rows, its parts %d, its preview %d", m.RowCount, rows, len(m.Preview))
	}
	for _, row := range m.Preview {
		if len(row) != len(m.Schema) {
			return mismatch("a preview row has %d cells for %d columns", len(row), len(m.Schema))
		}
	}
	return nil
}

func verify(location string, p sparkwright.Part) error {
	f, err := Open(location, p.Path)
	if err != nil {
		return mismatch("the part %s cannot be read: %v", p.Path, err)
	}
	defer f.Close() //nolint:errcheck // read only
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return mismatch("the part %s cannot be read: %v", p.Path, err)
	}
	if n != p.Bytes || hex.EncodeToString(h.Sum(nil)) != p.SHA256 {
		return mismatch("the part %s is not what the job wrote", p.Path)
	}
	return nil
}

// Open opens a file that a job has left in its directory. What leads out of the
// directory, and what is no regular file, is not opened: a pipe would never end.
func Open(location, name string) (*os.File, error) {
	root, err := os.OpenRoot(location)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // nothing was written
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, e := f.Stat(); e != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, fmt.Errorf("%s is no file", name)
	}
	return f, nil
}

// read returns the content of a file that a job has left, up to a limit.
func read(location, name string, limit int64) ([]byte, error) {
	f, err := Open(location, name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = mismatch("%s is larger than %d MB", name, limit>>20)
	}
	return text, err
}

func mismatch(format string, args ...any) error {
	return sparkwright.Errorf(sparkwright.CodeJobFailed, format, args...)
}

// LoadFault reads the fault that a job has left; nil when there is none. A job
// tells what happened. What to do about it, and which kind of fault it is, is
// said by us: a person follows that.
func LoadFault(location string) *sparkwright.Fault {
	text, err := read(location, "fault.json", maxFault)
	if err != nil {
		return nil
	}
	return told(text)
}

// told is what a job may say; nil for what is no fault.
func told(text []byte) *sparkwright.Fault {
	var f sparkwright.Fault
	if json.Unmarshal(text, &f) != nil {
		return nil
	}
	return &sparkwright.Fault{Class: f.Class, SQLState: f.SQLState, Message: f.Message, Line: f.Line, Log: f.Log}
}

// KeepFault notes why we have stopped a job, beside its directory: in there the
// job could have written it itself.
func KeepFault(location string, f *sparkwright.Fault) error {
	text, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("encode the fault: %w", err)
	}
	return WriteFile(keptFault(location), text)
}

// KeptFault reads what KeepFault has noted; nil when there is nothing.
func KeptFault(location string) *sparkwright.Fault {
	text, err := os.ReadFile(keptFault(location))
	if err != nil {
		return nil
	}
	var f sparkwright.Fault
	if json.Unmarshal(text, &f) != nil {
		return nil
	}
	return &f
}

func keptFault(location string) string { return filepath.Clean(location) + ".fault.json" }

// WriteFile writes a file of ours, mode 0600, with its directories.
func WriteFile(path string, text []byte) error {
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return full(filepath.Dir(path), err)
	}
	if err != nil {
		return &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "the result directory cannot be written", Because: err.Error(),
			Remedy: "check results.dir in the settings", Err: err,
		}
	}
	return nil
}

// CheckSpace refuses with CodeResource when dir has less than minFree bytes
// left. It makes the directory when it is missing.
func CheckSpace(dir string, minFree int64) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "the result directory cannot be made", Because: err.Error(),
			Remedy: "check results.dir in the settings", Err: err,
		}
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("look at the disk of %s: %w", dir, err)
	}
	free := int64(st.Bavail) * int64(st.Bsize) //nolint:gosec,unconvert // G115; the types differ between systems
	if free < minFree {
		return &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "there is too little disk space for results",
			Because: fmt.Sprintf("%s has %d MB free; results.min_free_mb is %d", dir, free>>20, minFree>>20),
			Remedy:  "free some space, or set results.dir to another disk",
		}
	}
	return nil
}

func full(dir string, err error) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeResource, Message: "the disk is full", Because: dir + " has no space left",
		Remedy: "free some space, or set results.dir to another disk", Err: err,
	}
}
