-- On the primary: the role of the standbys, and a slot for each. Runs again and again. Its standard input is the role's
-- password, `slots` the names.
\set ON_ERROR_STOP on
-- Errors show no context: it would quote the statement, and with it the password.
\set VERBOSITY terse
\set SHOW_CONTEXT never
-- Nor does the server's log.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET client_min_messages = 'warning';
SET password_encryption = 'scram-sha-256';
-- Where commits wait for a standby: there is none before this is done.
SET synchronous_commit = 'local';

CREATE TEMPORARY TABLE secret (password text NOT NULL);
\copy secret FROM pstdin WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
DO $$
DECLARE
  given text;
BEGIN
  SELECT password INTO STRICT given FROM secret;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'replicator') THEN
    CREATE ROLE replicator;
  END IF;
  EXECUTE format('ALTER ROLE replicator WITH LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD %L', given);
END
$$;
DROP TABLE secret;

-- What pg_rewind asks for: to read the server's files, which a base backup does anyway.
GRANT CONNECT ON DATABASE postgres TO replicator;
GRANT EXECUTE ON FUNCTION
  pg_catalog.pg_ls_dir(text, boolean, boolean),
  pg_catalog.pg_stat_file(text, boolean),
  pg_catalog.pg_read_binary_file(text),
  pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)
TO replicator;

-- One that fell too far behind is of no use to its member, which needs a new copy; one that was never used keeps nothing.
SELECT pg_catalog.pg_drop_replication_slot(slot_name)
FROM pg_catalog.pg_replication_slots
WHERE slot_type = 'physical' AND NOT active AND wal_status = 'lost' AND slot_name = ANY (string_to_array(:'slots', ' '));
SELECT pg_catalog.pg_create_physical_replication_slot(name)
FROM unnest(string_to_array(:'slots', ' ')) AS name
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = name);

-- pg_rewind reads the new timeline from the last checkpoint.
SELECT NOT pg_catalog.pg_is_in_recovery()
  AND (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()) <> ('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8))::bit(32)::integer AS behind \gset
\if :behind
CHECKPOINT;
\endif
