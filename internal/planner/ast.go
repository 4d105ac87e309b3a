package planner

// The typed query that a question is read into. Names are still candidates
// here (attr.cands); binding chooses among them by what they stand near.

// query is one understood question.
type query struct {
	head     *node   // what is asked for: a kind of thing or a property
	items    []*item // what to show, in order
	dims     []*item // for each of these
	conds    []*cond // conditions on the whole
	order    []*ordering
	limit    int
	distinct bool
	wh       bool // "which", "who": the head itself is the answer
	shown    bool // the question opened with "show", "list" or the like
	explicit bool // the columns to show were named
	each     bool // listing "of each": every row
	context  []*entity
	notes    []string
	superl   bool // a superlative orders the answer
	top      bool // "top N"
}

// node is a noun phrase: an entity, an attribute, or both where a word names a
// table and a column.
type node struct {
	ent    *entity
	attr   *attr
	plural bool
	text   string
}

// entity is the rows of a table that fulfil conditions.
type entity struct {
	t      *table
	conds  []*cond
	parent *entity
	owned  bool // said with a preposition: "of customers"
	score  float64
	text   string
}

// attr is a property named in the question, and the columns it may be.
type attr struct {
	text  string
	cands []attrCand
	near  *entity // the entity it was said of
	col   *column // after binding
}

type attrCand struct {
	c        *column
	score    float64
	explicit bool // the table was named with it
}

type itemKind int

const (
	itemAttr itemKind = iota
	itemEntity
	itemMeasure
	itemRatio
	itemShare  // a measure as percentage of its total
	itemFilter // percentage of rows that fulfil conditions
	itemBucket // a date cut to a unit
)

type item struct {
	kind itemKind
	attr *attr
	ent  *entity
	node *node
	m    *measure
	by   *measure // the divisor of a ratio
	pct  bool     // as percentage
	unit string   // of a bucket
	verb string   // stem of the verb before it
	text string
}

// measure is an aggregate.
type measure struct {
	fn    string // count, sum, avg, min, max
	ent   *entity
	attr  *attr
	dist  bool
	plain bool    // a column that holds numbers of things
	rival *column // a count may mean the sum of this column
	conds []*cond // only for these rows
	text  string
}

type condKind int

const (
	condCompare condKind = iota // attr op literal
	condIn                      // attr in literals
	condBetween
	condLike // attr starts, contains, ends
	condNull
	condBool
	condValue   // one of the known values
	condRelated // there is a related entity
	condCount   // number of related entities
	condDate
	condAverage // attr against its own average
	condOr
	condAnd
)

type cond struct {
	kind   condKind
	attr   *attr
	op     string
	lits   []literal
	neg    bool
	ent    *entity
	n      int64
	values []valueRef // candidates of condValue
	subs   []*cond
	rng    *dateRange
	verb   string // stem of the verb before a date
	text   string
	at     *entity // the entity it was said of
}

type literal struct {
	text   string
	num    float64
	isNum  bool
	isDate bool
	known  bool // seen among the known values
}

type ordering struct {
	it   *item
	desc bool
}

// dateRange is half open: lo ≤ x < hi. Either may be empty.
type dateRange struct {
	lo, hi string
	year   int // the range is this whole year
	yearTo int // and the years up to this
	text   string
}
