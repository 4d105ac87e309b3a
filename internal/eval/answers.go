package eval

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sparkwright/sparkwright"
)

// openAnswers opens the file of answers, and reads what it has when it is to
// be kept. A last line that was not finished is dropped. No name, no file.
func openAnswers(path string, keep bool) (done map[string]Answer, f *os.File, err error) {
	done = map[string]Answer{}
	if path == "" {
		return done, nil, nil
	}
	if f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil { //nolint:gosec // the file is the caller's choice
		return nil, nil, sparkwright.Errorf(sparkwright.CodeResource, "cannot write the answers: %w", err)
	}
	var end int64
	for r := bufio.NewReader(f); keep; {
		line, e := r.ReadBytes('\n')
		var a Answer
		if e != nil || json.Unmarshal(line, &a) != nil {
			break
		}
		done[a.ID] = a
		end += int64(len(line))
	}
	_, err = f.Seek(end, io.SeekStart)
	if err = errors.Join(err, f.Truncate(end)); err != nil {
		return nil, nil, sparkwright.Errorf(sparkwright.CodeResource, "cannot write the answers: %w", err)
	}
	return done, f, nil
}

func writeAnswer(f *os.File, a *Answer) error {
	if f == nil {
		return nil
	}
	for _, r := range a.Rows {
		for i, v := range r {
			r[i] = jsonable(v)
		}
	}
	if err := json.NewEncoder(f).Encode(a); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "cannot write the answers: %w", err)
	}
	return nil
}

func closeAnswers(f *os.File) error {
	if f == nil {
		return nil
	}
	if err := f.Close(); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "cannot write the answers: %w", err)
	}
	return nil
}

func jsonable(v any) any {
	switch x := v.(type) {
	case time.Time:
		return x.UTC().Format("2006-01-02 15:04:05.999999")
	case time.Duration:
		const day = 24 * time.Hour
		r := x % day
		return fmt.Sprintf("%d days, %d:%02d:%02d", int64(x/day), int(r.Hours()), int(r.Minutes())%60, int(r.Seconds())%60)
	default:
		return v
	}
}
