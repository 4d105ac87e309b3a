package postgres

import (
	"context"
	_ "embed"
	"math"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/sparkwright/sparkwright"
)

// The queries of Catalog.
var (
	//go:embed sql/relations.sql
	relationsSQL string
	//go:embed sql/columns.sql
	columnsSQL string
	//go:embed sql/enums.sql
	enumsSQL string
	//go:embed sql/indexes.sql
	indexesSQL string
	//go:embed sql/foreign_keys.sql
	foreignKeysSQL string
	//go:embed sql/statistics.sql
	statisticsSQL string
)

const (
	maxCommon    = 100
	maxHistogram = 101
)

// Filter says which relations Catalog returns. The zero value is all of them
// but the partitions of partitioned tables.
type Filter struct {
	Schemas    []string // only these; empty = all
	Tables     []string // only these, as schema.table without quotes; empty = all
	Partitions bool     // partitions too, besides their parents
}

// Catalog reads relations, columns, keys, indexes and statistics of the whole
// database, ordered by schema and name, in a fixed number of queries.
func (s *Source) Catalog(ctx context.Context, filter Filter) (*sparkwright.Catalog, error) {
	r := &reader{at: s.at, catalog: &sparkwright.Catalog{}, byOID: map[uint32]int{}, columns: map[columnKey]int{}, enums: map[uint32][]columnKey{}}
	err := s.readOnly(ctx, func(tx pgx.Tx) error {
		for _, step := range []func(context.Context, pgx.Tx, Filter) error{
			r.relations, r.readColumns, r.readEnums, r.indexes, r.foreignKeys, r.statistics,
		} {
			if err := step(ctx, tx, filter); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return r.catalog, nil
}

// columnKey is a column's table by its place in the catalog, and its name.
type columnKey struct {
	table int
	name  string
}

// reader fills a catalog from the rows of the queries.
type reader struct {
	at      sparkwright.Connection
	catalog *sparkwright.Catalog
	oids    []uint32
	byOID   map[uint32]int         // place in the catalog
	columns map[columnKey]int      // place in the table
	enums   map[uint32][]columnKey // columns of an enum type
}

func kindOf(relkind string) sparkwright.TableKind {
	switch relkind {
	case "v":
		return sparkwright.KindView
	case "m":
		return sparkwright.KindMaterializedView
	case "p":
		return sparkwright.KindPartitioned
	case "f":
		return sparkwright.KindForeign
	default:
		return sparkwright.KindTable
	}
}

// orNull is the parameter for an optional list.
func orNull(list []string) any {
	if len(list) == 0 {
		return nil
	}
	return list
}

func (r *reader) relations(ctx context.Context, tx pgx.Tx, filter Filter) error {
	rows, err := tx.Query(ctx, relationsSQL, orNull(filter.Schemas), orNull(filter.Tables), filter.Partitions)
	if err != nil {
		return err
	}
	var (
		oid     uint32
		relkind string
		tuples  float64
		t       sparkwright.Table
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &t.Schema, &t.Name, &relkind, &t.Comment, &tuples, &t.Bytes, &t.LargestPartition, &t.Readable}, func() error {
		t.Connection, t.Database = r.at.Name, r.at.Database
		t.Kind, t.RowEstimate = kindOf(relkind), int64(math.Round(tuples))
		r.byOID[oid] = len(r.catalog.Tables)
		r.oids = append(r.oids, oid)
		r.catalog.Tables = append(r.catalog.Tables, t)
		return nil
	})
	return err
}

func (r *reader) readColumns(ctx context.Context, tx pgx.Tx, _ Filter) error {
	rows, err := tx.Query(ctx, columnsSQL, r.oids)
	if err != nil {
		return err
	}
	var (
		oid, enum uint32
		c         sparkwright.Column
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &c.Name, &c.Type, &c.BaseType, &c.Nullable, &c.Comment, &enum, &c.Collation, &c.Nondeterministic, &c.Dimensions}, func() error {
		i := r.byOID[oid]
		t := &r.catalog.Tables[i]
		key := columnKey{i, c.Name}
		r.columns[key] = len(t.Columns)
		if enum != 0 {
			r.enums[enum] = append(r.enums[enum], key)
		}
		t.Columns = append(t.Columns, c)
		return nil
	})
	return err
}

func (r *reader) readEnums(ctx context.Context, tx pgx.Tx, _ Filter) error {
	types := make([]uint32, 0, len(r.enums))
	for oid := range r.enums {
		types = append(types, oid)
	}
	rows, err := tx.Query(ctx, enumsSQL, types)
	if err != nil {
		return err
	}
	var (
		oid    uint32
		labels []string
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &labels}, func() error {
		for _, key := range r.enums[oid] {
			r.catalog.Tables[key.table].Columns[r.columns[key]].Enum = labels
		}
		labels = nil
		return nil
	})
	return err
}

