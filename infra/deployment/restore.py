"""Fills the empty servers of a deployment from a backup: `python -m infra.deployment.restore [BACKUP]`.

As the superuser it makes the databases and their owners, and becomes `riskee backup restore --dumps`, which gives them
what is theirs. The job `migrate`, which must come after it, gives the roles their passwords and rights.
"""

import os
import sys

from infra.deployment.identities import SUPERUSER
from infra.deployment.roles import make_owners
from riskee.backup.postgres import PostgresServer
from riskee.errors import RiskeeError
from riskee.logs import configure_logs, get_logger
from riskee.settings import load_settings

NAME = "restore"

_log = get_logger(__name__)


def main() -> None:
    """The command; its arguments are those of `riskee backup restore`."""
    configure_logs(NAME, "INFO")
    try:
        # The database that is always there, and has the superuser's name.
        with PostgresServer(load_settings()).connect(SUPERUSER) as connection:
            connection.autocommit = True
            make_owners(connection)
    except RiskeeError as error:
        _log.critical("cannot go on", error=str(error))
        sys.exit(1)
    command = (sys.executable, "-m", "riskee", "backup", "restore", "--dumps", *sys.argv[1:])
    os.execv(command[0], command)  # noqa: S606 (this very program)


if __name__ == "__main__":
    main()
