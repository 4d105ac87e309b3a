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
       CASE WHEN t.typtype = 'e' THEN t.oid WHEN e.typtype = 'e' THEN e.oid ELSE 0 END::oid,
       CASE WHEN coalesce(c.collname, 'default') = 'default' THEN
                CASE WHEN a.attcollation = 0 OR d.by_bytes THEN '' ELSE d.locale END
            WHEN c.collprovider = 'b' OR c.collprovider = 'c' AND c.collcollate IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8') THEN ''
            ELSE c.collname::text END,
       NOT coalesce((pg_catalog.to_jsonb(c) ->> 'collisdeterministic')::bool, true),
       a.attndims::int
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
CROSS JOIN (
    -- The columns of pg_database differ between versions; as JSON they may be missing.
    SELECT coalesce(j ->> 'datlocprovider', 'c') = 'b'
           OR coalesce(j ->> 'datlocprovider', 'c') = 'c' AND j ->> 'datcollate' IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8') AS by_bytes,
           coalesce(j ->> 'datlocale', j ->> 'daticulocale', j ->> 'datcollate') AS locale
    FROM (SELECT pg_catalog.to_jsonb(b) AS j FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database()) x
) d
LEFT JOIN resolved r ON r.oid = a.atttypid
JOIN pg_catalog.pg_type t ON t.oid = coalesce(r.base, a.atttypid)
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE a.attrelid = ANY ($1::oid[])
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
