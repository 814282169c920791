"""Each service is refused what it need not do: by PostgreSQL, by Redis, by NATS."""

import asyncio
from collections.abc import Awaitable, Callable

import nats
import psycopg
import pytest
from nats.aio.client import Client
from psycopg.errors import InsufficientPrivilege
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.retry import Retry

from infra.deployment.identities import REDIS_USERS
from infra.embedded import readiness
from infra.embedded.readiness import NotReadyError
from tests.integration.deployment.servers import HOST, Servers
from tests.integration.deployment.test_migrate import connect

pytestmark = pytest.mark.integration
SERVICES = ("ingest", "predict", "record", "explain", "api")
# Of services of which several may run.
SHARED = (
    "MARKET_DATA.record-quotes",
    "PREDICTIONS.record-predictions",
    "EXPLANATIONS.record-explanations",
    "EXPLANATIONS.explain",
    "DEAD_LETTER.record-dead",
)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM predictions",
        "TRUNCATE quotes",
        "UPDATE model_metadata SET alias = 'champion'",
        "INSERT INTO tickers (ticker, name, source) VALUES ('X', 'X', 'x')",
        "INSERT INTO api_keys (key_id, name, digest, scopes, created_at) VALUES ('x', '', '', '{}', now())",
        "UPDATE api_keys SET revoked_at = NULL",
        "CREATE TABLE mine (one integer)",
        "ALTER TABLE track_record DISABLE TRIGGER ALL",
        "CREATE ROLE friend SUPERUSER",
        "COPY tickers TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SET ROLE riskee_migrate",
    ],
)
def test_no_service_changes_what_is_not_its_own(servers: Servers, service: str, statement: str) -> None:
    with connect(servers, f"riskee_{service}") as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


@pytest.mark.parametrize(
    ("service", "statement"),
    [(name, "SELECT digest FROM api_keys") for name in SERVICES if name != "api"]
    + [(name, "INSERT INTO quarantine VALUES (DEFAULT)") for name in SERVICES if name != "record"]
    + [(name, "DELETE FROM feed_state") for name in SERVICES]
    + [(name, "CREATE TEMPORARY TABLE mine (one integer)") for name in SERVICES if name != "record"]
    + [("record", "UPDATE predictions SET price = 1"), ("exporter", "SELECT ticker FROM public.tickers")],
)
def test_a_service_is_refused_what_another_may(servers: Servers, service: str, statement: str) -> None:
    with connect(servers, f"riskee_{service}") as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement)


def test_the_api_notes_when_its_keys_were_used(servers: Servers) -> None:
    with connect(servers, "riskee_api") as connection:
        connection.execute("UPDATE api_keys SET last_used_at = greatest(last_used_at, now()) WHERE key_id = 'none'")


@pytest.mark.parametrize("role", ["riskee_api", "riskee_migrate", "riskee_dagster", "riskee_record"])
def test_dagsters_own_database_is_closed_to_the_others(servers: Servers, role: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf"):
        connect(servers, role, "dagster")
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf"):
        connect(servers, "dagster", "riskee")


def test_dagster_makes_tables_that_the_owner_has(servers: Servers) -> None:
    with connect(servers, "riskee_dagster") as connection:
        connection.execute("CREATE TABLE made_by_dagster (one integer)")
        owner = connection.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'made_by_dagster'").fetchone()
        connection.execute("DROP TABLE made_by_dagster")
        with pytest.raises(InsufficientPrivilege):
            connection.execute("COPY tickers TO PROGRAM 'true'")
    assert owner == ("riskee_migrate",)


def redis_of(servers: Servers, user: str) -> Redis:
    return Redis(port=servers.redis, username=user, password=servers.secret(f"redis_{user}"))


@pytest.mark.parametrize(
    ("user", "command"),
    [
        (user, command)
        for user in REDIS_USERS
        for command in ("FLUSHALL", "CONFIG SET dir /tmp", "ACL LIST", "KEYS *", "SHUTDOWN", "REPLICAOF NO ONE")
        # Who the master is, is what Sentinels are there to say.
        if (user, command) != ("sentinel", "REPLICAOF NO ONE")
    ],
)
def test_no_user_of_the_cache_is_its_master(servers: Servers, user: str, command: str) -> None:
    with redis_of(servers, user) as client:
        assert client.ping()
        with pytest.raises(NoPermissionError):
            client.execute_command(*command.split())


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("predict", ("HGET", "idempotency:somebody:key", "body")),
        ("predict", ("HSET", "explanation:AAPL:now", "body", "x")),
        ("explain", ("HSET", "pred:AAPL", "body", "x")),
        ("explain", ("HGET", "job:1", "body")),
        ("api", ("HSET", "pred:AAPL", "body", "x")),
        ("api", ("EVAL", "return redis.call('HSET', 'pred:AAPL', 'body', 'x')", "0")),
        ("api", ("HSET", "model:normal:active", "body", "x")),
        ("operator", ("DEL", "pred:AAPL")),
        ("exporter", ("HGET", "pred:AAPL", "body")),
        ("backup", ("HGET", "pred:AAPL", "body")),
        ("health", ("GET", "stats:cache:api")),
        ("replica", ("HGET", "pred:AAPL", "body")),
        ("sentinel", ("HGET", "pred:AAPL", "body")),
        ("sentinel", ("PUBLISH", "others", "x")),
        ("sentinel", ("CONFIG", "GET", "masterauth")),
    ],
)
def test_a_key_of_others_is_refused(servers: Servers, user: str, command: tuple[str, ...]) -> None:
    with redis_of(servers, user) as client, pytest.raises(Exception, match=r"(?i)no permission|can't access|ACL fail"):
        client.execute_command(*command)


