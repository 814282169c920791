"""A database that is filled from its dump: for its owner, wholly or not at all, and with TimescaleDB as that wants it.

No registry has a TimescaleDB for these servers: an extension with its name, a catalogue and its two functions stands
in, and refuses rows of the catalogue from sessions that it was not told of.
"""

import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from riskee.backup.filling import _HEAD, _TIMEOUT, fill
from riskee.backup.postgres import PostgresServer
from riskee.backup.timescale import require_version, version_of
from riskee.errors import FatalError
from riskee.settings import Settings

pytestmark = pytest.mark.integration

CONTROL = "default_version = '2.29.2'\nrelocatable = false\nschema = public\n"
# Real ones set this for their database too, which new sessions read.
SCRIPT = """
CREATE SCHEMA _timescaledb_catalog;
CREATE TABLE _timescaledb_catalog.hypertable (table_name text NOT NULL);
SELECT pg_extension_config_dump('_timescaledb_catalog.hypertable', '');
CREATE TABLE _timescaledb_catalog.told (what text NOT NULL);
CREATE FUNCTION _timescaledb_catalog.require_restoring() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('timescaledb.restoring', true) IS DISTINCT FROM 'on' THEN
        RAISE EXCEPTION 'hypertables are made by create_hypertable()';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER require_restoring BEFORE INSERT ON _timescaledb_catalog.hypertable
FOR EACH ROW EXECUTE FUNCTION _timescaledb_catalog.require_restoring();
CREATE FUNCTION timescaledb_pre_restore() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET timescaledb.restoring = ''on''', current_database());
    INSERT INTO _timescaledb_catalog.told VALUES ('before');
    RETURN true;
END $$;
CREATE FUNCTION timescaledb_post_restore() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER DATABASE %I RESET timescaledb.restoring', current_database());
    INSERT INTO _timescaledb_catalog.told VALUES ('after');
    RETURN true;
END $$;
"""
# One of each kind that belongs to somebody.
CONTENT = """
CREATE SCHEMA models;
CREATE TYPE mood AS ENUM ('calm', 'wild');
CREATE TABLE quotes (id bigserial PRIMARY KEY, made timestamptz NOT NULL, mood mood, note text) PARTITION BY RANGE (id);
CREATE TABLE quotes_1 PARTITION OF quotes FOR VALUES FROM (1) TO (1000000);
CREATE TABLE models.results (id integer GENERATED ALWAYS AS IDENTITY, quote bigint);
CREATE SEQUENCE turns;
CREATE VIEW calm AS SELECT * FROM quotes WHERE mood = 'calm';
CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM quotes;
CREATE FUNCTION twice(one integer) RETURNS integer LANGUAGE sql AS 'SELECT one * 2';
CREATE AGGREGATE all_of(integer) (SFUNC = int4pl, STYPE = integer);
COMMENT ON TABLE quotes IS 'what was seen';
INSERT INTO quotes (made, mood, note) SELECT now(), 'calm', E'SET transaction_timeout = 0;\\nrow ' || n FROM
generate_series(1, 5000) AS n;
"""
# What belongs to whom, but for what an extension has.
OWNED = """
SELECT relname, pg_get_userbyid(relowner) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
WHERE nspname IN ('public', 'models') AND relkind IN ('r', 'p', 'v', 'm', 'S', 'i')
UNION SELECT proname, pg_get_userbyid(proowner) FROM pg_proc WHERE proname IN ('twice', 'all_of')
UNION SELECT typname, pg_get_userbyid(typowner) FROM pg_type WHERE typname IN ('mood', 'quotes')
UNION SELECT nspname, pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'models'
"""


@dataclass(frozen=True)
class Place:
    """Databases of the embedded server, an owner that is no superuser, and where the extension is."""

    settings: Settings
    owner: str
    extensions: Path

    @property
    def server(self) -> PostgresServer:
        return PostgresServer(self.settings)

    @contextmanager
    def connect(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        url = self.settings.database.url.get_secret_value().replace("postgresql+psycopg://", "postgresql://", 1)
        with psycopg.connect(url, dbname=database, autocommit=True) as connection:
            yield connection

    @contextmanager
    def database(self, *, timescale: bool = False) -> Iterator[str]:
        """A new one of the owner's."""
        name = f"filled_{uuid.uuid4().hex[:8]}"
        names = sql.Identifier(name), sql.Identifier(self.owner)
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*names))
            try:
                if timescale:
                    self._extend(name)
                yield name
            finally:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))

    def _extend(self, name: str) -> None:
        with self.connect(name) as connection:
            connection.execute(
                "SELECT set_config('extension_control_path', %s, false)", (f"{self.extensions}:$system",)
            )
            connection.execute("CREATE EXTENSION timescaledb")

    def dump(self, database: str, content: str = CONTENT) -> list[bytes]:
        """What a backup would keep of a database with this content, which is the superuser's."""
        with self.connect(database) as connection:
            connection.execute(content.encode())
        blocks: list[bytes] = []
        self.server.dump(database, blocks.append)
        return blocks

    def said(self, database: str, statement: str) -> list[tuple[object, ...]]:
        with self.connect(database) as connection:
            return connection.execute(statement.encode()).fetchall()


