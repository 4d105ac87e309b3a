// Package session keeps conversations: what is selected in them, what was
// asked, and what a follow-up refers to.
//
// A session is named by its client, by any text. An id that is shorter than
// the reference contract allows is answered with a longer one that is made
// from the session's handle; both names find the same session. The selection
// is stored with the session; the history is the session's runs.
package session

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sparkwright/sparkwright"
)

// Store keeps sessions. Implementations are safe for concurrent use.
type Store interface {
	// Session returns the session with that id, else the one with that handle.
	// CodeNotFound.
	Session(ctx context.Context, user, id, handle string) (*sparkwright.Session, error)
	// UpdateSession changes the session with that id and stores it whole; two
	// changes of one session follow one another. A session that does not exist
	// is made first, with that handle. Nothing is stored when change fails.
	UpdateSession(ctx context.Context, user, id, handle string, change func(*sparkwright.Session) error) (*sparkwright.Session, error)
}

// MinID is the length of the shortest id that the reference contract keeps.
const MinID = 33

// maxID bounds ids, in bytes.
const maxID = 256

// recentRuns is how far back the question is looked for that a follow-up
// refers to.
const recentRuns = 20

// Service is safe for concurrent use.
type Service struct {
	store Store
	runs  sparkwright.Runs
}

// New returns a Service.
func New(store Store, runs sparkwright.Runs) *Service { return &Service{store: store, runs: runs} }

// replaced is an id that stands in for one that was too short.
var replaced = regexp.MustCompile(`^(?:fastapi-session|exec-session|spark-session|spark-exec)-([0-9a-f]{32})$`)

// handleIn is the handle in an id that was made by Wire, or "".
func handleIn(id string) string {
	if m := replaced.FindStringSubmatch(id); m != nil {
		return m[1]
	}
	return ""
}

// Wire is the id by which the reference contract answers: the client's own,
// or prefix and handle when that is too short.
func Wire(s *sparkwright.Session, given, prefix string) string {
	if len(given) >= MinID {
		return given
	}
	return prefix + s.Handle
}

// Open returns the session of that id, and makes it when there is none.
// CodeInvalid for an id that cannot be one.
func (s *Service) Open(ctx context.Context, user, id string) (*sparkwright.Session, error) {
	found, err := s.Find(ctx, user, id)
	if err != nil || found != nil {
		return found, err
	}
	return s.change(ctx, user, id, func(*sparkwright.Session) error { return nil })
}

// Find returns the session of that id, nil when there is none.
func (s *Service) Find(ctx context.Context, user, id string) (*sparkwright.Session, error) {
	if err := validate(id); err != nil {
		return nil, err
	}
	found, err := s.store.Session(ctx, user, id, handleIn(id))
	if sparkwright.ErrorCode(err) == sparkwright.CodeNotFound {
		return nil, nil //nolint:nilnil // no session is no error: nothing is known of it yet
	}
	return found, err
}

func validate(id string) error {
	if id == "" || len(id) > maxID || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "this cannot be the id of a session",
			Because: "it must have 1 to 256 bytes and no control characters", Remedy: "send a UUID",
		}
	}
	return nil
}

// change applies change to the session of that id.
func (s *Service) change(ctx context.Context, user, id string, change func(*sparkwright.Session) error) (*sparkwright.Session, error) {
	found, err := s.Find(ctx, user, id)
	if err != nil {
		return nil, err
	}
	if found != nil {
		id = found.ID // the client may have used the id that it was answered
	}
	return s.store.UpdateSession(ctx, user, id, NewHandle(), change)
}

// NewHandle returns a new random handle.
func NewHandle() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// SelectPostgres replaces the selected PostgreSQL tables.
func (s *Service) SelectPostgres(ctx context.Context, user, id string, tables []sparkwright.SelectedPostgresTable) error {
	_, err := s.change(ctx, user, id, func(sess *sparkwright.Session) error {
		sess.Selection.Postgres = tables
		return nil
	})
	return err
}

// SelectGlue replaces the selected Glue tables.
func (s *Service) SelectGlue(ctx context.Context, user, id string, tables []sparkwright.SelectedGlueTable) error {
	_, err := s.change(ctx, user, id, func(sess *sparkwright.Session) error {
		sess.Selection.Glue = tables
		return nil
	})
	return err
}

// AddUpload makes an upload a table of the session. One of the same name takes
// the place of the earlier one.
func (s *Service) AddUpload(ctx context.Context, user, id string, up sparkwright.Upload) error {
	_, err := s.change(ctx, user, id, func(sess *sparkwright.Session) error {
		kept := make([]sparkwright.Upload, 0, len(sess.Selection.Uploads)+1)
		for _, u := range sess.Selection.Uploads {
			if u.Name != up.Name {
				kept = append(kept, u)
			}
		}
		sess.Selection.Uploads = append(kept, up)
		return nil
	})
	return err
}

// Reset clears the selection of a session, when there is one. The history
// stays.
func (s *Service) Reset(ctx context.Context, user, id string) error {
	found, err := s.Find(ctx, user, id)
	if err != nil || found == nil {
		return err
	}
	_, err = s.change(ctx, user, id, func(sess *sparkwright.Session) error {
		sess.Selection = sparkwright.Selection{}
		return nil
	})
	return err
}

// Previous is the id of the run that a follow-up in the session refers to: the
// newest question that was answered with code, or that was asked back. "" when
// there is none.
func (s *Service) Previous(ctx context.Context, sess *sparkwright.Session) (string, error) {
	page, err := s.runs.List(ctx, sparkwright.RunFilter{Session: sess.ID, User: sess.User, Limit: recentRuns})
	if err != nil {
		return "", err
	}
	for i := range page.Runs {
		if r := &page.Runs[i]; r.User == sess.User && r.Question.Text != "" &&
			(r.Analysis != "" || r.Declined != nil && r.Declined.Reason == sparkwright.DeclineAmbiguous && len(r.Declined.Choices) > 0) {
			return r.ID, nil
		}
	}
	return "", nil
}

// maxHistory bounds what History returns.
const maxHistory = 200

// History returns the newest runs of a session, oldest first, with attempts.
func (s *Service) History(ctx context.Context, sess *sparkwright.Session) ([]sparkwright.Run, error) {
	page, err := s.runs.List(ctx, sparkwright.RunFilter{Session: sess.ID, User: sess.User, Limit: maxHistory})
	if err != nil {
		return nil, err
	}
	runs := make([]sparkwright.Run, 0, len(page.Runs))
	for i := range slices.Backward(page.Runs) {
		if page.Runs[i].User != sess.User { // another user's session of the same name
			continue
		}
		run, err := s.runs.Run(ctx, page.Runs[i].ID)
		if sparkwright.ErrorCode(err) == sparkwright.CodeNotFound {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, *run)
	}
	return runs, nil
}
