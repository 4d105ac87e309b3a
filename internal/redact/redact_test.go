package redact_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright/internal/redact"
)

const canary = `canary "pä$s<w>ord/7+1`

// written are the forms in which a log may hold the secret.
func written(t *testing.T) map[string]string {
	t.Helper()
	inJSON, err := json.Marshal(map[string]string{"password": canary, "x": "y"})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"raw": "before " + canary + " after", "json": string(inJSON), "query": url.Values{"p": {canary}, "q": {"1"}}.Encode(), "path": "/x/" + url.PathEscape(canary) + "/y",
		"base64": base64.StdEncoding.EncodeToString([]byte(canary)), "base64 in one": base64.StdEncoding.EncodeToString([]byte("u:" + canary + ":z")),
		"base64 in another": base64.StdEncoding.EncodeToString([]byte("user:" + canary)), "base64 in a third": base64.StdEncoding.EncodeToString([]byte("us:" + canary + "!")),
		"base64 for URLs": base64.RawURLEncoding.EncodeToString([]byte("us:" + canary)), "hex": hex.EncodeToString([]byte(canary)),
		"twice": canary + canary, "lines": "a\n" + canary + "\nb",
	}
}

// seen reports whether the secret, or enough of it, is in the text.
func seen(text string) bool {
	plain, _ := url.QueryUnescape(text)
	for _, part := range []string{"canary", "ord/7", "d%2F7", hex.EncodeToString([]byte("canary")), "Y2FuYXJ5", "NhbmFye", "jYW5hcn"} {
		if strings.Contains(text, part) || strings.Contains(plain, part) {
			return true
		}
	}
	return false
}

func TestForms(t *testing.T) {
	t.Parallel()
	s := redact.New("", "x", canary, "other-secret")
	for name, text := range written(t) {
		if !seen(text) {
			t.Errorf("%s: the test does not see it in %q", name, text)
		}
		if got := s.Text(text); seen(got) || !strings.Contains(got, redact.Mark) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := s.Text("x marks the spot"); got != "x marks the spot" {
		t.Errorf("a short secret: %q", got)
	}
	if got := (*redact.Secrets)(nil).Text("x"); got != "x" {
		t.Error(got)
	}
}

// TestSplit: every form, cut at every place, also into single bytes.
func TestSplit(t *testing.T) {
	t.Parallel()
	s := redact.New(canary)
	for name, text := range written(t) {
		want := s.Text(text)
		for cut := range len(text) {
			stream := s.Stream()
			if got := stream.Add(text[:cut]) + stream.Add(text[cut:]) + stream.End(); got != want {
				t.Fatalf("%s cut at %d: %q", name, cut, got)
			}
		}
		stream, got := s.Stream(), ""
		for i := range len(text) {
			got += stream.Add(text[i : i+1])
		}
		if got += stream.End(); got != want {
			t.Errorf("%s byte by byte: %q, want %q", name, got, want)
		}
	}
	stream := s.Stream()
	if got := stream.Add("ends with cana") + "|" + stream.Add("dians\n"); got != "ends with |canadians\n" {
		t.Errorf("what only begins alike: %q", got)
	}
}
