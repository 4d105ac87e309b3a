package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/sparkwright/sparkwright"
)

// maxFile is the size in bytes above which a file is not settings.
const maxFile = 8 << 20

// Load returns the settings of the data directory home, with the process's
// environment over the file. A file that does not exist is an empty one.
// Errors are CodeInvalid and name the exact key, or the line of a syntax
// error; CodeInternal when the file cannot be read.
func Load(home string) (*Settings, error) { return LoadEnv(home, os.Getenv) }

// LoadEnv is Load with another environment. A variable that is empty counts as
// not set. EMR_EXECUTION_ROLE_ARN stands in for spark.execution_role_arn where
// that is set nowhere.
func LoadEnv(home string, getenv func(string) string) (*Settings, error) {
	s, err := loadFile(home)
	if err != nil {
		return nil, err
	}
	if err = s.applyEnv(getenv); err != nil {
		return s, err
	}
	if s.Spark.ExecutionRoleARN == "" {
		s.Spark.ExecutionRoleARN = getenv(envRole)
		if must := checkRole(s.Spark.ExecutionRoleARN); must != "" {
			return s, badVariable(envRole, keyRole, must)
		}
	}
	return s, nil
}

// Update changes the file: it reads it, has change applied to what it says
// (without the environment), validates and replaces it. Only one Update of a
// data directory is in progress at a time, in all processes together; nothing
// is written when change returns an error, which Update returns as it is.
func Update(home string, change func(*Settings) error) (err error) {
	if err = os.MkdirAll(home, 0o700); err != nil {
		return interpretError("the data directory "+home+" could not be created", err)
	}
	lock := flock.New(filepath.Join(home, "settings.lock"), flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err = lock.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return &sparkwright.Error{
				Code:    sparkwright.CodeConflict,
				Message: "another process has been changing the settings for 30 seconds",
				Remedy:  "try again when it has ended",
				Err:     err,
			}
		}
		return interpretError("the settings could not be locked", err)
	}
	defer func() {
		if unlockErr := lock.Unlock(); err == nil && unlockErr != nil {
			err = interpretError("the settings could not be unlocked", unlockErr)
		}
	}()

	s, err := loadFile(home)
	if err != nil {
		return err
	}
	if err = change(s); err != nil {
		return err
	}
	if err = s.validate(); err != nil {
		return err
	}
	if strings.Contains(s.Spark.Remote, "token=") {
		return remoteToken()
	}
	return write(filepath.Join(home, FileName), s.document())
}

func loadFile(home string) (*Settings, error) {
	path := filepath.Join(home, FileName)
	s := Default()
	s.home = home
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if text == nil {
		s.doc = map[string]any{}
		return s, nil
	}
	if s.doc, err = parse(path, text); err != nil {
		return nil, err
	}
	if err = s.merge(); err != nil {
		return nil, err
	}
	if err = s.validate(); err != nil {
		return nil, err
	}
	if strings.Contains(s.Spark.Remote, "token=") {
		return nil, remoteToken()
	}
	return s, nil
}

func remoteToken() error {
	return &sparkwright.Error{
		Code:    sparkwright.CodeInvalid,
		Message: "the setting spark.remote must not hold a token",
		Because: FileName + " never holds secrets",
		Remedy:  "give the address with its token in the environment variable SPARKWRIGHT_SPARK_REMOTE",
	}
}

// readFile returns nil when there is no file.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the user's own data directory
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, interpretError("the settings could not be read", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, interpretError("the settings could not be read", err)
	}
	if len(text) > maxFile {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "%s is larger than %d MB", path, maxFile>>20)
	}
	if text == nil {
		text = []byte{}
	}
	return text, nil
}

// parse reads one JSON object, with numbers as they are written.
func parse(path string, text []byte) (map[string]any, error) {
	body := bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	skipped := len(text) - len(body)
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		offset := int64(len(body))
		why := "it ends too early"
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset, why = syntax.Offset, strings.TrimPrefix(syntax.Error(), "json: ")
		}
		return nil, corrupt(path, text, int(offset)+skipped, why, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, corrupt(path, text, int(dec.InputOffset())+skipped, "something follows the closing brace", err)
	}
	doc, ok := value.(map[string]any)
	if !ok {
		return nil, corrupt(path, text, 0, "it must hold one JSON object", nil)
	}
	return doc, nil
}

