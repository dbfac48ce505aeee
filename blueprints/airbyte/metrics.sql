-- Lets the role that measures read how syncs went, and nothing of what they carry: no configuration, no credentials.
-- Columns are granted, no view is made: a view would keep Airbyte's migrations from changing what it shows.
\set ON_ERROR_STOP on
SELECT format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), :'reader') \gexec
SELECT format('GRANT SELECT (id, config_type, scope, status, started_at, created_at, updated_at) ON jobs TO %I', :'reader') \gexec
SELECT format('GRANT SELECT (id, job_id) ON attempts TO %I', :'reader') \gexec
SELECT format('GRANT SELECT (attempt_id, records_committed, bytes_committed) ON sync_stats TO %I', :'reader') \gexec
SELECT format('GRANT SELECT (id, name, status, schedule_type) ON connection TO %I', :'reader') \gexec
