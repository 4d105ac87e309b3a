package settings

import (
	"bytes"
	"encoding/json"

	"github.com/sparkwright/sparkwright"
)

// Document is a connection as the file has it, in JSON, unknown keys included.
type Document struct {
	Name string
	JSON json.RawMessage
}

// Documents returns the connections, for a place other than the file: the
// first one of every name. Errors: CodeInvalid names the exact key.
func (s *Settings) Documents() ([]Document, error) {
	var list []Document
	for i := range s.Postgres.Connections {
		c := &s.Postgres.Connections[i]
		if s.find(c.Name) != i {
			continue
		}
		if err := c.validate("connection " + c.Name); err != nil {
			return nil, err
		}
		text, err := json.Marshal(c.document())
		if err != nil {
			return nil, sparkwright.Errorf(sparkwright.CodeInternal, "connection %s cannot be written: %w", c.Name, err)
		}
		list = append(list, Document{Name: c.Name, JSON: text})
	}
	return list, nil
}

// UseDocuments replaces the connections by those of another place. Errors:
// CodeInvalid names the exact key.
func (s *Settings) UseDocuments(list []Document) error {
	items := make([]any, 0, len(list))
	for _, d := range list {
		var item any
		dec := json.NewDecoder(bytes.NewReader(d.JSON))
		dec.UseNumber()
		if err := dec.Decode(&item); err != nil {
			return sparkwright.Errorf(sparkwright.CodeInvalid, "connection %s is not valid JSON: %w", d.Name, err)
		}
		items = append(items, item)
	}
	own := s.Postgres.Connections
	s.Postgres.Connections = nil
	err := s.mergeConnections(items)
	for i := range s.Postgres.Connections {
		if err == nil {
			err = s.Postgres.Connections[i].validate(connectionKey(i))
		}
	}
	if err != nil {
		s.Postgres.Connections = own
	}
	return err
}
