package emrserverless

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const maxPage = 50

// pageOf cuts out the page that the request asks for.
func pageOf[T any](r *http.Request, all []T) (page []T, next string, err error) {
	q := r.URL.Query()
	size := maxPage
	if text := q.Get("maxResults"); text != "" {
		if size, err = strconv.Atoi(text); err != nil || size < 1 || size > maxPage {
			return nil, "", invalid("maxResults must be a number from 1 to 50")
		}
	}
	from := 0
	if text := q.Get("nextToken"); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		word, number, _ := strings.Cut(string(raw), ":")
		if err == nil {
			from, err = strconv.Atoi(number)
		}
		if err != nil || word != "page" || from < 0 {
			return nil, "", invalid("nextToken is not one of ours")
		}
	}
	from = min(from, len(all))
	to := min(from+size, len(all))
	if to < len(all) {
		next = base64.RawURLEncoding.EncodeToString([]byte("page:" + strconv.Itoa(to)))
	}
	return append([]T{}, all[from:to]...), next, nil
}

func withNext(out map[string]any, next string) map[string]any {
	if next != "" {
		out["nextToken"] = next
	}
	return out
}

// queryTime reads a time of a query: RFC 3339, as the SDK writes it.
func queryTime(r *http.Request, name string) (time.Time, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, invalid(name + " must be a time like 2026-01-31T12:00:00Z")
	}
	return t, nil
}

var clientToken = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func checkToken(text string) error {
	if !clientToken.MatchString(text) {
		return invalid("clientToken must have 1 to 64 characters of A-Z a-z 0-9 . _ -")
	}
	return nil
}

func digest(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// rememberedLocked returns what an earlier request with the token made, ""
// when there was none. The same token for another request is a conflict.
func (s *Server) rememberedLocked(key, sum string) (string, error) {
	t, ok := s.tokens[key]
	if !ok || s.cfg.Timing.Token > 0 && s.cfg.Now().Sub(t.at) > s.cfg.Timing.Token {
		return "", nil
	}
	if t.sum != sum {
		return "", conflict("the clientToken was used for another request")
	}
	return t.id, nil
}

// ForgetTokens makes the service forget every clientToken that it has seen.
func (s *Server) ForgetTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}
