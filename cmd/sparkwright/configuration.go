package main

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/store"
)

// configuration is settings.json, read each time: other processes change it
// too. With the PostgreSQL of --database-url, the connections are those of the
// database, which several servers share.
type configuration struct {
	home  string
	store *store.Store // nil = the connections of settings.json
}

// configurationTime bounds how long the database is asked for connections.
const configurationTime = 20 * time.Second

// configuration opens the database when connections are in it.
func (a *app) configuration(ctx context.Context) (configuration, error) {
	if _, err := a.loadSettings(); err != nil {
		return configuration{}, err
	}
	c := configuration{home: a.home}
	if a.databaseURL == "" && a.settings.Database.URL == "" {
		return c, nil
	}
	var err error
	c.store, err = a.openStore(ctx)
	if err == nil && !c.store.Shared() {
		c.store = nil
	}
	return c, err
}

// Load implements server.Settings.
func (c configuration) Load() (*settings.Settings, error) {
	s, err := settings.Load(c.home)
	if err != nil || c.store == nil {
		return s, err
	}
	return s, c.apply(s)
}

// apply puts the connections of the database in the place of the file's.
func (c configuration) apply(s *settings.Settings) error {
	if c.store == nil {
		return nil
	}
	first, err := kept(s)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), configurationTime)
	defer cancel()
	list, err := c.store.Connections(ctx, first)
	if err != nil {
		return err
	}
	return use(s, list)
}

// Update implements server.Settings. Connections that change are changed in
// the database before anything else is written to the file, whose own
// connections stay as they are.
func (c configuration) Update(change func(*settings.Settings) error) error {
	if c.store == nil {
		return settings.Update(c.home, change)
	}
	return settings.Update(c.home, func(s *settings.Settings) error {
		own := s.Postgres.Connections
		first, err := kept(s)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), configurationTime)
		defer cancel()
		err = c.store.ChangeConnections(ctx, first, func(list []store.Connection) ([]store.Connection, error) {
			wrong := use(s, list)
			if wrong == nil {
				wrong = change(s)
			}
			if wrong != nil {
				return nil, wrong
			}
			return kept(s)
		})
		s.Postgres.Connections = own
		return err
	})
}

// kept are the connections as the database keeps them.
func kept(s *settings.Settings) ([]store.Connection, error) {
	documents, err := s.Documents()
	var list []store.Connection
	for _, d := range documents {
		list = append(list, store.Connection{Name: d.Name, Document: d.JSON})
	}
	return list, err
}

func use(s *settings.Settings, list []store.Connection) error {
	documents := make([]settings.Document, 0, len(list))
	for _, c := range list {
		documents = append(documents, settings.Document{Name: c.Name, JSON: c.Document})
	}
	return s.UseDocuments(documents)
}
