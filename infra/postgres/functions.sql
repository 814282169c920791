-- What only the superuser may give away, and in each database anew: run in the database riskee.
-- A backup ends the segment of the log that is written, so that it is kept with it.
GRANT EXECUTE ON FUNCTION pg_switch_wal() TO riskee_backup;
