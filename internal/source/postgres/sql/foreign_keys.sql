-- The foreign keys of the relations $1.
SELECT f.conrelid,
       f.conname::text,
       ARRAY(SELECT a.attname::text
             FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY k (attnum, position)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum
             ORDER BY k.position),
       n.nspname::text,
       c.relname::text,
       ARRAY(SELECT a.attname::text
             FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY k (attnum, position)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum
             ORDER BY k.position)
FROM pg_catalog.pg_constraint f
JOIN pg_catalog.pg_class c ON c.oid = f.confrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE f.contype = 'f'
  AND f.conrelid = ANY ($1::oid[])
  AND NOT c.relispartition
ORDER BY f.conrelid, f.conname
