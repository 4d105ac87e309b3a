package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReadChoice(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ typed, want, says string }{
		{"2\n", "2", ""},
		{"9\n0\n 1 \n", "1", "from 1 to 3"},
		{"by ship date\n", "by ship date", ""},
		{"\n1\n", "", ""},
		{"", "", ""},
	} {
		var out bytes.Buffer
		if got := readChoice(strings.NewReader(tt.typed), &out, 3); got != tt.want || !strings.Contains(out.String(), tt.says) {
			t.Errorf("typed %q: %q, said %q", tt.typed, got, out.String())
		}
	}
}
