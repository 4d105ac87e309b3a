package sparkwright

import "time"

// Session is the durable state of a conversation: what is selected in it. Its
// history is its runs (Run.Session).
type Session struct {
	User      string // whose it is; "" = the local user
	ID        string // as the client names it, of any length
	Handle    string // 32 hex digits; they stand in for an ID that is too short for the reference contract
	Selection Selection
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Selection is what a session's questions are about when they do not say so
// themselves.
type Selection struct {
	Glue     []SelectedGlueTable     `json:"glue,omitempty"`
	Postgres []SelectedPostgresTable `json:"postgres,omitempty"`
	Uploads  []Upload                `json:"uploads,omitempty"`
}

// Empty reports whether nothing is selected.
func (s *Selection) Empty() bool {
	return len(s.Glue) == 0 && len(s.Postgres) == 0 && len(s.Uploads) == 0
}

// SelectedGlueTable is a selected table of the Glue catalog.
type SelectedGlueTable struct {
	Database string `json:"database"`
	Table    string `json:"table"`
	Location string `json:"location"`
}

// SelectedPostgresTable is a selected PostgreSQL table, with the keys of the
// reference contract. It holds no password.
type SelectedPostgresTable struct {
	ConnectionName string           `json:"connection_name"`
	SecretARN      string           `json:"secret_arn"`
	AuthMethod     AuthMethod       `json:"auth_method"`
	Host           string           `json:"host"`
	Port           int              `json:"port"`
	Database       string           `json:"database"`
	Schema         string           `json:"schema"`
	Table          string           `json:"table"`
	JDBCURL        string           `json:"jdbc_url"`
	Columns        []SelectedColumn `json:"columns"`
}

// SelectedColumn is a column of a SelectedPostgresTable.
type SelectedColumn struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Nullable bool   `json:"nullable"`
}

// Upload is a file that was uploaded into a session, and is a table of it.
type Upload struct {
	Name  string `json:"name"`  // safe file name
	Path  string `json:"path"`  // file path, or s3:// URL
	Table string `json:"table"` // how Request.Tables names it
	Bytes int64  `json:"bytes"`
}
