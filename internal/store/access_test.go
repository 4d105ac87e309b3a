package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/store"
)

func TestLogins(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		ann := access.Login{Hash: "h1", User: "oidc:ann", Name: "ann@example.com", Role: access.Analyst, Expires: now.Add(time.Hour)}
		for _, l := range []access.Login{{Hash: "old", User: "u", Role: access.Viewer, Expires: now.Add(-time.Hour)}, ann, {Hash: "h2", Expires: now.Add(time.Hour)}} {
			if err := s.AddLogin(ctx, l); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Login(ctx, "h1")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&ann, got); diff != "" {
			t.Error(diff)
		}
		if _, err := s.Login(ctx, "old"); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
			t.Errorf("the one that has expired: %v", err)
		}
		if err := s.RemoveLogin(ctx, "h1"); err != nil {
			t.Error(err)
		}
		if _, err := s.Login(ctx, "h1"); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
			t.Errorf("the one that has ended: %v", err)
		}
		if err := s.RemoveLogins(ctx, ""); err != nil {
			t.Error(err)
		}
		if _, err := s.Login(ctx, "h2"); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
			t.Errorf("all have ended: %v", err)
		}
	})
}

// TestAuditIsAppendOnly: the database itself refuses to change or to delete.
func TestAuditIsAppendOnly(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		e := access.Entry{
			At: time.Now().UTC().Truncate(time.Microsecond), User: "oidc:ann", Name: "ann@example.com", Role: access.Analyst, Way: access.Cookie,
			Address: "127.0.0.1", Action: "POST /api/v1/runs", Object: "r1", Status: 202, Note: "n", Request: "q",
		}
		for i := range 3 {
			e.Object = fmt.Sprint("r", i)
			if err := s.Record(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		for _, query := range []string{`UPDATE audit SET user_name = 'x'`, `DELETE FROM audit`, `DELETE FROM audit WHERE number = 1`} {
			if _, err := s.DB().ExecContext(ctx, query); err == nil {
				t.Errorf("%s is possible", query)
			}
		}
		list, err := s.Audit(ctx, "ann@example.com", 0, 2)
		if err != nil || len(list) != 2 {
			t.Fatalf("%v, %v", list, err)
		}
		e.Number = list[0].Number
		if diff := cmp.Diff(e, list[0]); diff != "" {
			t.Error(diff)
		}
		rest, err := s.Audit(ctx, "", list[1].Number, 10)
		if err != nil || len(rest) != 1 || rest[0].Object != "r0" {
			t.Errorf("%v, %v", rest, err)
		}
		if none, err := s.Audit(ctx, "bob", 0, 10); err != nil || len(none) != 0 {
			t.Errorf("%v, %v", none, err)
		}
	})
}
