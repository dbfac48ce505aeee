-- Writes a line for each table: its name, the number of its rows, and a checksum of them in whatever order they come.
\set ON_ERROR_STOP on
SET datestyle = 'ISO';
SET intervalstyle = 'iso_8601';
SET timezone = 'UTC';
SET extra_float_digits = 3;
SET bytea_output = 'hex';
SET search_path = pg_catalog;
SET quote_all_identifiers = on;
SELECT format(
  'SELECT %L, count(*), coalesce(sum((''x'' || substr(md5(whole::text), 1, 15))::bit(60)::bigint::numeric), 0) FROM ONLY %I.%I AS whole',
  n.nspname || '.' || c.relname, n.nspname, c.relname
)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname \gexec
