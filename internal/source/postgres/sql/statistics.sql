-- What the planner knows of the columns of the relations $1. pg_stats shows
-- only columns that the login may read.
SELECT c.oid,
       s.attname::text,
       s.null_frac::float8,
       s.n_distinct::float8,
       s.avg_width,
       coalesce(s.correlation, 0)::float8,
       s.most_common_vals::text,
       s.most_common_freqs::float8[],
       s.histogram_bounds::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname
WHERE c.oid = ANY ($1::oid[])
  AND s.inherited = (c.relkind = 'p')
