package planner

import (
	"strings"
	"unicode"
)

// nameWords splits the name of a table or column into lower-case words: at
// signs, at changes of case, at digits, and, where a name is written without
// either, along the common vocabulary of schemas and the further words given:
// those that name tables.
func nameWords(name string, further ...string) []string {
	var parts []string
	var cur []rune
	flush := func() {
		if len(cur) > 0 {
			parts = append(parts, strings.ToLower(string(cur)))
			cur = nil
		}
	}
	rs := []rune(name)
	for i, r := range rs {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(rs[i-1]) || (i+1 < len(rs) && unicode.IsLower(rs[i+1]) && unicode.IsUpper(rs[i-1]))):
			flush()
		}
		cur = append(cur, r)
	}
	flush()
	var out []string
	for _, p := range parts {
		out = append(out, segment(p, further)...)
	}
	return out
}

// segment splits a compound written in one piece ("postalcode") into known
// words, or returns it whole.
func segment(s string, further []string) []string {
	known := func(w string) bool { return vocabulary(w) || len(w) > 3 && contains(further, w) }
	if known(s) || len(s) < 5 {
		return []string{s}
	}
	type best struct {
		words []string
		ok    bool
	}
	memo := make([]best, len(s)+1)
	memo[len(s)] = best{ok: true}
	for i := len(s) - 1; i >= 0; i-- {
		for j := len(s); j > i; j-- {
			if !memo[j].ok || !known(s[i:j]) {
				continue
			}
			if !memo[i].ok || len(memo[j].words)+1 < len(memo[i].words) {
				memo[i] = best{ok: true, words: append([]string{s[i:j]}, memo[j].words...)}
			}
		}
	}
	if memo[0].ok {
		return memo[0].words
	}
	return []string{s}
}

const schemaVocabulary = ` account active address age amount area balance bank base begin birth birthday bill billing body book branch brand
budget business buyer cancel capacity card cart category change channel charge check city class client close closed code
color comment commission company contact content cost count country county coupon create created creation credit currency current
customer cust cycle daily data date day days debit deleted delivery department depth description detail details device discount distance
district due duration email employee enabled end engine entry epoch event exchange expiry expire external fee field file
first flag full gender genre grade grant gross group head height hire high hour house id image income index industry info
internal inventory invoice is item job join joined key kind label language last lat latitude length level limit line link list loan
location lon longitude low mail main manager market max member message method middle min mobile model modified month monthly
name net new note notes num number open option order orders org origin owner paid parent part party path pay payment period
person phone place plan point population position post postal price primary priority product profile profit project
purchase qty quantity quarter rank rate rating ratio reason record ref reference region release rent result return revenue
review role room route salary sale sales score seat second section segment seller serial service session settlement severity shares
ship shipped shipping shop short signup site size sku social source staff start state station status stock store str street
student sub subject summary supplier symbol table tag target tax team term ticket time timestamp title total track transaction
transfer trip turnover type unit units update updated url usage user valid value variant vendor version view visit
volume warehouse week weight width year zip zone `

func vocabulary(w string) bool {
	return len(w) >= 2 && strings.Contains(schemaVocabulary, " "+w+" ") || len(w) >= 2 && strings.Contains(schemaVocabulary, "\n"+w+" ") || len(w) >= 2 && strings.Contains(schemaVocabulary, " "+w+"\n")
}

// abbreviation writes a usual abbreviation of names in full.
func abbreviation(w string) string {
	switch w {
	case "cust":
		return "customer"
	case "qty":
		return "quantity"
	case "amt":
		return "amount"
	case "num", "no", "nbr", "cnt":
		return "number"
	case "addr":
		return "address"
	case "tx", "txn", "trx", "trans":
		return "transaction"
	case "ccy", "curr":
		return "currency"
	case "desc", "descr":
		return "description"
	case "cat":
		return "category"
	case "emp":
		return "employee"
	case "dept":
		return "department"
	case "org":
		return "organization"
	case "prod":
		return "product"
	case "inv":
		return "invoice"
	case "acct", "acc":
		return "account"
	case "pct", "perc":
		return "percent"
	case "avg":
		return "average"
	case "dt":
		return "date"
	case "ts":
		return "timestamp"
	case "crtd":
		return "created"
	case "upd":
		return "updated"
	case "tel":
		return "phone"
	case "lat":
		return "latitude"
	case "lon", "lng":
		return "longitude"
	case "mgr":
		return "manager"
	case "yr":
		return "year"
	case "mth":
		return "month"
	case "dob":
		return "birthdate"
	case "ref":
		return "reference"
	case "wt":
		return "weight"
	case "tot":
		return "total"
	case "ins":
		return "insurance"
	case "diag":
		return "diagnosis"
	case "bal":
		return "balance"
	case "dep":
		return "departure"
	case "arr":
		return "arrival"
	case "loc":
		return "location"
	case "mfr", "manuf":
		return "manufacturer"
	default:
		return w
	}
}

