-- Roles and databases, made by the superuser. May be run again: it mends what differs. The passwords are set by the job
-- that runs this (infra/deployment/roles.py), as SCRAM verifiers.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY[
        'riskee_migrate', 'riskee_dagster', 'riskee_ingest', 'riskee_predict', 'riskee_record', 'riskee_explain',
        'riskee_api', 'riskee_exporter', 'riskee_backup', 'dagster'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I', wanted);
        END IF;
        EXECUTE format(
            'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', wanted
        );
    END LOOP;
    -- What every service may read; nobody logs in as this.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'riskee_reader') THEN
        CREATE ROLE riskee_reader NOLOGIN;
    END IF;
END $$;

ALTER ROLE riskee_migrate CONNECTION LIMIT 10;
ALTER ROLE riskee_dagster CONNECTION LIMIT 40;
ALTER ROLE riskee_ingest CONNECTION LIMIT 10;
ALTER ROLE riskee_predict CONNECTION LIMIT 40;
ALTER ROLE riskee_record CONNECTION LIMIT 20;
ALTER ROLE riskee_explain CONNECTION LIMIT 20;
ALTER ROLE riskee_api CONNECTION LIMIT 40;
ALTER ROLE riskee_exporter CONNECTION LIMIT 5;
ALTER ROLE riskee_backup REPLICATION CONNECTION LIMIT 10;
ALTER ROLE dagster CONNECTION LIMIT 60;

-- Dagster makes partitions, and the tables of SQL models: as the owner, so that these belong to it too.
GRANT riskee_migrate TO riskee_dagster;
ALTER ROLE riskee_dagster IN DATABASE riskee SET role TO riskee_migrate;

GRANT riskee_reader TO riskee_ingest, riskee_predict, riskee_record, riskee_explain, riskee_api;
GRANT pg_monitor TO riskee_exporter;
-- record tells the state of the server's connections, those of others too.
GRANT pg_read_all_stats TO riskee_record;

-- Backups read all there is, and change nothing.
GRANT pg_read_all_data TO riskee_backup;

ALTER DATABASE riskee OWNER TO riskee_migrate;
ALTER DATABASE dagster OWNER TO dagster;
REVOKE ALL ON DATABASE riskee, dagster FROM PUBLIC;
GRANT CONNECT ON DATABASE riskee TO riskee_reader, riskee_dagster, riskee_exporter, riskee_backup;
GRANT CONNECT ON DATABASE dagster TO riskee_exporter, riskee_backup;
-- record copies what it writes into a temporary table first.
GRANT TEMPORARY ON DATABASE riskee TO riskee_record;
