package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
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
	if tooLarge, is := errors.AsType[*http.MaxBytesError](err); is {
		s.write(w, http.StatusRequestEntityTooLarge, map[string]any{"detail": fmt.Sprintf("the request is larger than %d MB", tooLarge.Limit>>20)})
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

// optional reads a string that may be absent or null: "" for both.
func (b *body) optional(name string) string {
	if raw, there := b.fields[name]; there && string(raw) != "null" {
		return b.string(name, raw)
	}
	return ""
}

// flag reads a truth value that may be absent or null.
func (b *body) flag(name string) bool {
	raw, there := b.fields[name]
	if !there || string(raw) == "null" {
		return false
	}
	var v any
	_ = json.Unmarshal(raw, &v)
	switch v := v.(type) {
	case bool:
		return v
	case string:
		switch strings.ToLower(v) {
		case "1", "true", "t", "yes", "y", "on":
			return true
		case "0", "false", "f", "no", "n", "off":
			return false
		}
	case float64:
		if v == 0 || v == 1 {
			return v == 1
		}
	default:
		b.add("bool_type", name, "Input should be a valid boolean", raw)
		return false
	}
	b.add("bool_parsing", name, "Input should be a valid boolean, unable to interpret input", raw)
	return false
}

// number reads a required integer.
func (b *body) number(name string) int {
	raw, there := b.fields[name]
	if !there {
		b.problems = append(b.problems, problem{Type: "missing", Loc: []any{"body", name}, Msg: "Field required", Input: b.fields})
		return 0
	}
	return b.integer(name, raw)
}

// numberOr reads an integer that may be absent, but not null.
func (b *body) numberOr(name string, otherwise int) int {
	raw, there := b.fields[name]
	if !there {
		return otherwise
	}
	return b.integer(name, raw)
}

// integer takes what pydantic takes as an integer: also 3.0, "3" and true.
func (b *body) integer(name string, raw json.RawMessage) int {
	var v any
	_ = json.Unmarshal(raw, &v)
	switch v := v.(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
			b.add("int_from_float", name, "Input should be a valid integer, got a number with a fractional part", raw)
			return 0
		}
		return int(v)
	case string:
		text := strings.TrimSuffix(strings.TrimSpace(v), ".0")
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			b.add("int_parsing", name, "Input should be a valid integer, unable to parse string as an integer", raw)
		}
		return int(n)
	default:
		b.add("int_type", name, "Input should be a valid integer", raw)
		return 0
	}
}

func (b *body) add(kind, name, msg string, input json.RawMessage) {
	b.problems = append(b.problems, problem{Type: kind, Loc: []any{"body", name}, Msg: msg, Input: input})
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

// stringMaps reads a required list of objects of which every value is a string.
func (b *body) stringMaps(name string) []map[string]string {
	raw, there := b.fields[name]
	if !there {
		b.problems = append(b.problems, problem{Type: "missing", Loc: []any{"body", name}, Msg: "Field required", Input: b.fields})
		return nil
	}
	if string(raw) == "null" {
		b.add("list_type", name, "Input should be a valid list", raw)
		return nil
	}
	var out []map[string]string
	for i, item := range b.list(name) {
		keys, values, ok := members(item)
		if !ok {
			b.problems = append(b.problems, problem{
				Type: "dict_type", Loc: []any{"body", name, i}, Msg: "Input should be a valid dictionary", Input: item,
			})
			continue
		}
		entry := make(map[string]string, len(keys))
		for _, key := range keys {
			var text *string
			if json.Unmarshal(values[key], &text) != nil || text == nil {
				b.problems = append(b.problems, problem{
					Type: "string_type", Loc: []any{"body", name, i, key}, Msg: "Input should be a valid string", Input: values[key],
				})
				continue
			}
			entry[key] = *text
		}
		out = append(out, entry)
	}
	return out
}

// members are the keys of an object in their order, and its values.
func members(raw json.RawMessage) (keys []string, values map[string]json.RawMessage, ok bool) {
	if json.Unmarshal(raw, &values) != nil || values == nil {
		return nil, nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil { // the brace
		return nil, nil, false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, nil, false
		}
		name, _ := key.(string)
		keys = append(keys, name)
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return nil, nil, false
		}
	}
	return keys, values, true
}

// records reads a list of JSON objects that have the given string fields; other
// fields are left out.
func (b *body) records(name string, fields ...string) []map[string]string {
	var out []map[string]string
	for i, item := range b.list(name) {
		var o map[string]json.RawMessage
		if json.Unmarshal(item, &o) != nil || o == nil {
			b.problems = append(b.problems, problem{
				Type: "model_attributes_type", Loc: []any{"body", name, i}, Msg: notAModel, Input: item,
			})
			continue
		}
		record := make(map[string]string, len(fields))
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
			default:
				record[field] = *text
			}
		}
		out = append(out, record)
	}
	return out
}
