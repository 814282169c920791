"""Who talks to the servers: one user for each service and server, so that each may do only what it must.

What each may do is written where the server reads it: `infra/postgres/grants.sql`, `infra/redis/users.acl` and
`sentinels.acl`, and `infra/nats/nats.conf`.
"""

SUPERUSER = "postgres"
# Owns the tables. Dagster changes them by rights of this role: it makes partitions and tables of SQL models.
OWNER = "riskee_migrate"
# Dagster's own database, of its runs and events.
DAGSTER_DATABASE = "dagster"
DATABASE = "riskee"

POSTGRES_ROLES = (
    OWNER,
    "riskee_dagster",
    "riskee_ingest",
    "riskee_predict",
    "riskee_record",
    "riskee_explain",
    "riskee_api",
    "riskee_exporter",
    # Reads all there is, and is sent the server's files and log.
    "riskee_backup",
    "dagster",
)
# The last two are servers: a replica of the master, and a Sentinel that watches both.
REDIS_USERS = ("predict", "explain", "api", "operator", "exporter", "backup", "health", "replica", "sentinel")
# At the Sentinels: they themselves, by the same password, and whoever asks them for the master.
SENTINEL_USERS = ("sentinel", "finder")
NATS_USERS = ("migrate", "ingest", "predict", "record", "explain", "api", "dagster", "operator", "backup")
