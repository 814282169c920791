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
from riskee.model.aliases import Action, ModelEvent, champion_version, lock, move, read_events
from riskee.model.artifact import FORMAT, Unreadable
from riskee.model.incumbent import incumbent
from riskee.model.registry import Registration, champion, list_models, read_model, register
from riskee.model.training import TrainingResult
from riskee.settings import Settings
from tests.integration.tampering import SPOILT, spoil
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
    """Register a model that was decided on beside the present champion. Answers whether it is new."""
    with engine.begin() as connection:
        made = dataclasses.replace(made, against=champion_version(connection, made.artifact.model_type))
        return register(connection, made, "run-1", NOW + timedelta(minutes=minute)) is Registration.NEW


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


@pytest.mark.parametrize("how", SPOILT)
def test_the_champion_trained_again_mends_its_damaged_row(engine: Engine, how: str) -> None:
    made = result(1, PROMOTED)
    put(engine, made)
    with engine.begin() as connection:
        before = read_model(connection, made.artifact.version)
        spoil(connection, made.artifact, how)
        found = incumbent(connection, "normal")
    assert isinstance(found, Unreadable)
    assert found.version == made.artifact.version
    again = dataclasses.replace(made, against=found.version, reason="the champion is unreadable")
    with engine.begin() as connection:
        assert register(connection, again, "run-2", NOW + timedelta(hours=1)) is Registration.MENDED
    with engine.connect() as connection:
        assert incumbent(connection, "normal") == champion(connection, "normal") == made.artifact
        # Nothing was decided anew.
        assert read_model(connection, made.artifact.version) == before
        assert len(read_events(connection, "normal")) == 1


@pytest.mark.parametrize("change", [{"format": FORMAT + 1}, {"booster": "tree\nof another library"}])
def test_a_champion_of_another_format_gives_way_to_its_successor(engine: Engine, change: dict[str, object]) -> None:
    old = small_result(msgspec.structs.replace(small_artifact(), **change), PROMOTED)
    put(engine, old)
    with engine.connect() as connection:
        found = incumbent(connection, "normal")
    assert isinstance(found, Unreadable)
    put(engine, result(2, PROMOTED))
    with engine.connect() as connection:
        assert champion(connection, "normal") == result(2, PROMOTED).artifact


def test_the_remedy_for_an_unreadable_champion_names_commands_that_there_are(engine: Engine) -> None:
    put(engine, result(1, PROMOTED))
    with engine.begin() as connection:
        spoil(connection, result(1, PROMOTED).artifact, "a flipped bit")
        with pytest.raises(PoisonError) as refused:
            champion(connection, "normal")
    for command in ("riskee models rollback", "riskee models retrain"):
        assert command in refused.value.remedy


@pytest.mark.parametrize("against", [1, None])
def test_a_promotion_over_another_champion_than_the_present_one_is_refused(engine: Engine, against: int | None) -> None:
    """Decided beside the first champion, or before there was one, and registered after another was promoted."""
    put(engine, result(1, PROMOTED))
    put(engine, result(2, PROMOTED), 1)
    beside = result(against, PROMOTED).artifact.version if against else None
    late = dataclasses.replace(result(3, PROMOTED), against=beside)
    with engine.begin() as connection:
        assert register(connection, late, "run-2", NOW + timedelta(hours=1)) is Registration.NEW
    assert aliases(engine) == {1: None, 2: "champion", 3: "challenger"}
    with engine.begin() as connection:
        model = read_model(connection, late.artifact.version)
        assert (model.decision, read_events(connection, "normal")[0].reason) == ("refused", model.reason)
        changed = f"it was {beside or 'none'}, now it is {result(2, PROMOTED).artifact.version}"
        assert model.reason == f"the champion changed since: {changed}; what was decided: because"
        # The same run, killed after this and begun again, changes nothing.
        assert register(connection, late, "run-2", NOW + timedelta(hours=2)) is Registration.KNOWN
    assert aliases(engine)[2] == "champion"


def put_again(engine: Engine, made: TrainingResult) -> Registration:
    """Register what a later training gave, decided on beside the present champion."""
    with engine.begin() as connection:
        again = dataclasses.replace(made, against=champion_version(connection, "normal"), reason="the champion expired")
        return register(connection, again, "run-2", NOW + timedelta(hours=1))


def test_a_refused_model_is_promoted_by_a_later_training(engine: Engine) -> None:
    """As when the champion has expired since: the same data give the same model, and another decision."""
    put(engine, result(1, PROMOTED))
    put(engine, result(2, REFUSED), 1)
    assert put_again(engine, result(2, REFUSED)) is Registration.KNOWN
    made = result(2, PROMOTED)
    assert put_again(engine, made) is Registration.PROMOTED
    assert aliases(engine) == {1: None, 2: "champion"}
    with engine.begin() as connection:
        model = read_model(connection, made.artifact.version)
        latest, *_ = events = read_events(connection, "normal")
    assert (model.decision, model.reason, model.run_id) == ("promoted", "the champion expired", "run-2")
    assert (latest.action, latest.reason) == ("promoted", "the champion expired")
    assert latest.former_champion == result(1, PROMOTED).artifact.version
    # Once promoted, it is not promoted again.
    assert put_again(engine, made) is Registration.KNOWN
    assert len(events) == 3


def test_a_refused_model_is_not_promoted_over_another_champion_than_the_one_beside_it(engine: Engine) -> None:
    put(engine, result(1, PROMOTED))
    put(engine, result(2, REFUSED), 1)
    before = dataclasses.replace(result(2, PROMOTED), against=result(1, PROMOTED).artifact.version)
    put(engine, result(3, PROMOTED), 2)
    with engine.begin() as connection:
        assert register(connection, before, "run-2", NOW + timedelta(hours=1)) is Registration.KNOWN
    assert aliases(engine)[3] == "champion"


def test_what_a_person_decided_of_a_refused_model_stands(engine: Engine) -> None:
    """Promoted by hand and rolled back: no training with the same data overrides that."""
    put(engine, result(1, PROMOTED))
    put(engine, result(2, REFUSED), 1)
    made = result(2, PROMOTED)
    with engine.begin() as connection:
        lock(connection)
        for minute, (number, action) in enumerate(((2, Action.PROMOTED), (1, Action.ROLLED_BACK))):
            version = result(number, PROMOTED).artifact.version
            move(connection, ModelEvent(NOW + timedelta(minutes=10 + minute), "normal", version, action, "by hand"))
    assert put_again(engine, made) is Registration.KNOWN
    assert aliases(engine)[1] == "champion"


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

    monkeypatch.setattr("riskee.cli.runtime.with_database", with_database)
    monkeypatch.setattr("riskee.features.definitions.feature_set_hash", lambda _kind: made.artifact.feature_set)
    assert missing_champions(Settings()) == ["earnings"]
    monkeypatch.setattr("riskee.features.definitions.feature_set_hash", lambda _kind: "another")
    assert missing_champions(Settings()) == ["normal", "earnings"]
