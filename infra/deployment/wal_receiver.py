"""Receives PostgreSQL's log into a folder, as it is written: `python -m infra.deployment.wal_receiver`.

It makes the slot and becomes pg_receivewal, as a role that may replicate (docs/backup.md). What is complete in the
folder is stored by Dagster's job `backup_log`, which must be of the same user. It ends where the server ends it, and is
to be started anew. With `--check` it only says whether the log is received.
"""

import os
import sys
from pathlib import Path

from riskee.backup.postgres import PostgresServer
from riskee.backup.receiving import keep_log, log_is_received, receiver
from riskee.backup.wal import wal_folder
from riskee.errors import FatalError, RiskeeError
from riskee.logs import configure_logs, get_logger
from riskee.settings import load_settings

NAME = "wal-receiver"
SLOT = "riskee_backup"

_log = get_logger(__name__)


def prepared(server: PostgresServer, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command that receives the log, once all is ready for it. Raises FatalError for a folder that is not there."""
    if not folder.is_dir():
        raise FatalError(f"there is no folder {folder} for the log", "make it, or mend RISKEE_BACKUP__WAL_FOLDER")
    if keep_log(server, SLOT):
        # What was begun for a slot that is gone has no continuation. What is complete waits to be stored: until it was,
        # pg_receivewal asks for what follows it, is refused, and ends.
        for partial in folder.glob("*.partial"):
            partial.unlink()
        _log.warning("the log is received from now on: a restore to a moment needs a backup that is made after this")
    return receiver(server, SLOT, folder)


def main() -> None:
    """The command."""
    configure_logs(NAME, "INFO")
    try:
        settings = load_settings()
        server = PostgresServer(settings)
        if sys.argv[1:] == ["--check"]:
            sys.exit(not log_is_received(server, SLOT))
        command, environment = prepared(server, wal_folder(settings))
    except RiskeeError as error:
        _log.critical("cannot go on", error=str(error))
        sys.exit(1)
    os.execve(command[0], command, environment)  # noqa: S606 (PostgreSQL's own tool)


if __name__ == "__main__":
    main()
