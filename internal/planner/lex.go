package planner

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/kljensen/snowball/english"
)

// tokenKind tells what a token is made of.
type tokenKind int

const (
	tokWord tokenKind = iota
	tokNumber
	tokQuoted // text between quotes: always a value, or a name as it is written
	tokDate   // 2025-03-31
	tokSymbol
)

// token is one word, number, quoted text or sign of a question.
type token struct {
	kind tokenKind
	text string  // as written
	low  string  // lower case
	stem string  // English stem
	num  float64 // value of a number
	cap  bool    // written with a capital letter
	poss bool    // followed by 's
}

// irregular plurals and forms that the stemmer does not bring together.
func irregular(low string) string {
	switch low {
	case "ids":
		return "id"
	case "people", "persons":
		return "person"
	case "children":
		return "child"
	case "men":
		return "man"
	case "women":
		return "woman"
	case "diagnoses":
		return "diagnosis"
	case "analyses":
		return "analysis"
	case "indices", "indexes":
		return "index"
	case "statuses":
		return "status"
	case "came":
		return "come"
	case "went":
		return "go"
	case "sold":
		return "sell"
	case "bought":
		return "buy"
	case "paid":
		return "pay"
	case "written", "wrote":
		return "write"
	case "made":
		return "make"
	case "sent":
		return "send"
	case "spent":
		return "spend"
	case "held":
		return "hold"
	default:
		return low
	}
}

// stemOf reduces an English word to its stem.
func stemOf(word string) string {
	low := irregular(strings.ToLower(word))
	if len(low) <= 2 {
		return low
	}
	return english.Stem(low, true)
}

func numberWord(low string) (float64, bool) {
	words := []string{
		"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
		"eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
	}
	for i, w := range words {
		if w == low {
			return float64(i), true
		}
	}
	switch low {
	case "dozen":
		return 12, true
	case "thirty":
		return 30, true
	case "forty":
		return 40, true
	case "fifty":
		return 50, true
	case "sixty":
		return 60, true
	case "ninety":
		return 90, true
	case "hundred":
		return 100, true
	default:
		return 0, false
	}
}

// tokenize splits a question into tokens.
func tokenize(text string) []token {
	rs := []rune(text)
	var out []token
	for i := 0; i < len(rs); {
		r := rs[i]
		switch {
		case unicode.IsSpace(r):
			i++
		case isQuote(r):
			if end := closingQuote(rs, i); end > 0 {
				s := strings.TrimRight(string(rs[i+1:end]), ",.")
				out = append(out, token{kind: tokQuoted, text: s, low: strings.ToLower(s), stem: strings.ToLower(s), cap: true})
				i = end + 1
			} else {
				i++
			}
		case unicode.IsDigit(r):
			var t token
			t, i = scanNumber(rs, i)
			out = append(out, t)
		case r == '$' || r == '€' || r == '£':
			i++
		case unicode.IsLetter(r) || r == '_':
			var t token
			t, i = scanWord(rs, i)
			out = append(out, t)
		case strings.ContainsRune("<>=!", r):
			j := i + 1
			for j < len(rs) && strings.ContainsRune("<>=", rs[j]) {
				j++
			}
			out = append(out, symbol(string(rs[i:j])))
			i = j
		default:
			out = append(out, symbol(string(r)))
			i++
		}
	}
	return out
}

func symbol(s string) token { return token{kind: tokSymbol, text: s, low: s, stem: s} }

func isQuote(r rune) bool { return strings.ContainsRune("\"'`“‘", r) }

// closingQuote finds the end of a quoted text that opens at i, or -1.
func closingQuote(rs []rune, i int) int {
	if i > 0 && (unicode.IsLetter(rs[i-1]) || unicode.IsDigit(rs[i-1])) {
		return -1 // an apostrophe
	}
	want := rs[i]
	switch want {
	case '“':
		want = '”'
	case '‘':
		want = '’'
	}
	for j := i + 1; j < len(rs); j++ {
		if rs[j] != want {
			continue
		}
		if want == '\'' && j+1 < len(rs) && (unicode.IsLetter(rs[j+1]) || unicode.IsDigit(rs[j+1])) {
			continue // an apostrophe inside
		}
		if j == i+1 {
			return -1
		}
		return j
	}
	return -1
}

