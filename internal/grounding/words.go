package grounding

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kljensen/snowball/english"
)

// split takes names and sentences apart: at what is no letter or digit, where
// small letters are followed by a capital, and between letters and digits.
func split(text string, word func(string)) {
	start, last := -1, rune(0)
	for i, r := range text {
		letter, digit := unicode.IsLetter(r), unicode.IsDigit(r)
		switch {
		case !letter && !digit:
			if start >= 0 {
				word(text[start:i])
			}
			start = -1
		case start < 0:
			start = i
		case unicode.IsUpper(r) && unicode.IsLower(last), letter != unicode.IsLetter(last):
			word(text[start:i])
			start = i
		}
		last = r
	}
	if start >= 0 {
		word(text[start:])
	}
}

// stem is the form under which a word is found.
func stem(word string) string {
	word = strings.ToLower(word)
	if len(word) < 3 || word[0] >= '0' && word[0] <= '9' {
		return word
	}
	return english.Stem(word, false)
}

// stopWords say nothing of what a question is about.
var stopWords = func() map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(`a about above after all also an and any are as at be been before below between both but by can
		compare could did do does down during each every few first for from further get give had has have having he her here how i if in into
		is it its last latest least less list many me more most much my no nor not of off on once one only or other our out over own
		per please same she should show so some such tell than that the their them then there these they this those through to too
		top under until up us very was we were what when where which while who whom why will with within without would you your`) {
		set[word] = true
	}
	return set
}()

// alike are groups of words that people use for one another. A word may be in
// several.
var alike = func() map[string][]string {
	out := map[string][]string{}
	for _, group := range []string{
		"customer client buyer account", "employee staff worker personnel", "vendor supplier", "purchase order", "salary wage pay compensation",
		"price cost amount", "revenue sale turnover income", "city town", "country nation", "category kind type class", "phone telephone mobile",
		"mail email", "invoice bill", "shipment delivery", "shop store", "item product article", "refund return", "started begin start",
		"ended end finish", "manager supervisor boss", "user member", "hired hire join", "birthday birth dob", "quantity count number",
		"department division unit", "location place site", "doctor physician", "patient client", "student pupil learner", "teacher instructor",
		"vehicle car", "flight trip", "booking reservation", "warehouse depot", "stock inventory", "payment transaction", "company firm organisation organization",
	} {
		words := strings.Fields(group)
		for _, a := range words {
			for _, b := range words {
				if a != b {
					out[stem(a)] = append(out[stem(a)], stem(b))
				}
			}
		}
	}
	return out
}()

// shortens reports whether a name's part may be an abbreviation of a word:
// "qty" of "quantity", "dept" of "department". Most of its letters are
// consonants, it begins as the word does, and its letters are the word's, in
// order.
func shortens(part, word string) bool {
	if len(part) < 3 || len(part) > 5 || len(part) >= len(word) || part[0] != word[0] || strings.Count(part, "a")+strings.Count(part, "e")+
		strings.Count(part, "i")+strings.Count(part, "o")+strings.Count(part, "u") > 1 {
		return false
	}
	at := 0
	for i := range len(part) {
		next := strings.IndexByte(word[at:], part[i])
		if next < 0 {
			return false
		}
		at += next + 1
	}
	return true
}

// asked are the words of a question: what it is about.
type asked struct {
	text   string  // as it was written, in lower case
	stem   string  // "" for numbers
	weight float64 // 1 for words of the question itself
}

// read takes a question apart. Definitions count when they define one of its
// words, one on each line: "revenue, turnover: sum of amount".
func read(question, definitions string) []asked {
	var list []asked
	seen := map[string]bool{}
	add := func(word string, weight float64) {
		word = strings.ToLower(word)
		s := stem(word)
		if stopWords[word] || utf8.RuneCountInString(word) < 2 || seen[s] {
			return
		}
		seen[s] = true
		list = append(list, asked{text: word, stem: s, weight: weight})
	}
	before := ""
	split(question, func(word string) {
		add(word, 1)
		if before != "" { // "order line" may be the table orderline
			add(before+strings.ToLower(word), 1)
		}
		before = strings.ToLower(word)
		if stopWords[before] {
			before = ""
		}
	})
	for line := range strings.Lines(definitions) {
		terms, meaning, found := strings.Cut(line, ":")
		defines := false
		for term := range strings.SplitSeq(terms, ",") {
			is := found && strings.TrimSpace(term) != ""
			split(term, func(word string) { is = is && (seen[stem(word)] || stopWords[strings.ToLower(word)]) })
			defines = defines || is
		}
		if defines {
			split(meaning, func(word string) { add(word, 0.7) })
		}
	}
	return list
}

// maxPhrase is how many words a value may have that a question mentions.
const maxPhrase = 4

// phrases are the runs of words of a question, in lower case and as values are
// kept, longest first.
func phrases(question string) []string {
	var words, out []string
	split(question, func(word string) { words = append(words, strings.ToLower(word)) })
	for n := min(maxPhrase, len(words)); n > 0; n-- {
		for i := range len(words) - n + 1 {
			if n > 1 || !stopWords[words[i]] && len(words[i]) > 1 {
				out = append(out, strings.Join(words[i:i+n], " "))
			}
		}
	}
	return out
}

// phrase is the form in which a value is kept.
func phrase(value string) string {
	var words []string
	split(value, func(word string) { words = append(words, strings.ToLower(word)) })
	if len(words) == 0 || len(words) > maxPhrase {
		return ""
	}
	return strings.Join(words, " ")
}
