-- Made by lakewright from blueprint postgresql, warehouse.sql.tera. Change that and build again: edits here are lost.
-- The roles of the platform, and the database in which they count. Every statement leaves what already is as wanted as it is;
-- what was given to the roles by hand and is not theirs is taken back. People are never touched: whose role is whose is theirs
-- to say who run the server.
\set ON_ERROR_STOP on
\set VERBOSITY terse
\pset tuples_only on
SET client_min_messages = 'warning';
\set warehouse 'lake'
\set names 'lake_admin lake_engineer lake_analyst lake_viewer lake_people'

-- A component's database has an owner of its own, for whom this one would be lost.
SELECT :'warehouse' IN ('postgres', 'template0', 'template1', 'airbyte_metrics', 'airbyte', 'airbyte_temporal', 'airbyte_temporal_visibility', 'serving', 'grafana', 'superset_metrics', 'superset') AS taken \gset
\if :taken
DO $$ BEGIN RAISE EXCEPTION 'the database of the option `warehouse` is a component''s: choose another name'; END $$;
\endif

-- One transaction: nobody is without a right that they keep.
BEGIN;
DO $$
DECLARE
  name text;
  -- Up to 15 whoever makes roles may also take any that is no superuser's, a component's included.
  makes_roles constant text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END;
BEGIN
  FOREACH name IN ARRAY ARRAY['lake_admin', 'lake_engineer', 'lake_analyst', 'lake_viewer', 'lake_people'] LOOP
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
      EXECUTE format('CREATE ROLE %I', name);
    END IF;
    -- Nobody is one of them: people are members.
    EXECUTE format(
      'ALTER ROLE %I WITH NOLOGIN NOSUPERUSER NOREPLICATION NOBYPASSRLS INHERIT PASSWORD NULL %s', name,
      CASE name WHEN 'lake_admin' THEN 'CREATEDB ' || makes_roles ELSE 'NOCREATEDB NOCREATEROLE' END
    );
  END LOOP;
END
$$;

-- What they are members of, and should not be; whoever gave it.
SELECT format('REVOKE %I FROM %I%s CASCADE', held.rolname, holder.rolname, ' GRANTED BY ' || quote_ident(giver.rolname))
FROM pg_catalog.pg_auth_members AS membership
JOIN pg_catalog.pg_roles AS held ON held.oid = membership.roleid
JOIN pg_catalog.pg_roles AS holder ON holder.oid = membership.member
LEFT JOIN pg_catalog.pg_roles AS giver ON giver.oid = membership.grantor
WHERE holder.rolname = ANY (string_to_array(:'names', ' '))
  AND NOT (holder.rolname = 'lake_admin' AND held.rolname = ANY (string_to_array('pg_monitor ' || :'names', ' '))) \gexec
GRANT pg_monitor TO lake_admin;
-- Admins make people: with the option they may give these roles on.
GRANT lake_engineer, lake_analyst, lake_viewer, lake_people TO lake_admin WITH ADMIN OPTION;
COMMIT;

SELECT format('CREATE DATABASE %I OWNER lake_admin', :'warehouse')
WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_database WHERE datname = :'warehouse') \gexec

BEGIN;
-- No database but this one and those that Admins made: not even what somebody once allowed.
SELECT format('REVOKE ALL ON DATABASE %I FROM lake_admin, lake_engineer, lake_analyst, lake_viewer, lake_people', datname)
FROM pg_catalog.pg_database
WHERE datname IN ('postgres', 'template1', 'airbyte_metrics', 'airbyte', 'airbyte_temporal', 'airbyte_temporal_visibility', 'serving', 'grafana', 'superset_metrics', 'superset') \gexec
ALTER DATABASE "lake" OWNER TO lake_admin;
REVOKE ALL ON DATABASE "lake" FROM PUBLIC, lake_engineer, lake_analyst, lake_viewer, lake_people;
GRANT CONNECT, TEMPORARY ON DATABASE "lake" TO lake_engineer, lake_analyst;
GRANT CONNECT ON DATABASE "lake" TO postgres_exporter;
COMMIT;

\connect "lake"
SET client_min_messages = 'warning';
BEGIN;
REVOKE ALL ON SCHEMA public FROM PUBLIC, lake_engineer, lake_analyst, lake_viewer, lake_people;

