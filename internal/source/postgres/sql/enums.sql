-- The labels of the enum types $1.
SELECT e.enumtypid, pg_catalog.array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_catalog.pg_enum e
WHERE e.enumtypid = ANY ($1::oid[])
GROUP BY e.enumtypid
