-- Made by lakewright from blueprint postgresql, databases.sql.tera. Change that and build again: edits here are lost.
-- Roles and databases of the dependents. Every statement leaves a database that already is as wanted as it is; nothing is
-- ever dropped: a database whose dependent left the topology stays, with its role.
\set ON_ERROR_STOP on
-- Errors show no context: it would quote the statement, and with it the password.
\set VERBOSITY terse
\set SHOW_CONTEXT never
\pset tuples_only on
-- Nor does the server's log: not even when a statement below fails or is slow.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET client_min_messages = 'warning';
SET password_encryption = 'scram-sha-256';

-- Passwords come in through COPY, read by psql from the secret's file: that is data, so it appears in no statement, in no
-- log and in no view of running queries. The format takes a line as it is: delimiter and quote never occur in a password.
CREATE TEMPORARY TABLE secret (password text NOT NULL);

CREATE PROCEDURE pg_temp.ensure_role(role_name text, attributes text)
LANGUAGE plpgsql AS $$
DECLARE
  given text;
BEGIN
  IF role_name = current_user OR role_name LIKE 'pg\_%' OR role_name IN ('replicator', 'streaming_replica', 'cnpg_pooler_pgbouncer', 'cnpg_metrics_exporter') THEN
    RAISE EXCEPTION 'the role name % is taken by PostgreSQL or by the platform', role_name;
  END IF;
  IF (SELECT count(*) FROM secret) <> 1 THEN
    RAISE EXCEPTION 'the secret of the role % must hold one line', role_name;
  END IF;
  SELECT password INTO STRICT given FROM secret;
  IF length(given) < 12 THEN
    RAISE EXCEPTION 'the password of the role % is shorter than 12 characters', role_name;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = role_name) THEN
    EXECUTE format('CREATE ROLE %I', role_name);
  END IF;
  -- Sets the password every time: PostgreSQL cannot tell whether it is still the same.
  EXECUTE format('ALTER ROLE %I WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS %s PASSWORD %L', role_name, attributes, given);
END
$$;

-- The maintenance databases are nobody's business.
REVOKE ALL ON DATABASE postgres FROM PUBLIC;
REVOKE ALL ON DATABASE template1 FROM PUBLIC;

-- superset, metadata
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-superset-metadata' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('superset', 'NOREPLICATION');
SELECT format('CREATE DATABASE %I OWNER %I', 'superset', 'superset')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'superset') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', 'superset', 'superset')
WHERE 'superset' <> (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'superset') \gexec
-- The owner keeps every right; without this line every role of the server could connect.
REVOKE ALL ON DATABASE "superset" FROM PUBLIC;



DROP TABLE secret;

SELECT format('GRANT %I TO %I', 'superset', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec


-- What only a superuser may do inside the database of superset.
\connect "superset"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'superset' of role 'superset': ready

