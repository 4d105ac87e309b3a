package server

import (
	"net/http"
	"strings"

	"github.com/sparkwright/sparkwright"
)

// defaultSession is the session of an upload that names none.
const defaultSession = "default"

// upload is POST /upload-csv.
func (s *server) upload(w http.ResponseWriter, r *http.Request) {
	s.keepUpload(w, r, func(up sparkwright.Upload) map[string]any {
		bucket, key := "", up.Path
		if rest, ok := strings.CutPrefix(up.Path, "s3://"); ok {
			bucket, key, _ = strings.Cut(rest, "/")
		}
		return map[string]any{"s3_uri": uri(up.Path), "bucket": bucket, "key": key}
	})
}

// sparkUpload is POST /spark/upload-csv.
func (s *server) sparkUpload(w http.ResponseWriter, r *http.Request) {
	s.keepUpload(w, r, func(up sparkwright.Upload) map[string]any {
		return map[string]any{"s3_path": uri(up.Path), "filename": up.Name}
	})
}

// keepUpload stores an upload and makes it a table of its session.
func (s *server) keepUpload(w http.ResponseWriter, r *http.Request, shape func(sparkwright.Upload) map[string]any) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	name, content := b.text("filename"), b.text("content")
	id := b.optional("session_id")
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	if id == "" {
		id = defaultSession
	}
	if s.cfg.Uploads == nil {
		s.fail(w, sparkwright.Errorf(sparkwright.CodeUnavailable, "this server takes no uploads"), nil)
		return
	}
	sess, err := s.cfg.Sessions.Open(r.Context(), s.user(r), id)
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	up, err := s.cfg.Uploads.Keep(r.Context(), sess, name, []byte(content))
	if err == nil {
		err = s.cfg.Sessions.AddUpload(r.Context(), s.user(r), id, up)
	}
	if err != nil {
		s.fail(w, err, nil)
		return
	}
	body := shape(up)
	body["preview"], body["table"], body["session_id"] = firstLines(content), up.Table, id
	s.ok(w, body)
}

// uri is where an upload is, as a URL.
func uri(path string) string {
	if strings.Contains(path, "://") {
		return path
	}
	return "file://" + path
}

// previewLines is how many lines of an upload are shown.
const previewLines = 5

func firstLines(content string) string {
	lines := strings.SplitN(content, "\n", previewLines+1)
	return strings.Join(lines[:min(len(lines), previewLines)], "\n")
}
