"""Receiving PostgreSQL's log on another machine, under a slot: the server keeps what was not received yet."""

from pathlib import Path

from riskee.backup.postgres import PostgresServer


def keep_log(server: PostgresServer, slot: str) -> bool:
    """Make the slot. Returns whether there was none, or one whose log the server has given up
    (`max_slot_wal_keep_size`): what is received then begins now.
    """
    with server.connect() as connection:
        # Each statement by itself: a slot is made only by a transaction that has written nothing.
        connection.autocommit = True
        found = connection.execute(
            "SELECT wal_status = 'lost' FROM pg_replication_slots WHERE slot_name = %s", (slot,)
        ).fetchone()
        if found == (False,):
            return False
        if found is not None:
            connection.execute("SELECT pg_drop_replication_slot(%s)", (slot,))
        connection.execute("SELECT pg_create_physical_replication_slot(%s, true)", (slot,))
        return True


def log_is_received(server: PostgresServer, slot: str) -> bool:
    """Whether somebody takes the log of the slot now."""
    with server.connect() as connection:
        found = connection.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", (slot,))
        return found.fetchone() == (True,)


def receiver(server: PostgresServer, slot: str, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The command that receives the log into a folder as it is written, and its environment."""
    arguments = ["--no-loop", "--synchronous", "--slot", slot, "-D", str(folder), "-d", server.bare_address()]
    return server.invocation("pg_receivewal", arguments)
