package files

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// json reads one file of JSON lines, or of one array of objects.
func (s *scan) json(r io.Reader, path string) error {
	in := bufio.NewReaderSize(r, 256<<10)
	if s.options == nil {
		s.options = map[string]string{"mode": "FAILFAST", "encoding": "UTF-8"}
	}
	array, err := beginsArray(in)
	if err != nil {
		return notATable(path, err.Error(), "check the file")
	}
	if array {
		s.options["multiLine"] = "true"
		return s.jsonArray(in, path)
	}
	if s.options["multiLine"] != "" {
		return notATable(path, "some files of the directory are arrays and some are lines", "keep files of one shape in the directory")
	}
	for line := 1; ; line++ {
		row, err := in.ReadBytes('\n')
		if row = bytes.TrimSpace(row); len(row) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			if e := s.object(row); e != nil {
				return notATable(path, fmt.Sprintf("line %d: %s", line, e), "write one JSON object a line")
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return notATable(path, err.Error(), "check the file")
		}
	}
}

func beginsArray(in *bufio.Reader) (bool, error) {
	for {
		b, err := in.ReadByte()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err //nolint:wrapcheck // told with the path
		}
		if b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			return b == '[', in.UnreadByte()
		}
	}
}

func (s *scan) jsonArray(in io.Reader, path string) error {
	dec := json.NewDecoder(in)
	if _, err := dec.Token(); err != nil {
		return notATable(path, err.Error(), "check the file")
	}
	for dec.More() {
		var row json.RawMessage
		err := dec.Decode(&row)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err == nil {
			err = s.object(row)
		}
		if err != nil {
			return notATable(path, fmt.Sprintf("element %d: %s", s.rows+1, err), "write an array of objects")
		}
	}
	return nil
}

// object takes note of one row. Columns come in the order of their first
// appearance.
func (s *scan) object(row []byte) error {
	dec := json.NewDecoder(bytes.NewReader(row))
	dec.UseNumber()
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return fmt.Errorf("it is not an object")
	}
	s.rows++
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return fmt.Errorf("it is not JSON: %w", err)
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return fmt.Errorf("it is not JSON: %w", err)
		}
		s.columnNamed(key.(string)).observeJSON(v)
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("it is not JSON: %w", err)
	}
	if dec.More() {
		return fmt.Errorf("something follows the object")
	}
	return nil
}

// observeJSON takes note of a JSON value. What is nested is kept as its text.
func (c *column) observeJSON(v json.RawMessage) {
	switch v[0] {
	case 'n':
		c.nulls++
	case 't', 'f':
		c.note(string(v), boolean)
	case '"':
		var str string
		_ = json.Unmarshal(v, &str) // it was decoded before
		k := text
		if len(str) > 0 {
			k = momentKind(str)
		}
		c.note(str, k)
	case '{', '[':
		c.note(string(v), text)
	default:
		n := string(v)
		k := numberKind(n)
		if k == integer || k == decimal {
			c.number(n)
		}
		if k == text { // 1.0E+5 and the like
			k = double
		}
		if n == "-0" || strings.HasPrefix(n, "-0.") && strings.Trim(n, "-0.") == "" {
			k = double
		}
		c.note(n, k)
	}
}
