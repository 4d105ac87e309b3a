package broker

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/sparkwright/sparkwright"
)

const (
	maxStatements = 2000
	maxSQL        = 64 << 10
)

// journal keeps what PostgreSQL ran, and holds the run to its budgets.
type journal struct {
	connection          string
	rowLimit, byteLimit int64

	mu         sync.Mutex
	statements []*sparkwright.Statement
	rows       int64
	bytes      int64
}

// begin notes a statement that PostgreSQL carries out since at.
func (j *journal) begin(sql string, at time.Time) *sparkwright.Statement {
	if len(sql) > maxSQL {
		sql = sql[:maxSQL] + "…"
	}
	st := &sparkwright.Statement{Connection: j.connection, SQL: sql, At: at.UTC()}
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.statements) < maxStatements {
		j.statements = append(j.statements, st)
	}
	return st
}

// count adds rows to a statement; an error says that a budget is used up.
func (j *journal) count(st *sparkwright.Statement, rows, bytes int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	st.Rows += int64(rows)
	st.Bytes += int64(bytes)
	j.rows += int64(rows)
	j.bytes += int64(bytes)
	switch {
	case j.rowLimit > 0 && j.rows > j.rowLimit:
		return budgetError(fmt.Sprintf("the run has read more than %d rows", j.rowLimit))
	case j.byteLimit > 0 && j.bytes > j.byteLimit:
		return budgetError(fmt.Sprintf("the run has read more than %d bytes", j.byteLimit))
	}
	return nil
}

// pause notes the time up to now: the statement has ended, or waits for the
// next fetch.
func (j *journal) pause(st *sparkwright.Statement, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	st.Seconds = time.Since(st.At).Seconds()
	if err != nil {
		st.Error = serverText(err)
	}
}

func (j *journal) all() []sparkwright.Statement {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]sparkwright.Statement, len(j.statements))
	for i, st := range j.statements {
		out[i] = *st
	}
	return out
}

// budgetError is a budget that is used up.
type budgetError string

func (e budgetError) Error() string { return string(e) }

// serverText is an error without what the driver puts around it.
func serverText(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Message + " (SQLSTATE " + pg.Code + ")"
	}
	return err.Error()
}