func (r *reader) indexes(ctx context.Context, tx pgx.Tx, _ Filter) error {
	rows, err := tx.Query(ctx, indexesSQL, r.oids)
	if err != nil {
		return err
	}
	var (
		oid             uint32
		name            string
		unique, primary bool
		keys            int
		columns         []string
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &name, &unique, &primary, &keys, &columns}, func() error {
		t := &r.catalog.Tables[r.byOID[oid]]
		whole := len(columns) == keys
		switch {
		case primary:
			t.PrimaryKey = columns
		case unique && whole:
			t.Uniques = append(t.Uniques, columns)
		}
		if len(columns) > 0 {
			t.Indexes = append(t.Indexes, sparkwright.Index{Name: name, Columns: columns, Unique: unique && whole})
		}
		columns = nil
		return nil
	})
	return err
}

func (r *reader) foreignKeys(ctx context.Context, tx pgx.Tx, _ Filter) error {
	rows, err := tx.Query(ctx, foreignKeysSQL, r.oids)
	if err != nil {
		return err
	}
	var (
		oid uint32
		k   sparkwright.ForeignKey
	)
	_, err = pgx.ForEachRow(rows, []any{&oid, &k.Name, &k.Columns, &k.RefSchema, &k.RefTable, &k.RefColumns}, func() error {
		t := &r.catalog.Tables[r.byOID[oid]]
		t.ForeignKeys = append(t.ForeignKeys, k)
		k.Columns, k.RefColumns = nil, nil
		return nil
	})
	return err
}

func (r *reader) statistics(ctx context.Context, tx pgx.Tx, _ Filter) error {
	rows, err := tx.Query(ctx, statisticsSQL, r.oids)
	if err != nil {
		return err
	}
	var (
		oid               uint32
		name              string
		st                sparkwright.ColumnStats
		common, histogram *string
		shares            []float64
	)
	dest := []any{&oid, &name, &st.NullFraction, &st.Distinct, &st.AvgWidth, &st.Correlation, &common, &shares, &histogram}
	_, err = pgx.ForEachRow(rows, dest, func() error {
		i := r.byOID[oid]
		t := &r.catalog.Tables[i]
		place, ok := r.columns[columnKey{i, name}]
		if !ok {
			return nil
		}
		out := st
		if out.Distinct < 0 { // a share of the rows
			out.Distinct = math.Round(-out.Distinct * float64(max(t.RowEstimate, 0)))
		}
		if common != nil {
			values := parseArray(*common)
			for n := range min(len(values), len(shares), maxCommon) {
				out.MostCommon = append(out.MostCommon, sparkwright.ValueCount{Value: values[n], Fraction: shares[n]})
			}
		}
		if histogram != nil {
			out.Histogram = thin(parseArray(*histogram), maxHistogram)
		}
		t.Columns[place].Stats = &out
		common, histogram, shares = nil, nil, nil
		return nil
	})
	return err
}

// thin keeps at most n values, evenly, with the first and the last.
func thin(values []string, n int) []string {
	if len(values) <= n {
		return values
	}
	out := make([]string, n)
	for i := range out {
		out[i] = values[i*(len(values)-1)/(n-1)]
	}
	return out
}

// parseArray takes PostgreSQL's text form of an array apart: {a,"b \"c\"",NULL}.
// Elements that are arrays themselves stay text.
func parseArray(s string) []string {
	if i := strings.Index(s, "={"); strings.HasPrefix(s, "[") && i > 0 {
		s = s[i+1:] // [0:2]={...}
	}
	if len(s) < 2 || s[0] != '{' {
		return nil
	}
	var (
		out    []string
		b      strings.Builder
		depth  int
		quoted bool
	)
	body := s[1 : len(s)-1]
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '\\' && i+1 < len(body):
			if depth > 0 {
				b.WriteByte(c)
			}
			i++
			b.WriteByte(body[i])
		case c == '"':
			quoted = !quoted
			if depth > 0 {
				b.WriteByte(c)
			}
		case quoted:
			b.WriteByte(c)
		case c == ',' && depth == 0:
			out = append(out, b.String())
			b.Reset()
		default:
			switch c {
			case '{':
				depth++
			case '}':
				depth--
			}
			b.WriteByte(c)
		}
	}
	if body != "" {
		out = append(out, b.String())
	}
	return out
}
