-- The columns of the relations $1. A domain is shown as the type below it.
WITH RECURSIVE domain (oid, base, typmod) AS (
    SELECT t.oid, t.typbasetype, t.typtypmod
    FROM pg_catalog.pg_type t
    WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype, CASE WHEN d.typmod >= 0 THEN d.typmod ELSE t.typtypmod END
    FROM domain d
    JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype = 'd'
), resolved AS (
    SELECT d.oid, d.base, d.typmod
    FROM domain d
    JOIN pg_catalog.pg_type t ON t.oid = d.base AND t.typtype <> 'd'
)
SELECT a.attrelid,
       a.attname::text,
       pg_catalog.format_type(t.oid, coalesce(r.typmod, a.atttypmod)),
       t.typname::text,
       NOT a.attnotnull,
       coalesce(pg_catalog.col_description(a.attrelid, a.attnum), ''),
       CASE WHEN t.typtype = 'e' THEN t.oid WHEN e.typtype = 'e' THEN e.oid ELSE 0 END::oid
FROM pg_catalog.pg_attribute a
LEFT JOIN resolved r ON r.oid = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = coalesce(r.base, a.atttypid)
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE a.attrelid = ANY ($1::oid[])
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
