"""What the servers and Dagster read: rendered from ports and passwords, written anew at each start."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from infra.embedded.credentials import Credentials
from infra.embedded.files import Home, write_private
from infra.embedded.ports import HOST
from infra.embedded.postgres import SUPERUSER, connection_url
from riskee.messaging.streams import GIB, MIB, STREAMS

NATS_USER = "riskee"
# JetStream may take half of what is free at a home's first start, within these bounds.
SMALLEST_STORE, LARGEST_STORE = 512 * MIB, 32 * GIB


def choose_store(home: Home) -> None:
    """Decide how much JetStream may store. Once for a home: below what its streams have reserved it refuses them.

    Raises FatalError when it cannot be noted.
    """
    if not _store_file(home).exists():
        has_streams = (home.data / "nats" / "jetstream").exists()
        half = shutil.disk_usage(home.data).free // 2
        store = LARGEST_STORE if has_streams else min(max(half, SMALLEST_STORE), LARGEST_STORE)
        write_private(_store_file(home), str(store))


def store_bytes(home: Home) -> int:
    """What `choose_store` decided; the largest before it did."""
    file = _store_file(home)
    return int(file.read_text()) if file.exists() else LARGEST_STORE


def _store_file(home: Home) -> Path:
    return home.data / "nats-store-bytes"


def _stream_limit(store: int) -> int:
    """The cap for each stream, so that all find room; 0 for none, where they have room at full size."""
    return 0 if store >= sum(stream.max_bytes for stream in STREAMS) else store // len(STREAMS)


def nats_config(home: Home, ports: Mapping[str, int], credentials: Credentials) -> str:
    """NATS with JetStream on disk.

    `sync_interval` bounds what a power loss may take: 10 s of messages (a killed process loses none).
    """
    return f"""\
server_name: riskee
host: {HOST}
port: {ports["nats"]}
http: "{HOST}:{ports["nats-monitor"]}"
max_payload: 8MB
jetstream {{
  store_dir: {json.dumps(str(home.data / "nats"))}
  max_memory_store: 256MB
  max_file_store: {store_bytes(home)}
  sync_interval: 10s
}}
authorization {{
  user: {json.dumps(NATS_USER)}
  password: {json.dumps(credentials.nats)}
}}
"""


def valkey_config(home: Home, ports: Mapping[str, int], credentials: Credentials) -> str:
    """Valkey as a cache that survives a restart: what has a time to live goes first when memory is short."""
    return f"""\
bind {HOST}
port {ports["redis"]}
protected-mode yes
requirepass {credentials.valkey}
dir {json.dumps(str(home.data / "redis"))}
appendonly yes
appendfsync everysec
save ""
maxmemory 1gb
maxmemory-policy volatile-ttl
daemonize no
"""


def dagster_config(home: Home, ports: Mapping[str, int], credentials: Credentials) -> str:
    """Dagster's instance: storage in the same PostgreSQL, everything else below the home.

    SQLAlchemy takes a bare `postgresql://` for psycopg 3, which dagster-postgres does not speak: the scheme is named.
    Assets of one pool are never made by two runs at once; a run waits in the queue for it, so that a killed one leaves
    no slot taken. A run whose worker died is noticed within `poll_interval_seconds` and started once more; what a step
    says is wrong is repeated by the step's own policy only.
    """
    return f"""\
# Written by `riskee up`; changes are lost.
storage:
  custom:
    module: riskee_dagster.storage
    class: RangeStorage
    config:
      postgres_db:
        scheme: postgresql+psycopg2
        username: {SUPERUSER}
        password: {json.dumps(credentials.postgres)}
        hostname: {HOST}
        port: {ports["postgres"]}
        db_name: dagster
run_coordinator:
  module: dagster.core.run_coordinator
  class: QueuedRunCoordinator
  config:
    dequeue_interval_seconds: 1
run_launcher:
  module: riskee_dagster.launcher
  class: WatchedRunLauncher
concurrency:
  runs:
    max_concurrent_runs: 2
  pools:
    granularity: run
    default_limit: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  cancel_timeout_seconds: 60
  poll_interval_seconds: 10
run_retries:
  enabled: true
  max_retries: 1
  retry_on_asset_or_op_failure: false
compute_logs:
  module: dagster.core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config:
    base_dir: {json.dumps(str(home.dagster / "logs"))}
local_artifact_storage:
  module: dagster.core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {json.dumps(str(home.dagster / "artifacts"))}
telemetry:
  enabled: false
nux:
  enabled: false
"""


def endpoints(
    ports: Mapping[str, int], credentials: Credentials, store: int = LARGEST_STORE
) -> dict[str, dict[str, object]]:
    """The settings that differ from their defaults, as `riskee.settings` reads them from `run/endpoints.json`.

    `store` is the number of bytes that JetStream may take.
    """
    database = connection_url(ports["postgres"], credentials.postgres, "riskee")
    return {
        "database": {"url": database.replace("postgresql://", "postgresql+psycopg://", 1)},
        "redis": {"url": f"redis://:{credentials.valkey}@{HOST}:{ports['redis']}/0"},
        "nats": {
            "url": f"nats://{NATS_USER}:{credentials.nats}@{HOST}:{ports['nats']}",
            "store_limit_bytes": _stream_limit(store),
        },
        "vectors": {"url": f"http://{HOST}:{ports['qdrant']}"},
        "llm": {"url": f"http://{HOST}:{ports['ollama']}"},
        "api": {"port": ports["api"]},
        "dagster": {"url": f"http://{HOST}:{ports['dagster-webserver']}"},
        "metrics": {f"{name}_port": ports[name] for name in ("ingest", "predict", "record", "explain")},
    }


def data_folders(home: Home) -> tuple[Path, ...]:
    """Folders the servers expect to find."""
    return tuple(home.data / name for name in ("nats", "redis", "qdrant"))
