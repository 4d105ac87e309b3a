package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sparkwright/sparkwright"
)

// hostile is what names, rows and logs may hold: colours, the title of the
// window, a link, the clipboard, a bell, C1 controls, text that runs backwards.
const hostile = "a\x1b[31mred\x1b]0;title\x07\x1b]8;;http://evil.example\x1b\\link\x1b]52;c;cGF5bG9hZA==\x07\x9b31m\u009b1m\u202egnp.exe\u2066\r\x08\x7fend"

func steers(text string) bool {
	return !utf8.ValidString(text) || strings.ContainsAny(text, "\x1b\x07\x08\x7f\u009b\u202e\u2066\r")
}

// TestNothingSteersTheTerminal: every way out of the program for people.
func TestNothingSteersTheTerminal(t *testing.T) {
	t.Parallel()
	if !steers(hostile) {
		t.Fatal("the test finds nothing")
	}
	for name, show := range map[string]func(a *app){
		"printf":  func(a *app) { a.printf("  %-10s %s\n", hostile, hostile) },
		"say":     func(a *app) { a.say(hostile, hostile) },
		"line":    func(a *app) { a.out.line(hostile) },
		"waiting": func(a *app) { a.out.terminal = true; a.out.waiting("x", hostile) },
		"error": func(a *app) {
			a.report(&sparkwright.Error{Code: sparkwright.CodeInvalid, Message: hostile, Because: hostile, Remedy: hostile})
		},
		"error as JSON": func(a *app) {
			a.json = true
			a.report(&sparkwright.Error{Code: sparkwright.CodeInvalid, Message: hostile})
		},
		"rows": func(a *app) {
			cell, err := json.Marshal(hostile)
			if err != nil {
				t.Error(err)
			}
			a.rows(&sparkwright.Manifest{
				Schema: []sparkwright.ResultColumn{{Name: hostile, Type: "string"}, {Name: "n", Type: "int"}}, RowCount: 1,
				Preview: [][]json.RawMessage{{cell, json.RawMessage("1")}},
			}, 80)
		},
	} {
		var out, errs bytes.Buffer
		a := newApp(strings.NewReader(""), &out, &errs)
		show(a)
		text := strings.ReplaceAll(out.String()+errs.String(), "\r\x1b[K", "") // our own
		if steers(text) || !strings.Contains(text, "red") {
			t.Errorf("%s: %q", name, text)
		}
	}
	var out bytes.Buffer
	a := newApp(strings.NewReader(""), &out, io.Discard)
	a.printf("%s", "a = 1\r\nb = 2\n\tc\n")
	if out.String() != "a = 1\nb = 2\n\tc\n" {
		t.Errorf("code is shown as %q", out.String())
	}
}

func TestHarmless(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-cmd|x": "'-cmd|x", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1", "a=1": "a=1", "": "", "'x": "'x",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
	}
}
