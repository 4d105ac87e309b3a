-- Every relation that can be asked about. $1: schemas or null; $2: names as
-- schema.table or null; $3: partitions too.
WITH RECURSIVE tree (root, oid) AS (
    SELECT i.inhparent, i.inhrelid
    FROM pg_catalog.pg_inherits i
    JOIN pg_catalog.pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
    UNION ALL
    SELECT t.root, i.inhrelid
    FROM tree t
    JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid
), size AS (
    SELECT c.oid, c.reltuples::float8 AS tuples,
           CASE WHEN c.relkind NOT IN ('r', 'm', 't') THEN 0
                WHEN c.relpages > 0 THEN c.relpages::bigint * current_setting('block_size')::bigint
                ELSE coalesce(pg_catalog.pg_relation_size(c.oid), 0) END AS bytes
    FROM pg_catalog.pg_class c
    WHERE c.relkind IN ('r', 'm', 'f')
      AND c.relnamespace <> 'pg_catalog'::regnamespace
), whole AS (
    SELECT t.root, sum(greatest(s.tuples, 0)) AS tuples, max(s.tuples) AS known, sum(s.bytes)::bigint AS bytes,
           max(s.bytes)::bigint AS largest
    FROM tree t
    JOIN size s ON s.oid = t.oid
    GROUP BY t.root
)
SELECT c.oid,
       n.nspname::text,
       c.relname::text,
       c.relkind::text,
       coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), ''),
       CASE WHEN c.relkind = 'v' THEN -1
            WHEN c.relkind = 'p' THEN CASE WHEN coalesce(w.known, -1) < 0 THEN -1 ELSE w.tuples END
            WHEN c.reltuples = 0 AND c.relpages = 0 AND current_setting('server_version_num')::int < 140000 THEN -1
            ELSE c.reltuples END::float8,
       CASE WHEN c.relkind = 'p' THEN coalesce(w.bytes, 0) ELSE coalesce(s.bytes, 0) END,
       coalesce(w.largest, 0),
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN whole w ON w.root = c.oid
LEFT JOIN size s ON s.oid = c.oid
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
  AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_(toast|temp_|toast_temp_)'
  AND ($3::bool OR NOT c.relispartition)
  AND ($1::text[] IS NULL OR n.nspname = ANY ($1::text[]))
  AND ($2::text[] IS NULL OR n.nspname || '.' || c.relname = ANY ($2::text[]))
ORDER BY n.nspname, c.relname
