package store_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright/internal/store"
)

func named(names ...string) []store.Connection {
	var list []store.Connection
	for _, n := range names {
		list = append(list, store.Connection{Name: n, Document: json.RawMessage(`{"name":"` + n + `"}`)})
	}
	return list
}

func TestConnections(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, s *store.Store) {
		want := func(first, want []store.Connection) {
			t.Helper()
			got, err := s.Connections(t.Context(), first)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		}
		change := func(f func([]store.Connection) ([]store.Connection, error)) error {
			return s.ChangeConnections(t.Context(), named("other"), f)
		}
		want(nil, nil)
		want(named("shop", "b", "a"), named("shop", "b", "a")) // the first use fills it
		want(named("other"), named("shop", "b", "a"))          // and only the first

		refused := errors.New("refused")
		if err := change(func(list []store.Connection) ([]store.Connection, error) { return list[:1], refused }); !errors.Is(err, refused) {
			t.Errorf("a refusal became %v", err)
		}
		want(nil, named("shop", "b", "a"))
		changed := store.Connection{Name: "b", Document: json.RawMessage(`{"name":"b","host":"ü"}`)}
		if err := change(func([]store.Connection) ([]store.Connection, error) {
			return append(named("shop"), changed), nil
		}); err != nil {
			t.Fatal(err)
		}
		want(nil, append(named("shop"), changed))
		if err := change(func([]store.Connection) ([]store.Connection, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		want(named("other"), nil) // what was removed does not come back
	})
}

// Servers that change the connections at once lose nothing.
func TestConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	forBoth(t, func(t *testing.T, s *store.Store) {
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				err := s.ChangeConnections(t.Context(), named("first"), func(list []store.Connection) ([]store.Connection, error) {
					return append(list, named(fmt.Sprintf("c%d", i))...), nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if list, err := s.Connections(t.Context(), nil); err != nil || len(list) != 13 {
			t.Errorf("%d connections, %v: %v", len(list), err, list)
		}
	})
}
