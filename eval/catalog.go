package main

import (
	"context"

	"github.com/sparkwright/sparkwright"
)

// columnsSQL lists every column of every table with its statistics.
const columnsSQL = `
SELECT n.nspname::text, c.relname::text, c.relkind::text, coalesce(obj_description(c.oid), ''),
  CASE WHEN c.relkind = 'p' THEN (SELECT coalesce(sum(k.reltuples), 0) FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid WHERE i.inhparent = c.oid)
       ELSE c.reltuples END::float8,
  a.attname::text, format_type(a.atttypid, a.atttypmod), t.typname::text, NOT a.attnotnull, coalesce(col_description(c.oid, a.attnum), ''),
  coalesce((SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = a.atttypid), '{}'),
  s.null_frac::float8, s.n_distinct::float8, s.most_common_vals::text::text[], s.most_common_freqs::float8[], s.histogram_bounds::text::text[]
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN LATERAL (SELECT * FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
                   ORDER BY s.inherited DESC LIMIT 1) s ON true
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY n.nspname, c.relname, a.attnum`

// keysSQL lists primary, unique and foreign keys.
const keysSQL = `
SELECT n.nspname::text, c.relname::text, k.contype::text, k.conname::text,
  (SELECT array_agg(a.attname::text ORDER BY x.ord) FROM unnest(k.conkey) WITH ORDINALITY x(num, ord) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.num),
  coalesce(rn.nspname::text, ''), coalesce(r.relname::text, ''),
  coalesce((SELECT array_agg(a.attname::text ORDER BY x.ord) FROM unnest(k.confkey) WITH ORDINALITY x(num, ord) JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = x.num), '{}')
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class r ON r.oid = k.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE k.contype IN ('p', 'u', 'f') AND NOT c.relispartition AND (r.oid IS NULL OR NOT r.relispartition)
ORDER BY k.conname`

var kinds = map[string]sparkwright.TableKind{
	"r": sparkwright.KindTable, "v": sparkwright.KindView, "m": sparkwright.KindMaterializedView,
	"p": sparkwright.KindPartitioned, "f": sparkwright.KindForeign,
}

// Catalog implements Database.
func (s *server) Catalog(ctx context.Context, name string) (*sparkwright.Catalog, error) {
	c, err := s.conn(ctx, name)
	if err != nil {
		return nil, err
	}
	cat := &sparkwright.Catalog{}
	index := map[[2]string]int{}
	rows, err := c.Query(ctx, columnsSQL)
	if err != nil {
		return nil, sqlError(err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			schema, relation, kind, comment string
			estimate                        float64
			col                             sparkwright.Column
			nulls, distinct                 *float64
			common, histogram               []string
			freqs                           []float64
		)
		if err := rows.Scan(&schema, &relation, &kind, &comment, &estimate, &col.Name, &col.Type, &col.BaseType, &col.Nullable, &col.Comment, &col.Enum,
			&nulls, &distinct, &common, &freqs, &histogram); err != nil {
			return nil, sqlError(err)
		}
		if nulls != nil && distinct != nil {
			col.Stats = &sparkwright.ColumnStats{NullFraction: *nulls, Distinct: *distinct, Histogram: histogram}
			if *distinct < 0 {
				col.Stats.Distinct = -*distinct * estimate
			}
			for i, v := range common {
				col.Stats.MostCommon = append(col.Stats.MostCommon, sparkwright.ValueCount{Value: v, Fraction: freqs[i]})
			}
		}
		key := [2]string{schema, relation}
		if _, ok := index[key]; !ok {
			index[key] = len(cat.Tables)
			cat.Tables = append(cat.Tables, sparkwright.Table{
				Connection: "suite", Database: name, Schema: schema, Name: relation, View: relation, Kind: kinds[kind],
				Comment: comment, RowEstimate: int64(estimate), Readable: true,
			})
		}
		t := &cat.Tables[index[key]]
		t.Columns = append(t.Columns, col)
	}
	if err := rows.Err(); err != nil {
		return nil, sqlError(err)
	}
	if err := s.keys(ctx, name, cat, index); err != nil {
		return nil, err
	}
	return cat, nil
}

func (s *server) keys(ctx context.Context, name string, cat *sparkwright.Catalog, index map[[2]string]int) error {
	c, err := s.conn(ctx, name)
	if err != nil {
		return err
	}
	rows, err := c.Query(ctx, keysSQL)
	if err != nil {
		return sqlError(err)
	}
	defer rows.Close()
	for rows.Next() {
		var schema, relation, kind string
		var fk sparkwright.ForeignKey
		if err := rows.Scan(&schema, &relation, &kind, &fk.Name, &fk.Columns, &fk.RefSchema, &fk.RefTable, &fk.RefColumns); err != nil {
			return sqlError(err)
		}
		i, ok := index[[2]string{schema, relation}]
		if !ok {
			continue
		}
		t := &cat.Tables[i]
		switch kind {
		case "p":
			t.PrimaryKey = fk.Columns
		case "u":
			t.Uniques = append(t.Uniques, fk.Columns)
		default:
			t.ForeignKeys = append(t.ForeignKeys, fk)
		}
	}
	if err := rows.Err(); err != nil {
		return sqlError(err)
	}
	return nil
}
