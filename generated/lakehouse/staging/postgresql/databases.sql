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
  IF role_name = current_user OR role_name LIKE 'pg\_%' OR role_name IN ('replicator', 'streaming_replica', 'cnpg_pooler_pgbouncer', 'cnpg_metrics_exporter', 'lake_admin', 'lake_engineer', 'lake_analyst', 'lake_viewer', 'lake_people') THEN
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

-- airbyte, activity
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-airbyte-activity' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('airbyte_metrics', 'NOREPLICATION');
SELECT format('CREATE DATABASE %I OWNER %I', 'airbyte_metrics', 'airbyte_metrics')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'airbyte_metrics') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', 'airbyte_metrics', 'airbyte_metrics')
WHERE 'airbyte_metrics' <> (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'airbyte_metrics') \gexec
-- The owner keeps every right; without this line every role of the server could connect.
REVOKE ALL ON DATABASE "airbyte_metrics" FROM PUBLIC;

-- airbyte, config
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-airbyte-config' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('airbyte', 'NOREPLICATION');
SELECT format('CREATE DATABASE %I OWNER %I', 'airbyte', 'airbyte')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'airbyte') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', 'airbyte', 'airbyte')
WHERE 'airbyte' <> (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'airbyte') \gexec
-- The owner keeps every right; without this line every role of the server could connect.
REVOKE ALL ON DATABASE "airbyte" FROM PUBLIC;

-- airbyte, temporal
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-airbyte-temporal' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('airbyte_temporal', 'NOREPLICATION');
SELECT format('CREATE DATABASE %I OWNER %I', 'airbyte_temporal', 'airbyte_temporal')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'airbyte_temporal') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', 'airbyte_temporal', 'airbyte_temporal')
WHERE 'airbyte_temporal' <> (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'airbyte_temporal') \gexec
-- The owner keeps every right; without this line every role of the server could connect.
REVOKE ALL ON DATABASE "airbyte_temporal" FROM PUBLIC;

-- airbyte, temporal_visibility
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-airbyte-temporal-visibility' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('airbyte_temporal_visibility', 'NOREPLICATION');
SELECT format('CREATE DATABASE %I OWNER %I', 'airbyte_temporal_visibility', 'airbyte_temporal_visibility')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'airbyte_temporal_visibility') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', 'airbyte_temporal_visibility', 'airbyte_temporal_visibility')
WHERE 'airbyte_temporal_visibility' <> (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'airbyte_temporal_visibility') \gexec
-- The owner keeps every right; without this line every role of the server could connect.
REVOKE ALL ON DATABASE "airbyte_temporal_visibility" FROM PUBLIC;

-- dremio, database
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-dremio-database' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('dremio', 'NOREPLICATION');
SELECT format('CREATE DATABASE %I OWNER %I', 'serving', 'dremio')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'serving') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', 'serving', 'dremio')
WHERE 'dremio' <> (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'serving') \gexec
-- The owner keeps every right; without this line every role of the server could connect.
REVOKE ALL ON DATABASE "serving" FROM PUBLIC;

-- grafana, database
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-grafana-database' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('grafana', 'NOREPLICATION');
SELECT format('CREATE DATABASE %I OWNER %I', 'grafana', 'grafana')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'grafana') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', 'grafana', 'grafana')
WHERE 'grafana' <> (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'grafana') \gexec
-- The owner keeps every right; without this line every role of the server could connect.
REVOKE ALL ON DATABASE "grafana" FROM PUBLIC;

-- superset, activity
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-superset-activity' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('superset_metrics', 'NOREPLICATION');
SELECT format('CREATE DATABASE %I OWNER %I', 'superset_metrics', 'superset_metrics')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = 'superset_metrics') \gexec
SELECT format('ALTER DATABASE %I OWNER TO %I', 'superset_metrics', 'superset_metrics')
WHERE 'superset_metrics' <> (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = 'superset_metrics') \gexec
-- The owner keeps every right; without this line every role of the server could connect.
REVOKE ALL ON DATABASE "superset_metrics" FROM PUBLIC;

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



-- The exporter: statistics, and no data. It keeps a connection to each database, since each has its own tables' statistics.
TRUNCATE secret;
\copy secret FROM '/run/secrets/postgresql-exporter' WITH (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02')
CALL pg_temp.ensure_role('postgres_exporter', 'NOREPLICATION CONNECTION LIMIT 50');
ALTER ROLE postgres_exporter SET statement_timeout = '20s';
GRANT pg_monitor TO postgres_exporter;
GRANT CONNECT ON DATABASE postgres TO postgres_exporter;

GRANT CONNECT ON DATABASE "airbyte_metrics" TO postgres_exporter;

GRANT CONNECT ON DATABASE "airbyte" TO postgres_exporter;

GRANT CONNECT ON DATABASE "airbyte_temporal" TO postgres_exporter;

GRANT CONNECT ON DATABASE "airbyte_temporal_visibility" TO postgres_exporter;

GRANT CONNECT ON DATABASE "serving" TO postgres_exporter;

GRANT CONNECT ON DATABASE "grafana" TO postgres_exporter;

GRANT CONNECT ON DATABASE "superset_metrics" TO postgres_exporter;

GRANT CONNECT ON DATABASE "superset" TO postgres_exporter;


DROP TABLE secret;

SELECT format('GRANT %I TO %I', 'airbyte_metrics', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec

SELECT format('GRANT %I TO %I', 'airbyte', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec

SELECT format('GRANT %I TO %I', 'airbyte_temporal', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec

SELECT format('GRANT %I TO %I', 'airbyte_temporal_visibility', name)
FROM unnest(string_to_array('airbyte_temporal', ' ')) AS name \gexec

SELECT format('GRANT %I TO %I', 'dremio', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec

SELECT format('GRANT %I TO %I', 'grafana', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec

SELECT format('GRANT %I TO %I', 'superset_metrics', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec

SELECT format('GRANT %I TO %I', 'superset', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec


-- What only a superuser may do inside the database of airbyte.
\connect "airbyte_metrics"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'airbyte_metrics' of role 'airbyte_metrics': ready

-- What only a superuser may do inside the database of airbyte.
\connect "airbyte"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'airbyte' of role 'airbyte': ready

-- What only a superuser may do inside the database of airbyte.
\connect "airbyte_temporal"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'airbyte_temporal' of role 'airbyte_temporal': ready

-- What only a superuser may do inside the database of airbyte.
\connect "airbyte_temporal_visibility"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'airbyte_temporal_visibility' of role 'airbyte_temporal_visibility': ready

-- What only a superuser may do inside the database of dremio.
\connect "serving"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'serving' of role 'dremio': ready

-- What only a superuser may do inside the database of grafana.
\connect "grafana"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'grafana' of role 'grafana': ready

-- What only a superuser may do inside the database of superset.
\connect "superset_metrics"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'superset_metrics' of role 'superset_metrics': ready

-- What only a superuser may do inside the database of superset.
\connect "superset"
SET client_min_messages = 'warning';
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
FROM unnest(string_to_array('', ' ')) AS name \gexec
\echo database 'superset' of role 'superset': ready

