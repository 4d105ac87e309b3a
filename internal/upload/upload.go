// Package upload keeps uploaded files: each below its session, under a name
// that cannot leave it. Nothing that a client sends becomes a path.
package upload

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/sparkwright/sparkwright"
)

// Store keeps uploads in a directory and, with Put, in S3 too.
type Store struct {
	Dir string // of uploads
	Max int64  // bytes of the largest file
	// Put stores a file in S3 and returns its s3:// URL; nil = uploads stay in Dir.
	Put func(ctx context.Context, key string, content []byte) (string, error)
	// Table makes a table of an upload and returns its name for Request.Tables.
	// local is the file in Dir. An upload that is no table is an error, and is
	// not kept.
	Table func(ctx context.Context, sess *sparkwright.Session, up sparkwright.Upload, local string) (string, error)
	// Drop removes from S3 what Put has stored below a key; nil = nothing is there.
	Drop func(ctx context.Context, prefix string) error
	// CheckSpace refuses when the disk is full; nil = never.
	CheckSpace func() error
}

// MaxBytes is the size of the largest file that is accepted.
func (s *Store) MaxBytes() int64 { return s.Max }

// Keep stores a file under the session's prefix and a safe name, in the place
// of one of the same name. CodeInvalid for a name without a safe form and for
// content that cannot be a table; CodeResource when it is too large.
func (s *Store) Keep(ctx context.Context, sess *sparkwright.Session, name string, content []byte) (sparkwright.Upload, error) {
	safe, err := SafeName(name)
	if err != nil {
		return sparkwright.Upload{}, err
	}
	switch {
	case int64(len(content)) > s.Max:
		return sparkwright.Upload{}, &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: fmt.Sprintf("%s has %d bytes; at most %d are allowed", safe, len(content), s.Max),
			Remedy: "put it into a database or into S3 and ask about it there",
		}
	case strings.TrimSpace(string(content)) == "":
		return sparkwright.Upload{}, sparkwright.Errorf(sparkwright.CodeInvalid, "%s is empty", safe)
	}
	up := sparkwright.Upload{Name: safe, Bytes: int64(len(content))}
	local, err := s.write(sess.Handle, safe, content)
	if err != nil {
		return up, err
	}
	up.Path = local
	if s.Put != nil {
		up.Path, err = s.Put(ctx, prefix(sess.Handle)+safe, content)
	}
	if err == nil {
		up.Table, err = s.Table(ctx, sess, up, local)
	}
	if err != nil {
		_ = os.Remove(local) // what is left is overwritten by the next one
	}
	return up, err
}

// write replaces the file as a whole: a job that reads it sees the old one or
// the new one.
func (s *Store) write(session, name string, content []byte) (where string, err error) {
	if s.CheckSpace != nil {
		if err = s.CheckSpace(); err != nil {
			return "", err
		}
	}
	dir := filepath.Join(s.Dir, session)
	where = filepath.Join(dir, name)
	if err = os.MkdirAll(dir, 0o700); err != nil {
		return "", failed(err)
	}
	f, err := os.CreateTemp(dir, ".upload*")
	if err != nil {
		return "", failed(err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = failed(err)
		}
	}()
	if _, err = f.Write(content); err != nil {
		return "", err
	}
	if err = f.Sync(); err != nil {
		return "", err
	}
	if err = f.Close(); err != nil {
		return "", err
	}
	return where, os.Rename(f.Name(), where)
}

// prefix is the key below which the uploads of a session are in S3.
func prefix(handle string) string { return path.Join("sessions", handle, "csv") + "/" }

// Sweep removes the uploads of sessions that are no more. The directory of a
// session is made before the session is stored, so one that has changed within
// age is left alone. exist returns those of the handles that a session has.
func (s *Store) Sweep(ctx context.Context, age time.Duration, exist func(ctx context.Context, handles []string) (map[string]bool, error)) error {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the uploads cannot be listed: %w", err)
	}
	var old []string
	for _, e := range entries {
		if info, infoErr := e.Info(); infoErr == nil && e.IsDir() && time.Since(info.ModTime()) > age {
			old = append(old, e.Name())
		}
	}
	if len(old) == 0 {
		return nil
	}
	known, err := exist(ctx, old)
	if err != nil {
		return err
	}
	var errs []error
	for _, handle := range old {
		if known[handle] {
			continue
		}
		if s.Drop != nil { // first: what is here says that something is left there
			if err = s.Drop(ctx, prefix(handle)); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		if err = os.RemoveAll(filepath.Join(s.Dir, handle)); err != nil {
			errs = append(errs, sparkwright.Errorf(sparkwright.CodeResource, "uploads cannot be removed: %w", err))
		}
	}
	return errors.Join(errs...)
}

func failed(err error) error {
	return &sparkwright.Error{
		Code: sparkwright.CodeResource, Message: "the upload could not be stored", Because: err.Error(),
		Remedy: "check space and permissions of the data directory", Err: err,
	}
}

// formats are the endings of files that can be tables.
const formats = ".csv .tsv .json .jsonl .ndjson"

const maxName = 100

// SafeName is the name under which a file is kept: its last part, of letters,
// digits, '.', '_' and '-', with a known ending. A name without an ending is
// taken as CSV, which the endpoints are named after.
func SafeName(name string) (string, error) {
	last := name[strings.LastIndexAny(name, `/\`)+1:]
	safe := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '.', r == '_', r == '-':
			return r
		default:
			return '_'
		}
	}, strings.ToValidUTF8(last, "_"))
	if path.Ext(safe) == "" && safe != "" {
		safe += ".csv"
	}
	ending := strings.ToLower(path.Ext(safe))
	stem := strings.Trim(strings.TrimSuffix(safe, path.Ext(safe)), ".-_ ")
	if stem == "" || len(safe) > maxName || !strings.Contains(" "+formats+" ", " "+ending+" ") {
		return "", &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "this cannot be the name of an upload",
			Because: "it needs at most 100 bytes, a letter or digit, and one of the endings " + formats,
			Remedy:  "rename the file, for example sales.csv",
		}
	}
	return stem + ending, nil
}