func stemsOf(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = stemOf(abbreviation(w))
	}
	return out
}

// suffixWord tells the last words of column names that people leave out:
// "city" for city_name.
func suffixWord(stem string) bool {
	switch stem {
	case "name", "number", "code", "titl", "str", "text", "label", "flag":
		return true
	default:
		return false
	}
}

// unitWord tells the units that column names end with: weight_kg.
func unitWord(w string) bool {
	return oneOf(w, "kg g lb lbs cm mm m km mi ft m2 sqm km2 sqft ha l ml usd eur gbp cents ms s sec secs seconds min mins minutes h hrs hours pct percent celsius c kb mb gb")
}

// oneOf reports whether word is one of the space-separated words of list.
func oneOf(word, list string) bool {
	if word == "" {
		return false
	}
	for w := range strings.FieldsSeq(list) {
		if w == word {
			return true
		}
	}
	return false
}

// functionWord tells words that carry no content of their own.
func functionWord(low string) bool {
	return oneOf(low, `the a an all any our my your their his her its these those this that of in on at by for from to with and or is are was
were be been being do does did has have had there it they them he she who which what whose where when how me us i we you please
as than then also per each every within into about between`)
}

// relationVerb tells verbs that say no more than that two things belong
// together; they count as understood only between two things that are linked.
// The name of a table is one too: "loaned" where there are loans.
func (s *schema) relationVerb(stem string) bool {
	if oneOf(stem, relationVerbs) {
		return true
	}
	for _, t := range s.tables {
		if len(t.words) == 1 && t.words[0] == stem {
			return true
		}
	}
	return false
}

var relationVerbs = stemList(`serve present publish write hold own belong live reside locate situate associate relate assign
make place contain include flow run work employ appear receive get give attach connect link correspond occur happen
exist use place submit produce list record register have pass lie come find go purchase order buy handle manage borrow rent watch visit read play drive treat prescribe review rate direct operate supply
teach enroll take sell offer provide earn attend involve represent generate issue process file post`)

func stemList(words string) string {
	var b strings.Builder
	for w := range strings.FieldsSeq(words) {
		b.WriteString(stemOf(w))
		b.WriteByte(' ')
	}
	return b.String()
}

// gradable gives the names of the quantities that an adjective is about:
// "longest" asks for a length.
func gradable(stem string) (nouns string, desc, ok bool) {
	switch stem {
	case "longest":
		return "length duration", true, true
	case "shortest":
		return "length duration height", false, true
	case "tallest":
		return "height altitude elevation", true, true
	case "highest":
		return "height altitude elevation", true, true
	case "lowest":
		return "height altitude elevation", false, true
	case "largest", "biggest":
		return "size area", true, true
	case "smallest":
		return "size area", false, true
	case "priciest":
		return "price cost", true, true
	case "cheapest":
		return "price cost", false, true
	case "heaviest":
		return "weight", true, true
	case "lightest":
		return "weight", false, true
	case "fastest":
		return "speed", true, true
	case "slowest":
		return "speed", false, true
	case "deepest":
		return "depth", true, true
	case "widest":
		return "width", true, true
	case "densest":
		return "density", true, true
	case "best-rated", "top-rated", "highest-rated":
		return "rating", true, true
	case "worst-rated", "lowest-rated":
		return "rating", false, true
	case "most expensive":
		return "price cost", true, true
	case "least expensive":
		return "price cost", false, true
	case "most populous", "most populated":
		return "population", true, true
	case "least populous", "least populated":
		return "population", false, true
	default:
		return "", false, false
	}
}