func corrupt(path string, text []byte, offset int, why string, err error) error {
	offset = min(max(offset, 0), len(text))
	line := 1 + bytes.Count(text[:offset], []byte("\n"))
	column := offset - bytes.LastIndexByte(text[:offset], '\n') - 1
	return &sparkwright.Error{
		Code:    sparkwright.CodeInvalid,
		Message: fmt.Sprintf("%s is not valid at line %d, column %d (byte %d)", path, line, max(column, 1), offset),
		Because: why,
		Remedy:  "correct the file, or move it away to start with the defaults; it has not been changed",
		Err:     err,
	}
}

// merge takes the known keys out of doc, and warns about the others.
func (s *Settings) merge() error {
	known := map[string]map[string]*field{"postgres": {"connections": nil}}
	for _, f := range fields(s) {
		group, name, _ := strings.Cut(f.key, ".")
		if known[group] == nil {
			known[group] = map[string]*field{}
		}
		known[group][name] = &f
	}
	for _, group := range slices.Sorted(maps.Keys(s.doc)) {
		if known[group] == nil {
			s.warn("the setting %s is unknown; it is kept and not used", group)
			continue
		}
		values, ok := s.doc[group].(map[string]any)
		if !ok {
			return invalid(group, "must be an object, not "+typeName(s.doc[group]))
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			key := group + "." + name
			f, ok := known[group][name]
			switch {
			case !ok:
				s.warn("the setting %s is unknown; it is kept and not used", key)
			case values[name] == nil: // null is the default
			case key == keyConnections:
				if err := s.mergeConnections(values[name]); err != nil {
					return err
				}
			default:
				value, ok := convert(f.ptr, values[name])
				if !ok {
					return invalid(key, "must be "+f.kind()+", not "+typeName(values[name]))
				}
				f.set(value)
			}
		}
	}
	return nil
}

func (s *Settings) warn(format string, args ...any) {
	s.Warnings = append(s.Warnings, fmt.Sprintf(format, args...))
}

// convert turns a JSON value into the type that ptr points to.
func convert(ptr, value any) (any, bool) {
	switch ptr.(type) {
	case *int:
		number, ok := value.(json.Number)
		if !ok {
			return nil, false
		}
		n, err := strconv.Atoi(number.String())
		return n, err == nil
	case *bool:
		b, ok := value.(bool)
		return b, ok
	default:
		text, ok := value.(string)
		return text, ok
	}
}

func typeName(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return "text"
	case bool:
		return "true or false"
	case json.Number:
		if strings.ContainsAny(v.String(), ".eE") {
			return "a fraction"
		}
		return "a number"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// document is the file's new content: unknown keys as they were, known ones
// when the file had them or when they are not the default.
func (s *Settings) document() map[string]any {
	doc := maps.Clone(s.doc)
	groups := map[string]map[string]any{}
	group := func(name string) map[string]any {
		if groups[name] == nil {
			old, _ := s.doc[name].(map[string]any)
			values := make(map[string]any, len(old)+1)
			maps.Copy(values, old)
			groups[name], doc[name] = values, values
		}
		return groups[name]
	}
	defaults := fields(Default())
	for i, f := range fields(s) {
		name, key, _ := strings.Cut(f.key, ".")
		old, _ := s.doc[name].(map[string]any)
		if _, had := old[key]; had || f.get() != defaults[i].get() {
			group(name)[key] = f.get()
		}
	}
	old, _ := s.doc["postgres"].(map[string]any)
	if _, had := old["connections"]; had || len(s.Postgres.Connections) > 0 {
		list := make([]any, 0, len(s.Postgres.Connections))
		for i := range s.Postgres.Connections {
			list = append(list, s.Postgres.Connections[i].document())
		}
		group("postgres")["connections"] = list
	}
	return doc
}

// write replaces the file as a whole: the new content is on the disk before
// it takes the name.
func write(path string, doc map[string]any) (err error) {
	const message = "the settings could not be written"
	if target, linkErr := filepath.EvalSymlinks(path); linkErr == nil {
		path = target // a link stays a link
	}
	f, err := os.CreateTemp(filepath.Dir(path), FileName+".tmp*")
	if err != nil {
		return interpretError(message, err)
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
			err = interpretError(message, err)
		}
	}()
	enc := json.NewEncoder(f)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err = enc.Encode(doc); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// interpretError classifies what the file system said.
func interpretError(message string, err error) error {
	e := &sparkwright.Error{Code: sparkwright.CodeInternal, Message: message, Because: err.Error(), Err: err}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Code, e.Remedy = sparkwright.CodeResource, "free space on the disk that holds the data directory"
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		e.Code, e.Remedy = sparkwright.CodeInvalid, "make the data directory writable for this user, or set SPARKWRIGHT_HOME to another one"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		e.Code, e.Remedy = sparkwright.CodeInvalid, "set SPARKWRIGHT_HOME to a directory"
	}
	return e
}
