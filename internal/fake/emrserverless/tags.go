package emrserverless

import (
	"maps"
	"net/http"
	"strings"
)

// taggedLocked returns the tags of an application or a job run.
func (s *Server) taggedLocked(arn string) (map[string]string, error) {
	_, path, _ := strings.Cut(arn, ":/")
	parts := strings.Split(path, "/")
	switch {
	case len(parts) == 2 && s.apps[parts[1]] != nil:
		app := s.apps[parts[1]]
		if app.in.Tags == nil {
			app.in.Tags = map[string]string{}
		}
		return app.in.Tags, nil
	case len(parts) == 4 && s.jobs[parts[3]] != nil:
		j := s.jobs[parts[3]]
		if j.in.Tags == nil {
			j.in.Tags = map[string]string{}
		}
		return j.in.Tags, nil
	}
	return nil, notFound("Resource", arn)
}

func (s *Server) listTags(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.taggedLocked(r.PathValue("arn"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"tags": maps.Clone(tags)}, nil
}

func (s *Server) tag(r *http.Request, body []byte) (any, error) {
	var in struct {
		Tags map[string]string `json:"tags"`
	}
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.taggedLocked(r.PathValue("arn"))
	if err != nil {
		return nil, err
	}
	maps.Copy(tags, in.Tags)
	return nil, nil
}

func (s *Server) untag(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tags, err := s.taggedLocked(r.PathValue("arn"))
	if err != nil {
		return nil, err
	}
	for _, key := range r.URL.Query()["tagKeys"] {
		delete(tags, key)
	}
	return nil, nil
}