func scanNumber(rs []rune, i int) (token, int) {
	if i+10 <= len(rs) && isISODate(string(rs[i:i+10])) && (i+10 == len(rs) || !unicode.IsLetter(rs[i+10]) && !unicode.IsDigit(rs[i+10])) {
		s := string(rs[i : i+10])
		return token{kind: tokDate, text: s, low: s, stem: s}, i + 10
	}
	j := i
	for j < len(rs) && (unicode.IsDigit(rs[j]) || (rs[j] == ',' && j+3 < len(rs) && digits(rs[j+1:j+4]) && (j+4 >= len(rs) || !unicode.IsDigit(rs[j+4]))) ||
		(rs[j] == '.' && j+1 < len(rs) && unicode.IsDigit(rs[j+1]))) {
		j++
	}
	raw := string(rs[i:j])
	n, err := strconv.ParseFloat(strings.ReplaceAll(raw, ",", ""), 64)
	k := j
	for k < len(rs) && (unicode.IsLetter(rs[k]) || unicode.IsDigit(rs[k]) || rs[k] == '_' || (rs[k] == '-' && k+1 < len(rs) && (unicode.IsLetter(rs[k+1]) || unicode.IsDigit(rs[k+1])))) {
		k++
	}
	full := string(rs[i:k])
	switch suffix := strings.ToLower(string(rs[j:k])); {
	case err != nil:
	case suffix == "" || suffix == "st" || suffix == "nd" || suffix == "rd" || suffix == "th":
		return token{kind: tokNumber, text: full, low: strings.ToLower(full), stem: full, num: n}, k
	case suffix == "k":
		return token{kind: tokNumber, text: full, low: full, stem: full, num: n * 1e3}, k
	case suffix == "m":
		return token{kind: tokNumber, text: full, low: full, stem: full, num: n * 1e6}, k
	case strings.HasPrefix(suffix, "-") && strings.IndexFunc(suffix, unicode.IsDigit) < 0:
		// "30-day" reads as "30 day"
		return token{kind: tokNumber, text: raw, low: raw, stem: raw, num: n}, j
	}
	return token{kind: tokWord, text: full, low: strings.ToLower(full), stem: strings.ToLower(full), cap: true}, k
}

func digits(rs []rune) bool {
	for _, r := range rs {
		if !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

func isISODate(s string) bool {
	for i, r := range s {
		if (i == 4 || i == 7) != (r == '-') {
			return false
		}
		if r != '-' && (r < '0' || r > '9') {
			return false
		}
	}
	return s[5:7] >= "01" && s[5:7] <= "12" && s[8:10] >= "01" && s[8:10] <= "31"
}

func scanWord(rs []rune, i int) (token, int) {
	j := i
	for j < len(rs) && (unicode.IsLetter(rs[j]) || unicode.IsDigit(rs[j]) || rs[j] == '_' || unicode.Is(unicode.Mn, rs[j]) ||
		(strings.ContainsRune("-&@.+", rs[j]) && j+1 < len(rs) && (unicode.IsLetter(rs[j+1]) || unicode.IsDigit(rs[j+1])))) {
		j++
	}
	s := string(rs[i:j])
	t := token{kind: tokWord, cap: unicode.IsUpper(rs[i])}
	if j+1 < len(rs) && (rs[j] == '\'' || rs[j] == '’') {
		switch next := unicode.ToLower(rs[j+1]); {
		case next == 's' && (j+2 == len(rs) || !unicode.IsLetter(rs[j+2])):
			t.poss = true
			j += 2
		case next == 't' && (j+2 == len(rs) || !unicode.IsLetter(rs[j+2])): // don't, haven't
			s = strings.TrimSuffix(strings.ToLower(s), "n")
			t.text, t.low, t.stem = s, s, "n't"
			if s == "ca" {
				t.low = "can"
			}
			t.low, t.text = "not", s+"n't"
			t.stem = "not"
			return t, j + 2
		}
	} else if j < len(rs) && (rs[j] == '\'' || rs[j] == '’') && strings.HasSuffix(strings.ToLower(s), "s") {
		t.poss = true
		j++
	}
	t.text, t.low, t.stem = s, strings.ToLower(s), stemOf(s)
	if strings.Contains(s, "-") && !t.cap {
		t.low = strings.ToLower(s)
	}
	if n, ok := numberWord(t.low); ok {
		t.kind, t.num = tokNumber, n
	}
	return t, j
}
