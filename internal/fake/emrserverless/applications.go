package emrserverless

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"
)

type application struct {
	in               applicationInput
	id, arn          string
	state, details   string
	created, updated time.Time
	lastJob          time.Time // end of the last job; for auto-stop
	running          int       // jobs that are not terminal
	active           int       // jobs that were let in
}

// AddApplication puts an application with a given id there, as it would be
// after CreateApplication with the JSON input. State is CREATED.
func (s *Server) AddApplication(id string, input json.RawMessage) error {
	var in applicationInput
	if err := decode(input, &in); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.addLocked(id, in)
	return err
}

func (s *Server) addLocked(id string, in applicationInput) (*application, error) {
	switch {
	case in.ReleaseLabel == nil || !strings.HasPrefix(*in.ReleaseLabel, "emr-"):
		return nil, invalid("releaseLabel must be given, like emr-7.9.0")
	case in.Type == nil || !slices.Contains([]string{"SPARK", "HIVE"}, strings.ToUpper(*in.Type)):
		return nil, invalid("type must be SPARK or HIVE")
	case id != "" && s.apps[id] != nil:
		return nil, conflict("Application " + id + " exists already")
	}
	if id == "" {
		id = s.newIDLocked("app")
	}
	if in.Architecture == nil {
		x86 := "X86_64"
		in.Architecture = &x86
	}
	now := s.cfg.Now()
	in.ClientToken = ""
	app := &application{in: in, id: id, arn: s.arn("applications/" + id), state: appCreated, created: now, updated: now}
	s.apps[id] = app
	return app, nil
}

func (s *Server) createApplication(_ *http.Request, body []byte) (any, error) {
	var in applicationInput
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkToken(in.ClientToken); err != nil {
		return nil, err
	}
	sum := digest(body)
	known, err := s.rememberedLocked("applications/"+in.ClientToken, sum)
	if err != nil {
		return nil, err
	}
	app := s.apps[known]
	if app == nil {
		key := "applications/" + in.ClientToken
		if app, err = s.addLocked("", in); err != nil {
			return nil, err
		}
		s.tokens[key] = token{app.id, sum, s.cfg.Now()}
	}
	name := ""
	if app.in.Name != nil {
		name = *app.in.Name
	}
	return map[string]string{"applicationId": app.id, "name": name, "arn": app.arn}, nil
}

// findLocked returns an application. The caller holds the lock.
func (s *Server) findLocked(id string) (*application, error) {
	if app := s.apps[id]; app != nil {
		return app, nil
	}
	return nil, notFound("Application", id)
}

func (a *application) output() applicationOutput {
	in := a.in
	in.Tags = maps.Clone(in.Tags)
	return applicationOutput{
		applicationInput: in, ID: a.id, ARN: a.arn, State: a.state, StateDetails: a.details,
		CreatedAt: epoch(a.created), UpdatedAt: epoch(a.updated),
	}
}

func (a *application) to(state string, now time.Time) { a.state, a.updated = state, now }

func (s *Server) getApplication(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	return map[string]any{"application": app.output()}, nil
}

func (s *Server) listApplications(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := r.URL.Query()["states"]
	var all []applicationSummary
	for _, a := range s.apps {
		if len(states) > 0 && !slices.Contains(states, a.state) {
			continue
		}
		sum := applicationSummary{
			ID: a.id, ARN: a.arn, ReleaseLabel: *a.in.ReleaseLabel, Type: *a.in.Type, State: a.state, StateDetails: a.details,
			Architecture: *a.in.Architecture, CreatedAt: epoch(a.created), UpdatedAt: epoch(a.updated),
		}
		if a.in.Name != nil {
			sum.Name = *a.in.Name
		}
		all = append(all, sum)
	}
	sort.Slice(all, func(i, j int) bool {
		return *all[i].CreatedAt > *all[j].CreatedAt || *all[i].CreatedAt == *all[j].CreatedAt && all[i].ID < all[j].ID
	})
	page, next, err := pageOf(r, all)
	return withNext(map[string]any{"applications": page}, next), err
}

func (s *Server) updateApplication(r *http.Request, body []byte) (any, error) {
	var in applicationInput
	if err := decode(body, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	if app.state != appCreated && app.state != appStopped {
		return nil, conflict("Application " + app.id + " must be in CREATED or STOPPED state, it is " + app.state)
	}
	in.ClientToken, in.Name, in.Type, in.Tags = "", nil, nil, nil
	change, err := json.Marshal(in) //nolint:gosec // G117: a token of idempotency, and empty
	if err == nil {
		err = json.Unmarshal(change, &app.in)
	}
	app.updated = s.cfg.Now()
	return map[string]any{"application": app.output()}, err
}

func (s *Server) deleteApplication(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	if app.state != appCreated && app.state != appStopped {
		return nil, conflict("Application " + app.id + " must be in CREATED or STOPPED state, it is " + app.state)
	}
	app.to(appTerminated, s.cfg.Now())
	return nil, nil
}

func (s *Server) startApplication(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	switch app.state {
	case appStarted, appStarting:
	case appCreated, appStopped:
		s.startLocked(app)
	default:
		return nil, conflict("Application " + app.id + " cannot be started, it is " + app.state)
	}
	return nil, nil
}

// startLocked takes an application by way of STARTING to STARTED.
func (s *Server) startLocked(app *application) {
	app.to(appStarting, s.cfg.Now())
	s.work.Go(func() {
		if !sleep(s.ctx, s.cfg.Timing.Step) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		app.to(appStarted, s.cfg.Now())
		app.lastJob = s.cfg.Now()
	})
}

func (s *Server) stopApplication(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	for _, j := range s.jobs {
		if j.app == app.id && !terminal(j.state) {
			return nil, conflict("Application " + app.id + " has job runs that are not terminal")
		}
	}
	if app.state == appStarted {
		app.to(appStopping, s.cfg.Now())
		s.work.Go(func() {
			if !sleep(s.ctx, s.cfg.Timing.Step) {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			app.to(appStopped, s.cfg.Now())
		})
	}
	return nil, nil
}

func (s *Server) applicationDashboard(r *http.Request, _ []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	app, err := s.findLocked(r.PathValue("app"))
	if err != nil {
		return nil, err
	}
	return map[string]string{"url": s.url + "/dashboard/" + app.id}, nil
}
