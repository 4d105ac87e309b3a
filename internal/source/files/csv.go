package files

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// csv reads one file of comma-separated values.
func (s *scan) csv(r io.Reader, path string) error {
	in := bufio.NewReaderSize(r, 256<<10)
	if bom, err := in.Peek(3); err == nil && bytes.Equal(bom, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3)
	}
	head, err := in.Peek(64 << 10)
	if len(head) == 0 {
		if s.columns != nil {
			return nil // an empty part
		}
		return notATable(path, "it is empty", "give a file with a header and rows")
	}
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) && !errors.Is(err, errEnough) {
		return notATable(path, err.Error(), "check the file")
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return notATable(path, "it is binary", "give text in UTF-8")
	}
	sep := s.opt.Delimiter
	if sep == "" {
		sep = delimiter(head)
	}
	comma, size := utf8.DecodeRuneInString(sep)
	if size != len(sep) || comma == utf8.RuneError || strings.ContainsRune("\"\r\n", comma) {
		return notATable(path, fmt.Sprintf("the delimiter %q is not one character", sep), "give one like , or ;")
	}
	if s.options == nil {
		s.options = map[string]string{"sep": sep, "quote": `"`, "escape": `"`, "mode": "FAILFAST", "encoding": "UTF-8"}
	}
	rd := csv.NewReader(in)
	rd.Comma, rd.ReuseRecord = comma, true
	first, err := rd.Read()
	if err != nil {
		return broken(path, err)
	}
	header := s.opt.Header == nil && looksLikeNames(first) || s.opt.Header != nil && *s.opt.Header
	if s.options["header"] == "" {
		s.options["header"] = fmt.Sprint(header)
	} else if s.options["header"] != fmt.Sprint(header) {
		return notATable(path, "some files of the directory have a header and some have none", "say which with the header option")
	}
	if err := s.headerRow(first, header, path); err != nil {
		return err
	}
	if !header {
		s.record(first)
	}
	for {
		rec, err := rd.Read()
		if errors.Is(err, io.EOF) || errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return broken(path, err)
		}
		s.record(rec)
	}
}

// headerRow makes the columns, or checks that another part has the same.
func (s *scan) headerRow(first []string, header bool, path string) error {
	if s.columns == nil {
		for _, cell := range first {
			if !header {
				cell = ""
			}
			s.columns = append(s.columns, newColumn(strings.ToValidUTF8(cell, "\uFFFD")))
		}
		return nil
	}
	if len(first) != len(s.columns) {
		return notATable(path, fmt.Sprintf("it has %d columns, the first file has %d", len(first), len(s.columns)), "keep files of one shape in the directory")
	}
	for i, cell := range first {
		if header && cell != s.columns[i].name {
			return notATable(path, fmt.Sprintf("its column %d is %q, in the first file it is %q", i+1, cell, s.columns[i].name), "keep files of one shape in the directory")
		}
	}
	return nil
}

func (s *scan) record(rec []string) {
	s.rows++
	for i, v := range rec {
		if strings.ContainsAny(v, "\n\r") {
			s.options["multiLine"] = "true"
		}
		s.columns[i].observe(v)
	}
}

func broken(path string, err error) error {
	because := err.Error()
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		because = fmt.Sprintf("line %d: %s", e.Line, e.Err)
	}
	return notATable(path, because, "every line needs as many cells as the first, and quotes that are closed")
}

// delimiter is the separator that the first line has most of, outside quotes.
func delimiter(head []byte) string {
	best, most := ",", 0
	for _, d := range []string{",", ";", "\t", "|"} {
		n, quoted := 0, false
		for _, b := range head {
			if b == '"' {
				quoted = !quoted
			}
			if b == '\n' && !quoted {
				break
			}
			if b == d[0] && !quoted {
				n++
			}
		}
		if n > most {
			best, most = d, n
		}
	}
	return best
}

// looksLikeNames reports whether a first row is a header: no cell is empty, a
// number, a date or a truth value.
func looksLikeNames(first []string) bool {
	for _, cell := range first {
		if cell == "" || kindOf(cell) != text {
			return false
		}
	}
	return true
}
