// Package redact takes secrets out of text that is on its way to a log: as they
// are, and as JSON, URLs, base64 and hexadecimal digits write them, also where
// one is split over several pieces of text.
//
// It is a net below everything else: a secret that goes through here has
// already been where it should not be.
package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// Mark stands where a secret was.
const Mark = "[redacted]"

// shortest is the length below which a secret is left alone: it would be found
// in every other word.
const shortest = 5

// Secrets are what must not be seen. The zero value hides nothing.
type Secrets struct {
	forms    []string // the longest first
	replacer *strings.Replacer
}

// New returns the secrets, in every form in which they are looked for.
func New(secrets ...string) *Secrets {
	s := &Secrets{}
	for _, secret := range secrets {
		if len(secret) >= shortest {
			s.forms = append(s.forms, forms(secret)...)
		}
	}
	slices.SortFunc(s.forms, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	s.forms = slices.Compact(s.forms)
	pairs := make([]string, 0, 2*len(s.forms))
	for _, f := range s.forms {
		pairs = append(pairs, f, Mark)
	}
	s.replacer = strings.NewReplacer(pairs...)
	return s
}

// forms are the ways in which a secret is written.
func forms(secret string) []string {
	out := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(html)
		if enc.Encode(secret) == nil {
			out = append(out, strings.Trim(strings.TrimSuffix(b.String(), "\n"), `"`))
		}
	}
	var percent strings.Builder
	for i := range len(secret) {
		percent.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{secret[i]})))
	}
	out = append(out, percent.String(), strings.ToLower(percent.String()))
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		// Where the secret stands inside of what is encoded decides which of three
		// texts it becomes; the digits at its ends belong to its neighbours too.
		for before := range 3 {
			whole := e.EncodeToString(append(make([]byte, before), secret...))
			from, to := (before*8+5)/6, (before+len(secret))*8/6
			if to-from >= shortest {
				out = append(out, whole[from:to])
			}
		}
	}
	return slices.DeleteFunc(out, func(f string) bool { return len(f) < shortest })
}

// Text is the text without the secrets.
func (s *Secrets) Text(text string) string {
	if s == nil || s.replacer == nil {
		return text
	}
	return s.replacer.Replace(text)
}

// Stream takes secrets out of text that comes in pieces. It is not safe for
// concurrent use.
type Stream struct {
	secrets *Secrets
	held    string // may be the beginning of a secret
}

// Stream returns a new stream.
func (s *Secrets) Stream() *Stream { return &Stream{secrets: s} }

// Add takes the next piece and returns what can be shown of all pieces so far.
func (s *Stream) Add(text string) string {
	text = s.secrets.Text(s.held + text)
	keep := s.secrets.beginning(text)
	s.held = text[len(text)-keep:]
	return text[:len(text)-keep]
}

// End returns what was held back.
func (s *Stream) End() string {
	rest := s.held
	s.held = ""
	return rest
}

// beginning is the length of the longest end of text that a secret may begin
// with.
func (s *Secrets) beginning(text string) int {
	if s == nil {
		return 0
	}
	longest := 0
	for _, f := range s.forms {
		for n := min(len(f)-1, len(text)); n > longest; n-- {
			if strings.HasSuffix(text, f[:n]) {
				longest = n
				break
			}
		}
	}
	return longest
}