CREATE SCHEMA IF NOT EXISTS bronze;
CREATE SCHEMA IF NOT EXISTS silver;
CREATE SCHEMA IF NOT EXISTS gold;
ALTER SCHEMA bronze OWNER TO lake_admin;
ALTER SCHEMA silver OWNER TO lake_admin;
ALTER SCHEMA gold OWNER TO lake_admin;
REVOKE ALL ON SCHEMA bronze, silver, gold FROM PUBLIC, lake_engineer, lake_analyst, lake_viewer, lake_people;
GRANT USAGE, CREATE ON SCHEMA bronze, silver, gold TO lake_engineer;
GRANT USAGE ON SCHEMA gold TO lake_analyst;

-- Whose a table is, and who reads it. Default privileges do not do: they count for what a role makes, not for what its members
-- make. So whatever is made in the three schemas, by whomever, becomes the engineers', who may then change and drop what others
-- of them made; what is in gold may be read by analysts, through views too, since a view reads with the rights of its owner.
CREATE SCHEMA IF NOT EXISTS lakewright;
ALTER SCHEMA lakewright OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA lakewright FROM PUBLIC, lake_admin, lake_engineer, lake_analyst, lake_viewer, lake_people;

CREATE OR REPLACE PROCEDURE lakewright.settle(relation oid)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  found_one record;
BEGIN
  SELECT c.relkind, n.nspname, format('%I.%I', n.nspname, c.relname) AS name, pg_get_userbyid(c.relowner) AS owner,
    EXISTS (
      SELECT FROM pg_depend AS d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
        AND d.deptype IN ('a', 'i')
    ) AS of_column
  INTO found_one
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.oid = relation AND n.nspname IN ('bronze', 'silver', 'gold') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S');
  IF NOT FOUND THEN
    RETURN;
  END IF;
  -- A column's sequence goes with its table.
  IF found_one.owner <> 'lake_engineer' AND NOT (found_one.relkind = 'S' AND found_one.of_column) THEN
    EXECUTE format(
      'ALTER %s %s OWNER TO lake_engineer',
      CASE found_one.relkind
        WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE'
      END,
      found_one.name
    );
  END IF;
  EXECUTE format(
    'REVOKE ALL ON %s %s FROM PUBLIC, lake_analyst, lake_viewer, lake_people',
    CASE found_one.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, found_one.name
  );
  IF found_one.nspname = 'gold' AND found_one.relkind <> 'S' THEN
    EXECUTE format('GRANT SELECT ON %s TO lake_analyst', found_one.name);
  END IF;
END
$$;

-- With the rights of its owner, the superuser: who makes a table may not give it away.
CREATE OR REPLACE FUNCTION lakewright.settle_new() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  made oid;
BEGIN
  FOR made IN
    SELECT DISTINCT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass AND NOT in_extension
  LOOP
    CALL lakewright.settle(made);
  END LOOP;
END
$$;
ALTER FUNCTION lakewright.settle_new() OWNER TO CURRENT_USER;
ALTER PROCEDURE lakewright.settle(oid) OWNER TO CURRENT_USER;
REVOKE ALL ON PROCEDURE lakewright.settle(oid) FROM PUBLIC;
REVOKE ALL ON FUNCTION lakewright.settle_new() FROM PUBLIC;

DROP EVENT TRIGGER IF EXISTS lakewright_settle;
CREATE EVENT TRIGGER lakewright_settle ON ddl_command_end
WHEN TAG IN (
  'CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'CREATE VIEW', 'CREATE MATERIALIZED VIEW', 'CREATE SEQUENCE',
  'CREATE FOREIGN TABLE', 'IMPORT FOREIGN SCHEMA', 'CREATE SCHEMA', 'ALTER TABLE', 'ALTER VIEW', 'ALTER MATERIALIZED VIEW',
  'ALTER SEQUENCE', 'ALTER FOREIGN TABLE'
)
EXECUTE FUNCTION lakewright.settle_new();

-- What was there before, or was given otherwise since.
DO $$
DECLARE
  relation oid;
BEGIN
  FOR relation IN
    SELECT c.oid FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('bronze', 'silver', 'gold')
  LOOP
    CALL lakewright.settle(relation);
  END LOOP;
END
$$;
COMMIT;
\echo warehouse 'lake': ready
