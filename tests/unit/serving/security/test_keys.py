"""API keys: how they are made, and how the API's copy of them is kept."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from riskee.access.api_keys import digest_of, make_key, matches, parse_key
from riskee.access.grants import ALL_GRANTS, Grant, known_grants, parse_grants
from riskee.cli.keys import life_of
from riskee.clock import FixedClock
from riskee.errors import PoisonError, RetryableError
from riskee.storage.api_keys import StoredKey
from serving.api.security.keyring import Keyring
from tests.unit.seconds import Clock as Seconds

NOW = datetime(2026, 11, 22, tzinfo=UTC)
GRANTS = frozenset({Grant.STREAM_READ})


def test_a_key_is_its_id_and_a_secret_that_is_not_kept() -> None:
    made = make_key("pepper")
    key = parse_key(made.token)
    assert key is not None
    assert key.key_id == made.key_id
    assert len(key.secret) == 43
    assert key.secret.encode() not in made.digest
    assert matches(key, made.digest, "pepper")
    assert not matches(key, made.digest, "salt")
    assert not matches(key._replace(secret=key.secret[:-1] + "~"), made.digest, "pepper")
    assert digest_of(key._replace(key_id="0" * 12), "pepper") != made.digest
    assert make_key("pepper").token != made.token


@pytest.mark.parametrize("token", ["", "rk", "rk_", "rk_a", "rk_a_", "rk__a", "sk_a_b", "a.b.c", "rk_a_" + "b" * 200])
def test_what_is_no_key(token: str) -> None:
    assert parse_key(token) is None


def test_scopes_are_named() -> None:
    assert parse_grants("all") == ALL_GRANTS
    assert parse_grants("stream:read, metrics:read") == {Grant.STREAM_READ, Grant.METRICS_READ}
    assert known_grants(["stream:read", "of:another:service"]) == GRANTS
    for wrong in ("", "stream", "stream:read,all"):
        with pytest.raises(PoisonError, match="no scope"):
            parse_grants(wrong)


@pytest.mark.parametrize(("text", "life"), [("12h", timedelta(hours=12)), ("2w", timedelta(14)), ("never", None)])
def test_times_to_live(text: str, life: timedelta | None) -> None:
    assert life_of(text) == life


@pytest.mark.parametrize("text", ["", "0d", "-1d", "90", "d", "9999999d", "1y"])
def test_what_is_no_time_to_live(text: str) -> None:
    with pytest.raises(PoisonError, match="no time to live"):
        life_of(text)


class Table:
    """Keys as the database has them, or not while it is away."""

    def __init__(self) -> None:
        self.made = make_key("")
        self.keys = [StoredKey(self.made.key_id, "", self.made.digest, GRANTS, NOW)]
        self.away = False
        self.reads = 0

    async def __call__(self) -> list[StoredKey]:
        self.reads += 1
        if self.away:
            raise RetryableError("away")
        return self.keys


@pytest.fixture
def table() -> Table:
    return Table()


def ring(table: Table, seconds: Seconds, ended: list[str] | None = None) -> Keyring:
    tell = [] if ended is None else ended
    return Keyring(FixedClock(NOW), "", table, on_ended=tell.append, monotonic=seconds)


async def _id(keyring: Keyring, token: str) -> str | None:
    key = parse_key(token)
    assert key is not None
    caller = await keyring.caller(key)
    return None if caller is None else caller.id


async def test_a_key_is_read_when_it_is_first_seen_then_not_again(table: Table) -> None:
    keyring = ring(table, Seconds())
    for _ in range(3):
        assert await _id(keyring, table.made.token) == table.made.key_id
    assert table.reads == 1


async def test_wrong_keys_are_no_queries(table: Table) -> None:
    keyring = ring(table, Seconds())
    for _ in range(100):
        assert await _id(keyring, make_key("").token) is None
    assert table.reads == 1


async def test_a_key_of_the_pepper_before_is_good_where_that_is_given(table: Table) -> None:
    made = make_key("first")
    table.keys = [replace(table.keys[0], key_id=made.key_id, digest=made.digest)]
    for former, found in (("first", made.key_id), ("other", None), (None, None)):
        keyring = Keyring(FixedClock(NOW), "second", table, former_pepper=former)
        assert await _id(keyring, made.token) == found


async def test_a_revoked_key_is_refused_with_the_next_look_and_its_streams_end(table: Table) -> None:
    ended: list[str] = []
    keyring = ring(table, Seconds(), ended)
    await keyring.refresh()
    table.keys = [replace(table.keys[0], revoked_at=NOW)]
    await keyring.refresh()
    assert await _id(keyring, table.made.token) is None
    assert ended == [table.made.key_id]


async def test_the_streams_of_a_key_that_was_deleted_end(table: Table) -> None:
    ended: list[str] = []
    keyring = ring(table, Seconds(), ended)
    await keyring.refresh()
    table.keys = []
    await keyring.refresh()
    assert ended == [table.made.key_id]


async def test_a_read_that_began_earlier_brings_back_no_revoked_key(table: Table) -> None:
    seconds, begun, go_on, reads = Seconds(), asyncio.Event(), asyncio.Event(), 0
    before, revoked = table.keys, [replace(table.keys[0], revoked_at=NOW)]

    async def read() -> list[StoredKey]:
        nonlocal reads
        reads += 1
        if reads > 1:
            return revoked
        begun.set()
        await go_on.wait()
        return before

    keyring = Keyring(FixedClock(NOW), "", read, monotonic=seconds)
    async with asyncio.TaskGroup() as group:
        group.create_task(keyring.refresh())
        await begun.wait()
        group.create_task(keyring.refresh())
        await asyncio.sleep(0)
        go_on.set()
    assert await _id(keyring, table.made.token) is None


async def test_who_guesses_waits_for_no_look_that_hangs(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = ring(table, Seconds())
    await keyring.refresh()

    async def hang() -> list[StoredKey]:
        await asyncio.Event().wait()
        return []

    keyring.read = hang
    looking = asyncio.create_task(keyring.refresh())
    await asyncio.sleep(0)
    monkeypatch.setattr("serving.api.security.keyring._LOOK_AGAIN_SECONDS", 0.02)
    async with asyncio.timeout(60):
        assert await _id(keyring, make_key("").token) is None
        assert await _id(keyring, table.made.token) == table.made.key_id
    looking.cancel()


async def test_a_key_that_expires_is_refused_without_a_look(table: Table) -> None:
    table.keys = [replace(table.keys[0], expires_at=NOW)]
    assert await _id(ring(table, Seconds()), table.made.token) is None
    table.keys = [replace(table.keys[0], expires_at=NOW + timedelta(seconds=1))]
    assert await _id(ring(table, Seconds()), table.made.token) == table.made.key_id


async def test_while_the_database_is_away_the_keys_are_trusted_for_a_while(table: Table) -> None:
    seconds = Seconds()
    keyring = ring(table, seconds)
    await keyring.refresh()
    table.away = True
    seconds.now += 600
    assert await _id(keyring, table.made.token) == table.made.key_id
    seconds.now += 600
    with pytest.raises(RetryableError, match="keys cannot be read"):
        await _id(keyring, table.made.token)


async def test_when_a_key_was_used_is_written_once_a_minute_and_not_lost(table: Table) -> None:
    written: list[dict[str, datetime]] = []
    away = False

    async def note(used: Mapping[str, datetime]) -> None:
        if away:
            raise RetryableError("away")
        written.append({**used})

    seconds = Seconds()
    keyring = ring(table, seconds)
    keyring.note = note
    await keyring.note_used()
    assert written == []
    for _ in range(3):
        await _id(keyring, table.made.token)
        await _id(keyring, make_key("").token)
        await keyring.note_used()
    assert written == [{table.made.key_id: NOW}], "used again, but within a minute"
    seconds.now += 61
    away = True
    with pytest.raises(RetryableError):
        await keyring.note_used()
    away = False
    await keyring.note_used()
    await keyring.note_used()
    assert written == [{table.made.key_id: NOW}] * 2


async def test_keys_that_were_never_read_are_not_wrong_but_unknown(table: Table) -> None:
    table.away = True
    with pytest.raises(RetryableError):
        await _id(ring(table, Seconds()), table.made.token)
