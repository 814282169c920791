"""The chain of the track record: what is refused, and what is found."""

import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import ProgrammingError

from riskee.storage import track_record as record
from riskee.storage.track_record import Head, append, head, verify

pytestmark = pytest.mark.integration
DAY = datetime(2012, 9, 3, 20, tzinfo=UTC)


def values(number: int) -> tuple[object, ...]:
    moment = DAY + timedelta(days=number)
    session = date(2012, 9, 3) + timedelta(days=number)
    return (
        uuid.UUID(int=number), "AAPL", "normal", "m1", "replay/1", moment, session, session + timedelta(days=1),
        0.001 * number, 0.5 + 0.01 * number, -0.02, 0.03, -1 / 3, DAY,
    )  # fmt: skip


@pytest.fixture
def written(engine: Engine) -> Head:
    with engine.begin() as connection:
        first = append(connection, map(values, range(3)), Head())
        assert head(connection) == first
        return append(connection, map(values, range(3, 10)), first)


def test_an_untouched_chain_is_whole(engine: Engine, written: Head, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "BATCH", 4)
    with engine.begin() as connection:
        found = verify(connection)
    assert (found.head, found.broken, written.rows) == (written, None, 10)


@pytest.mark.parametrize(
    "change", ["UPDATE track_record SET p_up = 0.9", "DELETE FROM track_record", "TRUNCATE track_record"]
)
def test_the_database_refuses_every_change(engine: Engine, written: Head, change: str) -> None:
    with pytest.raises(ProgrammingError, match="append-only"), engine.begin() as connection:
        connection.execute(text(change))


def past_the_trigger(connection: Connection, statement: str) -> None:
    """What the owner of the database can do nevertheless."""
    connection.execute(text("ALTER TABLE track_record DISABLE TRIGGER track_record_append_only"))
    connection.execute(text(statement))
    connection.execute(text("ALTER TABLE track_record ENABLE TRIGGER track_record_append_only"))


_LATER = "UPDATE track_record SET sequence = sequence {} 100 WHERE sequence {} 5"


@pytest.mark.parametrize(
    ("statements", "broken", "reason"),
    [
        (["UPDATE track_record SET p_up = p_up + 1e-15 WHERE sequence = 7"], 7, "not those of its digest"),
        (["UPDATE track_record SET realised_return = -realised_return WHERE sequence = 1"], 1, "not those"),
        (["UPDATE track_record SET scored_at = scored_at + interval '1 microsecond' WHERE sequence = 10"], 10, "not"),
        (["UPDATE track_record SET sha256 = reverse(sha256) WHERE sequence = 4"], 4, "not those of its digest"),
        (["UPDATE track_record SET previous_sha256 = reverse(sha256) WHERE sequence = 4"], 4, "does not continue"),
        (["DELETE FROM track_record WHERE sequence = 3"], 3, "missing; the next one there is 4"),
        (["DELETE FROM track_record WHERE sequence = 1"], 1, "missing"),
        (
            ["DELETE FROM track_record WHERE sequence = 5", _LATER.format("+", ">"),
             "UPDATE track_record SET sequence = sequence - 101 WHERE sequence > 100"],
            5,
            "does not continue",
        ),
    ],
)  # fmt: skip
def test_the_first_broken_row_is_named(
    engine: Engine, written: Head, statements: list[str], broken: int, reason: str
) -> None:
    with engine.begin() as connection:
        for statement in statements:
            past_the_trigger(connection, statement)
        found = verify(connection)
    assert found.broken == broken
    assert reason in found.reason
    assert found.head.rows == broken - 1


def test_a_row_that_was_sealed_anew_breaks_the_one_after_it(engine: Engine, written: Head) -> None:
    """A forger who knows the rule must write everything after it anew, and the head that others noted tells."""
    mine = list(values(5))
    mine[9] = 0.99
    with engine.begin() as connection:
        previous = connection.scalar(text("SELECT previous_sha256 FROM track_record WHERE sequence = 6"))
        sealed = record.digest(6, mine, str(previous))
        past_the_trigger(connection, f"UPDATE track_record SET p_up = 0.99, sha256 = '{sealed}' WHERE sequence = 6")
        assert verify(connection).broken == 7
