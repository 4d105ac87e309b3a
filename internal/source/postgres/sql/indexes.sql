-- The valid B-tree indexes of the relations $1 that cover all rows. The names
-- end where an expression begins.
SELECT i.indrelid,
       c.relname::text,
       i.indisunique,
       i.indisprimary,
       i.indnkeyatts::int,
       ARRAY(SELECT a.attname::text
             FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, position)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
             WHERE k.position <= i.indnkeyatts
               AND NOT EXISTS (SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY b (attnum, position)
                               WHERE b.attnum = 0 AND b.position < k.position)
             ORDER BY k.position)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
WHERE i.indrelid = ANY ($1::oid[])
  AND i.indisvalid
  AND i.indislive
  AND i.indpred IS NULL
ORDER BY i.indrelid, c.relname
