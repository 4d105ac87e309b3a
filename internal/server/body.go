package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"unicode/utf8"
)

// problem is one entry of FastAPI's 422 detail.
type problem struct {
	Type  string         `json:"type"`
	Loc   []any          `json:"loc"`
	Msg   string         `json:"msg"`
	Input any            `json:"input"`
	Ctx   map[string]any `json:"ctx,omitempty"`
}

// notAModel is pydantic's message for a value that should be an object of
// known fields.
const notAModel = "Input should be a valid dictionary or object to extract fields from"

// body is a decoded JSON object; its readers collect problems.
type body struct {
	fields   map[string]json.RawMessage
	problems []problem
}

// readBody decodes the request. ok is false when a reply has been written.
func (s *server) readBody(w http.ResponseWriter, r *http.Request) (b *body, ok bool) {
	text, err := io.ReadAll(r.Body)
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		s.write(w, http.StatusRequestEntityTooLarge, map[string]any{"detail": "the request is larger than 2 MB"})
		return nil, false
	}
	if err != nil || !utf8.Valid(text) {
		s.write(w, http.StatusBadRequest, map[string]any{"detail": "There was an error parsing the body"})
		return nil, false
	}
	b = &body{}
	if len(text) == 0 {
		s.unprocessable(w, problem{Type: "missing", Loc: []any{"body"}, Msg: "Field required"})
		return nil, false
	}
	var whole json.RawMessage
	if err := json.Unmarshal(text, &whole); err != nil {
		offset, why := jsonError(string(text), err)
		s.unprocessable(w, problem{
			Type: "json_invalid", Loc: []any{"body", offset}, Msg: "JSON decode error", Input: map[string]any{},
			Ctx: map[string]any{"error": why},
		})
		return nil, false
	}
	if json.Unmarshal(text, &b.fields) != nil || b.fields == nil {
		s.unprocessable(w, problem{
			Type: "model_attributes_type", Loc: []any{"body"}, Msg: notAModel, Input: whole,
		})
		return nil, false
	}
	return b, true
}

func (s *server) unprocessable(w http.ResponseWriter, problems ...problem) {
	s.write(w, http.StatusUnprocessableEntity, map[string]any{"detail": problems})
}

// text reads a required string.
func (b *body) text(name string) string {
	raw, there := b.fields[name]
	if !there {
		b.problems = append(b.problems, problem{Type: "missing", Loc: []any{"body", name}, Msg: "Field required", Input: b.fields})
		return ""
	}
	return b.string(name, raw)
}

// defaulted reads a string that may be absent, but not null.
func (b *body) defaulted(name, otherwise string) string {
	raw, there := b.fields[name]
	if !there {
		return otherwise
	}
	return b.string(name, raw)
}

// optional checks a string that may be absent or null.
func (b *body) optional(name string) {
	if raw, there := b.fields[name]; there && string(raw) != "null" {
		_ = b.string(name, raw)
	}
}

func (b *body) string(name string, raw json.RawMessage) string {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		b.problems = append(b.problems, problem{
			Type: "string_type", Loc: []any{"body", name}, Msg: "Input should be a valid string", Input: raw,
		})
		return ""
	}
	return *s
}

// list reads a list that may be absent or null.
func (b *body) list(name string) []json.RawMessage {
	raw, there := b.fields[name]
	if !there || string(raw) == "null" {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		b.problems = append(b.problems, problem{
			Type: "list_type", Loc: []any{"body", name}, Msg: "Input should be a valid list", Input: raw,
		})
		return nil
	}
	return list
}

// objects reads a list of any JSON objects.
func (b *body) objects(name string) []map[string]any {
	list := b.list(name)
	out := make([]map[string]any, 0, len(list))
	for i, item := range list {
		var o map[string]any
		if json.Unmarshal(item, &o) != nil || o == nil {
			b.problems = append(b.problems, problem{
				Type: "dict_type", Loc: []any{"body", name, i}, Msg: "Input should be a valid dictionary", Input: item,
			})
			continue
		}
		out = append(out, o)
	}
	return out
}

// records reads a list of JSON objects that have the given string fields, and
// returns how many it holds.
func (b *body) records(name string, fields ...string) int {
	list := b.list(name)
	for i, item := range list {
		var o map[string]json.RawMessage
		if json.Unmarshal(item, &o) != nil || o == nil {
			b.problems = append(b.problems, problem{
				Type: "model_attributes_type", Loc: []any{"body", name, i}, Msg: notAModel, Input: item,
			})
			continue
		}
		for _, field := range fields {
			raw, there := o[field]
			var text *string
			switch {
			case !there:
				b.problems = append(b.problems, problem{Type: "missing", Loc: []any{"body", name, i, field}, Msg: "Field required", Input: item})
			case json.Unmarshal(raw, &text) != nil || text == nil:
				b.problems = append(b.problems, problem{
					Type: "string_type", Loc: []any{"body", name, i, field}, Msg: "Input should be a valid string", Input: raw,
				})
			}
		}
	}
	return len(list)
}
