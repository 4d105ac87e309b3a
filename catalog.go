package sparkwright

import (
	"strings"
	"time"
)

// Catalog is everything known about the tables one question may use.
type Catalog struct {
	Tables []Table `json:"tables"`
}

// TableKind says what kind of relation a Table is.
type TableKind string

// The kinds of relations that can be asked about.
const (
	KindTable            TableKind = "table"
	KindView             TableKind = "view"
	KindMaterializedView TableKind = "materialized_view"
	KindPartitioned      TableKind = "partitioned_table"
	KindForeign          TableKind = "foreign_table"
)

// SourceKind says what system a Table is in.
type SourceKind string

// The sources. "" is SourcePostgres.
const (
	SourcePostgres SourceKind = "postgres"
	SourceGlue     SourceKind = "glue"
	SourceFiles    SourceKind = "files" // an upload, local files, or an S3 prefix
)

// Table is one relation of a Connection, a Glue table, or a set of files.
type Table struct {
	Source      SourceKind        `json:"source,omitempty"`
	Location    string            `json:"location,omitempty"` // file path or URL, for Glue and files
	Format      string            `json:"format,omitempty"`   // csv, json, parquet, orc; for Glue and files
	Options     map[string]string `json:"options,omitempty"`  // Spark reader options: header, sep …
	Connection  string            `json:"connection"`
	Database    string            `json:"database"`
	Schema      string            `json:"schema"`
	Name        string            `json:"name"`
	View        string            `json:"view,omitempty"` // name of the run's temp view over it; set when a run selects the table
	Kind        TableKind         `json:"kind"`
	Comment     string            `json:"comment,omitempty"`
	Columns     []Column          `json:"columns"`
	PrimaryKey  []string          `json:"primary_key,omitempty"`
	Uniques     [][]string        `json:"uniques,omitempty"` // unique keys besides the primary key
	Indexes     []Index           `json:"indexes,omitempty"`
	ForeignKeys []ForeignKey      `json:"foreign_keys,omitempty"`
	RowEstimate int64             `json:"row_estimate"` // planner's estimate; -1 when never analysed; sum over partitions for a parent
	Bytes       int64             `json:"bytes"`        // heap bytes on disk; sum over partitions for a parent; 0 for views
	// LargestPartition is the heap bytes of a parent's largest partition.
	LargestPartition int64 `json:"largest_partition,omitempty"`
	Readable         bool  `json:"readable"` // the login may SELECT from it
}

// Column is one column of a Table.
type Column struct {
	Name     string       `json:"name"`
	Type     string       `json:"type"`      // as PostgreSQL's format_type writes it: numeric(12,2), character varying(40), integer[]
	BaseType string       `json:"base_type"` // pg_type.typname without modifier: numeric, varchar, int4, _int4, timestamptz
	Nullable bool         `json:"nullable"`
	Comment  string       `json:"comment,omitempty"`
	Enum     []string     `json:"enum,omitempty"` // labels, in order, when the type is an enum
	Stats    *ColumnStats `json:"stats,omitempty"`
	// Collation is the name of the collation when it orders text in another way
	// than by its bytes, as Spark does; "" = by bytes, or not text.
	Collation string `json:"collation,omitempty"`
	// Nondeterministic collations take different texts for the same.
	Nondeterministic bool `json:"nondeterministic,omitempty"`
	// Dimensions of an array as it was declared; 0 and 1 are a plain list. The
	// values need not have as many.
	Dimensions int `json:"dimensions,omitempty"`
}

// ColumnStats is what pg_stats knows of a column; nil when never analysed.
type ColumnStats struct {
	NullFraction float64      `json:"null_fraction"` // 0..1
	Distinct     float64      `json:"distinct"`      // estimated number of distinct values, always ≥ 0 here
	AvgWidth     int          `json:"avg_width"`     // bytes
	Correlation  float64      `json:"correlation"`   // physical order against value order, -1..1
	MostCommon   []ValueCount `json:"most_common,omitempty"`
	Histogram    []string     `json:"histogram,omitempty"` // equal-frequency bounds as text, first = low, last = high, without MostCommon
}

// ValueCount is a most-common value and its share of the rows (0..1).
type ValueCount struct {
	Value    string  `json:"value"`
	Fraction float64 `json:"fraction"`
}

// Index is an index that can serve range reads: valid and not partial.
type Index struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"` // leading columns first; expressions end the list
	Unique  bool     `json:"unique"`
}

// ForeignKey points from Columns of its table to RefColumns of another.
type ForeignKey struct {
	Name       string   `json:"name"`
	Columns    []string `json:"columns"`
	RefSchema  string   `json:"ref_schema"`
	RefTable   string   `json:"ref_table"`
	RefColumns []string `json:"ref_columns"`
}

// QualifiedName is connection.schema.table, as people type it.
func (t *Table) QualifiedName() string {
	return t.Connection + "." + t.Schema + "." + t.Name
}

// Column returns the column of that exact name, or nil.
func (t *Table) Column(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// Table returns the table with that view name, or nil.
func (c *Catalog) Table(view string) *Table {
	for i := range c.Tables {
		if strings.EqualFold(c.Tables[i].View, view) {
			return &c.Tables[i]
		}
	}
	return nil
}

// AuthMethod is how a Connection proves who it is.
type AuthMethod string

// The three authentication methods of the reference contract.
const (
	AuthSecretsManager AuthMethod = "secrets_manager"
	AuthIAM            AuthMethod = "iam"
	AuthUserPassword   AuthMethod = "user_password"
)

// TLSMode is libpq's sslmode, less the modes that promise nothing.
type TLSMode string

// The TLS modes. VerifyFull is the default off loopback.
const (
	TLSDisable    TLSMode = "disable"
	TLSRequire    TLSMode = "require"
	TLSVerifyCA   TLSMode = "verify-ca"
	TLSVerifyFull TLSMode = "verify-full"
)

// Connection is a PostgreSQL database and how to log in to it. It never
// holds a password: Secret refers to one ("env:NAME", "file:PATH",
// "aws-sm:ARN").
type Connection struct {
	Name       string
	Host       string
	Port       int
	Database   string
	User       string
	AuthMethod AuthMethod
	Secret     string
	TLS        TLSMode // "" = verify-full, or disable on loopback
	RootCert   string  // PEM file of the authorities to trust; "" = the system's
	// Outside: it was named by somebody who is not trusted with this machine and
	// its private networks; only public addresses are connected to.
	Outside bool
}

// Credentials are what a Secret resolves to. They never leave the process
// but towards the database or the job.
type Credentials struct {
	User     string
	Password string
}

// String hides the password wherever credentials are printed by mistake.
func (c Credentials) String() string { return "credentials of " + c.User }

// GoString hides the password from %#v too.
func (c Credentials) GoString() string { return c.String() }

// Snapshot identifies the one state of a database that a run has read.
type Snapshot struct {
	Connection string `json:"connection,omitempty"`

	ID   string    `json:"id,omitempty"`
	LSN  string    `json:"lsn,omitempty"`
	Time time.Time `json:"time"`
	None string    `json:"none,omitempty"` // why there is none
}
