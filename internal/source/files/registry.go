package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/sparkwright/sparkwright"
)

// Registry is the list of files that are known as tables, kept in one JSON
// file. Several processes may use it.
type Registry struct{ Path string }

// Entry is one registered file.
type Entry struct {
	File    string            `json:"file"` // absolute path
	Options Options           `json:"options"`
	Table   sparkwright.Table `json:"table"` // as it was inspected
	Bytes   int64             `json:"bytes"` // of the file then
	Changed time.Time         `json:"changed"`
}

// Add inspects a file and registers it, or renews what is known of it. A name
// that another file has gets a number.
func (r Registry) Add(ctx context.Context, path string, opt Options) (sparkwright.Table, error) {
	e, err := inspectEntry(ctx, path, opt)
	if err != nil {
		return sparkwright.Table{}, err
	}
	err = r.update(ctx, func(list []Entry) []Entry {
		base := e.Table.Name
		for n := 2; ; n++ {
			i := slices.IndexFunc(list, func(o Entry) bool {
				return strings.EqualFold(o.Table.Name, e.Table.Name) && o.Table.Schema == e.Table.Schema
			})
			if i < 0 {
				return append(list, e)
			}
			if list[i].File == e.File {
				list[i] = e
				return list
			}
			e.Table.Name = fmt.Sprintf("%s_%d", base, n)
		}
	})
	return e.Table, err
}

// Tables are the registered tables whose files are still there. What has
// changed since is inspected again.
func (r Registry) Tables(ctx context.Context) ([]sparkwright.Table, error) {
	list, err := r.load()
	if err != nil {
		return nil, err
	}
	var tables []sparkwright.Table
	renewed := map[string]Entry{}
	for _, e := range list {
		bytes, changed, err := stamp(e.File)
		if err != nil {
			continue // gone
		}
		if bytes != e.Bytes || !changed.Equal(e.Changed) {
			opt := e.Options
			opt.Name = e.Table.Name
			fresh, err := inspectEntry(ctx, e.File, opt)
			if err != nil {
				return nil, err
			}
			fresh.Options = e.Options
			e, renewed[e.File] = fresh, fresh
		}
		tables = append(tables, e.Table)
	}
	if len(renewed) == 0 {
		return tables, nil
	}
	return tables, r.update(ctx, func(list []Entry) []Entry {
		for i := range list {
			if e, ok := renewed[list[i].File]; ok && list[i].Table.Name == e.Table.Name {
				list[i] = e
			}
		}
		return list
	})
}

// Remove forgets the table of that name; the file stays.
func (r Registry) Remove(ctx context.Context, name string) error {
	found := false
	err := r.update(ctx, func(list []Entry) []Entry {
		return slices.DeleteFunc(list, func(e Entry) bool {
			is := e.Table.Name == name
			found = found || is
			return is
		})
	})
	if err == nil && !found {
		return &sparkwright.Error{Code: sparkwright.CodeNotFound, Message: fmt.Sprintf("no file is known as %q", name), Remedy: "sparkwright files list"}
	}
	return err
}

func inspectEntry(ctx context.Context, path string, opt Options) (Entry, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return Entry{}, sparkwright.Errorf(sparkwright.CodeInvalid, "the file's path is not one: %w", err)
	}
	e := Entry{File: abs, Options: opt}
	// Before the file is read: a change meanwhile is seen next time.
	if e.Bytes, e.Changed, err = stamp(abs); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Entry{}, sparkwright.Errorf(sparkwright.CodeInvalid, "the file cannot be read: %w", err)
	}
	e.Table, err = Inspect(ctx, abs, opt)
	return e, err
}

// stamp is the size and the time of the last change, of all parts together.
func stamp(path string) (bytes int64, changed time.Time, err error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		if err == nil {
			bytes, changed = info.Size(), info.ModTime().UTC()
		}
		return bytes, changed, err //nolint:wrapcheck // the caller says which file
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if part, e := e.Info(); e == nil {
			bytes += part.Size()
			if part.ModTime().After(changed) {
				changed = part.ModTime().UTC()
			}
		}
	}
	return bytes, changed, err //nolint:wrapcheck // the caller says which file
}

func (r Registry) load() ([]Entry, error) {
	text, err := os.ReadFile(r.Path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var list []Entry
	if err == nil {
		err = json.Unmarshal(text, &list)
	}
	if err != nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the list of files cannot be read", Because: err.Error(),
			Remedy: "mend or delete " + r.Path, Err: err,
		}
	}
	return list, nil
}

func (r Registry) update(ctx context.Context, change func([]Entry) []Entry) error {
	if err := os.MkdirAll(filepath.Dir(r.Path), 0o700); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the list of files cannot be written: %w", err)
	}
	lock := flock.New(r.Path+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the list of files cannot be locked: %w", err)
	}
	defer lock.Unlock() //nolint:errcheck // ends with the process
	list, err := r.load()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(change(list), "", "  ")
	if err != nil {
		return fmt.Errorf("encode the list of files: %w", err)
	}
	// A reader sees the old list or the new one.
	next := r.Path + ".new"
	if err = os.WriteFile(next, text, 0o600); err == nil {
		err = os.Rename(next, r.Path)
	}
	if err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the list of files cannot be written: %w", err)
	}
	return nil
}