@pytest.fixture(scope="module")
def place(settings: Settings) -> Iterator[Place]:
    owner = f"owner_{uuid.uuid4().hex[:8]}"
    with tempfile.TemporaryDirectory(prefix="riskee-extensions-") as name:
        folder = Path(name) / "extension"
        folder.mkdir()
        (folder / "timescaledb.control").write_text(CONTROL)
        (folder / "timescaledb--2.29.2.sql").write_text(SCRIPT)
        Path(name).chmod(0o755)  # the server is another user's
        place = Place(settings, owner, Path(name))
        role = sql.Identifier(owner)
        with place.connect() as connection:
            connection.execute(sql.SQL("CREATE ROLE {}").format(role))
            yield place
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


def test_all_of_it_belongs_to_the_owner_of_the_database(place: Place) -> None:
    with place.database() as source, place.database() as target:
        fill(place.server, target, place.dump(source))
        assert place.said(target, "SELECT count(*), count(DISTINCT note) FROM quotes") == [(5000, 5000)]
        assert place.said(target, "SELECT obj_description('quotes'::regclass)") == [("what was seen",)]
        owned = place.said(target, OWNED)
        assert {name for name, _ in owned} >= {"quotes", "quotes_1", "results", "turns", "calm", "counted", "twice"}
        assert {owner for _, owner in owned} == {place.owner}


def test_nothing_is_left_of_a_dump_that_does_not_go_in(place: Place) -> None:
    with place.database() as source, place.database() as target:
        blocks = place.dump(source)
        with place.connect(target) as connection:
            connection.execute("CREATE FUNCTION twice(one integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'")
            with pytest.raises(FatalError, match=r"psql failed: .*twice.* already exists"):
                fill(place.server, target, blocks)
            connection.execute("DROP FUNCTION twice(integer)")
        with pytest.raises(FatalError, match="pg_restore failed"):
            fill(place.server, target, [b"no dump"])
        with pytest.raises(FatalError, match="pg_restore failed"):
            fill(place.server, target, [b"".join(blocks)[:-20_000]])
        assert place.server.tables(target) == 0


def test_what_older_servers_are_not_asked_for_is_where_it_is_looked_for(place: Place, tmp_path: Path) -> None:
    with place.database() as source:
        dump = tmp_path / "dump"
        dump.write_bytes(b"".join(place.dump(source)))
    command, environment = place.server.invocation("pg_restore", ["-f", "-", str(dump)])
    script = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert script[:_HEAD].count(_TIMEOUT) == 1


def _broken_off(blocks: list[bytes]) -> Iterator[bytes]:
    yield b"".join(blocks)[:-20_000]
    raise FatalError("the rest is damaged")


def test_what_breaks_the_blocks_off_is_what_is_told(place: Place) -> None:
    with place.database() as source, place.database() as target:
        with pytest.raises(FatalError, match="the rest is damaged"):
            fill(place.server, target, _broken_off(place.dump(source)))
        assert place.server.tables(target) == 0


def test_timescaledb_is_told_before_and_after(place: Place) -> None:
    catalogue = """
    SET timescaledb.restoring = 'on';
    INSERT INTO _timescaledb_catalog.hypertable VALUES ('quotes');
    """
    with place.database(timescale=True) as source, place.database(timescale=True) as target:
        assert version_of(place.server, source) == "2.29.2"
        fill(place.server, target, place.dump(source, CONTENT + catalogue))
        assert place.said(target, "SELECT table_name FROM _timescaledb_catalog.hypertable") == [("quotes",)]
        assert place.said(target, "SELECT what FROM _timescaledb_catalog.told") == [("before",), ("after",)]
        assert place.said(target, "SELECT current_setting('timescaledb.restoring', true)") != [("on",)]
        owners = place.said(target, OWNED)
        assert {owner for _, owner in owners} == {place.owner}
        extension = "SELECT DISTINCT pg_get_userbyid(proowner) FROM pg_proc WHERE proname LIKE 'timescaledb_%'"
        assert place.said(target, extension) == [("postgres",)], "its own things stay its own"


def test_timescaledb_is_told_after_a_restore_that_failed_too(place: Place) -> None:
    with place.database(timescale=True) as target:
        with pytest.raises(FatalError):
            fill(place.server, target, [b"no dump"])
        assert place.said(target, "SELECT what FROM _timescaledb_catalog.told") == [("before",), ("after",)]


def test_a_dump_goes_into_the_version_that_it_is_of(place: Place) -> None:
    with place.database() as plain, place.database(timescale=True) as extended:
        for saved, database in (("", plain), ("2.29.2", extended), (None, plain), (None, extended)):
            require_version(place.server, database, saved)
        with pytest.raises(FatalError, match=r"of plain PostgreSQL.*DROP EXTENSION"):
            require_version(place.server, extended, "")
        with pytest.raises(FatalError, match=r"of TimescaleDB 2\.29\.2, .* has none.*VERSION '2\.29\.2'"):
            require_version(place.server, plain, "2.29.2")
        with pytest.raises(FatalError, match=r"of TimescaleDB 2\.28\.0, .* has 2\.29\.2"):
            require_version(place.server, extended, "2.28.0")


def test_who_is_not_the_owner_says_so(place: Place) -> None:
    """A role that only reads, as that of backups is."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    role = sql.Identifier(name)
    with place.database() as source, place.database() as target, place.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'read' IN ROLE pg_read_all_data").format(role))
        try:
            port = connection.info.port
            url = SecretStr(f"postgresql+psycopg://{name}:read@127.0.0.1:{port}/{target}")
            database = place.settings.database.model_copy(update={"url": url})
            reader = PostgresServer(place.settings.model_copy(update={"database": database}))
            with pytest.raises(FatalError, match=r"psql failed: .*permission denied.*owner"):
                fill(reader, target, place.dump(source))
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(role))
