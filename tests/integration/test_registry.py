"""The registry on a real PostgreSQL."""

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec
import pytest
from sqlalchemy import Connection, Engine, text

from riskee.cli.pipeline import missing_champions
from riskee.errors import PoisonError
from riskee.model.registry import champion, list_models, register
from riskee.model.training import TrainingResult
from riskee.settings import Settings
from tests.unit.model.small import small_artifact, small_result

pytestmark = pytest.mark.integration

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROMOTED: Literal["promoted"] = "promoted"
REFUSED: Literal["refused"] = "refused"


def result(day: int, decision: Literal["promoted", "refused"]) -> TrainingResult:
    """A model trained through a day of January 2013."""
    artifact = msgspec.structs.replace(small_artifact(), trained_through=date(2013, 1, day))
    return small_result(artifact, decision)


def put(engine: Engine, made: TrainingResult, minute: int = 0) -> bool:
    with engine.begin() as connection:
        return register(connection, made, "run-1", NOW + timedelta(minutes=minute))


def aliases(engine: Engine) -> dict[int, str | None]:
    with engine.connect() as connection:
        return {model.trained_through.day: model.alias for model in list_models(connection)}


def test_before_the_first_training_there_is_no_champion(engine: Engine) -> None:
    with engine.connect() as connection:
        assert champion(connection, "normal") is None
        assert list_models(connection) == []


def test_a_promoted_model_is_the_champion_and_comes_back_whole(engine: Engine) -> None:
    made = result(1, PROMOTED)
    assert put(engine, made)
    with engine.connect() as connection:
        found = champion(connection, "normal")
        assert champion(connection, "earnings") is None
        (listed,) = list_models(connection)
    assert found == made.artifact
    assert listed.model_version == made.artifact.version
    assert (listed.metrics, listed.baselines) == (made.metrics, made.baselines)
    assert (listed.decision, listed.reason, listed.run_id) == ("promoted", "because", "run-1")
    assert listed.created_at == NOW


def test_aliases_move(engine: Engine) -> None:
    put(engine, result(1, PROMOTED))
    put(engine, result(2, REFUSED))
    assert aliases(engine) == {1: "champion", 2: "challenger"}
    put(engine, result(3, REFUSED))
    assert aliases(engine) == {1: "champion", 2: None, 3: "challenger"}
    put(engine, result(4, PROMOTED))
    assert aliases(engine) == {1: None, 2: None, 3: None, 4: "champion"}


def test_the_same_model_is_registered_once(engine: Engine) -> None:
    assert put(engine, result(1, PROMOTED))
    assert put(engine, result(2, PROMOTED), 1)
    assert not put(engine, result(1, PROMOTED), 2)
    assert aliases(engine) == {1: None, 2: "champion"}


def test_models_are_listed_newest_first(engine: Engine) -> None:
    for minute, day in enumerate((3, 1, 2)):
        put(engine, result(day, REFUSED), minute)
    with engine.connect() as connection:
        assert [model.trained_through.day for model in list_models(connection)] == [2, 1, 3]
        assert [model.trained_through.day for model in list_models(connection, 1)] == [2]


def test_parallel_registrations_leave_one_champion(engine: Engine) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda day: put(engine, result(day, PROMOTED)), range(1, 9)))
    assert list(aliases(engine).values()).count("champion") == 1


def test_an_altered_artifact_is_refused(engine: Engine) -> None:
    put(engine, result(1, PROMOTED))
    with engine.begin() as connection:
        connection.execute(text("UPDATE model_metadata SET artifact = set_byte(artifact, 5000, 33)"))
    with engine.connect() as connection, pytest.raises(PoisonError, match="digest"):
        champion(connection, "normal")


def test_a_failed_registration_leaves_the_old_champion(engine: Engine) -> None:
    put(engine, result(1, PROMOTED))
    spoilt = dataclasses.replace(result(2, PROMOTED), metrics={"ic": float("nan")})
    with pytest.raises(Exception, match="NaN"):
        put(engine, spoilt)
    assert aliases(engine) == {1: "champion"}


def test_a_champion_of_other_features_is_missing_for_the_command_line(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = result(1, "promoted")
    put(engine, made)

    def with_database(_settings: object, ask: Callable[[Connection], object]) -> object:
        with engine.connect() as connection:
            return ask(connection)

    monkeypatch.setattr("riskee.cli.replay.with_database", with_database)
    monkeypatch.setattr("riskee.features.definitions.feature_set_hash", lambda _kind: made.artifact.feature_set)
    assert missing_champions(Settings()) == ["earnings"]
    monkeypatch.setattr("riskee.features.definitions.feature_set_hash", lambda _kind: "another")
    assert missing_champions(Settings()) == ["normal", "earnings"]