def test_nobody_without_a_password_reaches_the_cache(servers: Servers) -> None:
    with Redis(port=servers.redis, retry=Retry(NoBackoff(), 0)) as client, pytest.raises(AuthenticationError):
        client.ping()


async def refused(servers: Servers, user: str, act: Callable[[Client], Awaitable[object]]) -> str:
    """What the server says to what a user does; nothing where it lets it."""
    said: list[str] = []

    async def hear(error: Exception) -> None:
        said.append(str(error))

    url = f"nats://{user}:{servers.secret(f'nats_{user}')}@{HOST}:{servers.nats}"
    client = await nats.connect(url, error_cb=hear, inbox_prefix=f"_INBOX.{user}", allow_reconnect=False)
    try:
        await act(client)
        await client.flush()
        await asyncio.sleep(0.05)
    finally:
        await client.close()
    return " ".join(said)


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("ingest", "event.prediction.updated"),
        ("predict", "data.market.quote"),
        ("predict", "event.model.promoted"),
        ("record", "event.prediction.updated"),
        ("record", "data.market.quote"),
        ("explain", "event.prediction.updated"),
        ("api", "event.prediction.updated"),
        ("api", "data.market.quote"),
        ("api", "event.model.promoted"),
        ("api", "thought.prediction.explained"),
        ("dagster", "data.market.quote"),
        ("operator", "job.predict.normal"),
        ("operator", "$JS.API.CONSUMER.DELETE.MARKET_DATA.predict-quotes-0"),
        ("backup", "event.prediction.updated"),
        *((user, "$JS.API.STREAM.DELETE.PREDICTIONS") for user in (*SERVICES, "dagster", "operator", "backup")),
        *((user, "$JS.API.STREAM.PURGE.PREDICTIONS") for user in (*SERVICES, "dagster", "operator", "backup")),
        *((user, "$JS.API.STREAM.UPDATE.PREDICTIONS") for user in (*SERVICES, "dagster", "operator", "backup")),
    ],
)
async def test_a_subject_of_others_is_refused(servers: Servers, user: str, subject: str) -> None:
    said = await refused(servers, user, lambda client: client.publish(subject, b"{}"))
    assert "permissions violation for publish" in said.lower()


@pytest.mark.parametrize("durable", SHARED)
async def test_a_durable_that_several_are_to_read_can_be_ended_by_the_operator(servers: Servers, durable: str) -> None:
    said = await refused(servers, "operator", lambda client: client.publish(f"$JS.API.CONSUMER.DELETE.{durable}", b""))
    assert said == ""


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("api", "data.market.quote"),
        ("api", "_INBOX.predict.>"),
        ("api", ">"),
        ("ingest", "event.prediction.updated"),
        ("predict", "_INBOX.>"),
        ("record", "job.>"),
        ("dagster", "data.market.>"),
        ("explain", "deliver.record-quotes"),
        ("backup", "data.market.>"),
    ],
)
async def test_what_others_hear_is_refused(servers: Servers, user: str, subject: str) -> None:
    said = await refused(servers, user, lambda client: client.subscribe(subject))
    assert "permissions violation for subscription" in said.lower()


@pytest.mark.parametrize(("user", "password"), [("api", "wrong"), ("", ""), ("nobody", "x")])
def test_nobody_without_a_password_reaches_the_bus(servers: Servers, user: str, password: str) -> None:
    with pytest.raises(NotReadyError, match="Authorization Violation"):
        readiness.nats(servers.nats, servers.nats, user, password)()
