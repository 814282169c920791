"""`riskee models` against a real registry and bus: what it tells, what it moves, what it refuses."""

import asyncio
import json
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec
import nats
import pytest
from sqlalchemy import Engine, select
from typer.testing import CliRunner, Result

from riskee.cli import console, models
from riskee.cli.app import app
from riskee.errors import NotFoundError, PoisonError
from riskee.messaging.subjects import MODEL_PROMOTED
from riskee.model.aliases import Action, champion_version, read_events
from riskee.model.artifact import ModelArtifact
from riskee.model.registry import register
from riskee.settings import Settings
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import model_metadata
from riskee.storage.tickers import TickerInfo, write_tickers
from riskee.storage.track_record import Head, append
from tests.integration.live_data import made_sessions
from tests.integration.tampering import SPOILT, spoil
from tests.integration.test_track_record_command import row
from tests.unit.model.small import small_artifact, small_result

pytestmark = pytest.mark.integration
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
Run = Callable[..., Result]


@pytest.fixture
def artifacts(engine: Engine) -> list[ModelArtifact]:
    """Three models in the registry: the first was promoted, then the second; the third was refused."""
    made = [msgspec.structs.replace(small_artifact(), trained_through=date(2013, 1, day)) for day in (1, 2, 3)]
    with engine.begin() as connection:
        for number, artifact in enumerate(made):
            decision: Literal["promoted", "refused"] = "refused" if number == 2 else "promoted"
            result = small_result(artifact, decision, champion_version(connection, "normal"))
            register(connection, result, "run-1", NOW + timedelta(minutes=number))
    return made


@pytest.fixture
def run(database_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `riskee models …`; raises the product's errors."""
    monkeypatch.setattr(models, "read_settings", lambda: database_settings)

    def invoke(*words: str) -> Result:
        result = CliRunner().invoke(app, ["models", *words])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def predicting(engine: Engine) -> str | None:
    with engine.connect() as connection:
        return champion_version(connection, "normal")


def test_the_list_tells_what_predicts(run: Run, artifacts: list[ModelArtifact]) -> None:
    shown = run("list").stdout
    assert [line.split()[0] for line in shown.splitlines() if "normal-" in line] == [
        artifact.version for artifact in reversed(artifacts)
    ]
    listed = {each["model_version"]: each for each in json.loads(run("list", "--json").stdout)}
    assert [listed[artifact.version]["alias"] for artifact in artifacts] == [None, "champion", "challenger"]


def test_a_terminal_of_80_columns_shows_a_model_in_a_line(
    run: Run, artifacts: list[ModelArtifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_FILE_WIDTH", 80)
    lines = run("list").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    for artifact in artifacts:
        (line,) = (line for line in lines if artifact.version in line)
        assert line.split()[-1] in {"h", "d"}, "the age is the last cell"


def test_the_whole_lineage_is_shown(run: Run, artifacts: list[ModelArtifact], database_settings: Settings) -> None:
    version = artifacts[1].version
    shown = json.loads(run("show", version, "--json").stdout)
    model = shown["model"]
    assert (model["data_sha256"], model["trials"], model["parameters"]) == ("0" * 64, 1, {"seed": 7})
    assert (model["artifact_sha256"], model["run_id"]) == (artifacts[1].sha256, "run-1")
    assert [(each["action"], each["former_champion"]) for each in shown["events"]] == [
        ("promoted", artifacts[0].version)
    ]
    assert shown["report"] is None
    report = database_settings.home / "reports" / f"{version}.html"
    report.parent.mkdir(exist_ok=True)
    report.touch()
    try:
        told = run("show", version).stdout
    finally:
        report.unlink()
    assert all(part in told for part in (report.name, artifacts[1].sha256, "seed=7", "zero", "because"))


def test_a_promotion_is_written_down_and_announced(
    run: Run, artifacts: list[ModelArtifact], engine: Engine, settings: Settings
) -> None:
    told = json.loads(run("promote", artifacts[2].version, "--reason", "it is calmer", "--json").stdout)
    assert predicting(engine) == artifacts[2].version
    with engine.connect() as connection:
        latest = read_events(connection, "normal")[0]
        rows = connection.execute(select(model_metadata.c.model_version, model_metadata.c.alias))
        kept = {row.model_version: row.alias for row in rows}
    assert (latest.action, latest.reason, latest.former_champion) == (
        Action.PROMOTED, "it is calmer", artifacts[1].version
    )  # fmt: skip
    assert kept == {artifacts[0].version: None, artifacts[1].version: None, artifacts[2].version: "champion"}
    assert told["bus"] == "1 published on event.model.promoted"
    assert asyncio.run(_announced(settings)) == artifacts[2].version


async def _announced(settings: Settings) -> str:
    client = await nats.connect(settings.nats.url.get_secret_value())
    try:
        message = await client.jetstream().get_last_msg("PREDICTIONS", MODEL_PROMOTED.name)
    finally:
        await client.close()
    return MODEL_PROMOTED.codec.decode(message.data or b"").payload.model_version


def test_going_back_and_forth_is_announced_each_time(
    run: Run, artifacts: list[ModelArtifact], engine: Engine, settings: Settings
) -> None:
    """The bus drops what it has seen: a model that returns must not look like a repetition."""
    for version in (artifacts[0].version, artifacts[1].version, artifacts[0].version):
        run("promote", version, "--reason", "back and forth")
        assert asyncio.run(_announced(settings)) == version


def test_a_bus_that_is_away_is_told_and_does_not_stop_the_promotion(
    run: Run,
    artifacts: list[ModelArtifact],
    engine: Engine,
    database_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nats_settings = database_settings.nats.model_copy(
        update={"url": database_settings.nats.url.__class__("nats://127.0.0.1:9")}
    )
    away = database_settings.model_copy(update={"nats": nats_settings})
    monkeypatch.setattr(models, "read_settings", lambda: away)
    told = run("promote", artifacts[2].version, "--reason", "it is calmer").stdout
    assert "not published: the message bus does not answer" in told
    assert "by itself" in told
    assert predicting(engine) == artifacts[2].version


def test_rolling_back_goes_to_the_former_champion_and_no_further_than_there_is_one(
    run: Run, artifacts: list[ModelArtifact], engine: Engine
) -> None:
    run("promote", artifacts[2].version, "--reason", "it is calmer")
    for wanted in (artifacts[1].version, artifacts[0].version):
        run("rollback", "normal")
        assert predicting(engine) == wanted
    with pytest.raises(NotFoundError, match="no champion of type normal before"):
        run("rollback", "normal")
    with pytest.raises(NotFoundError, match="no model type fast"):
        run("rollback", "fast")
    with engine.connect() as connection:
        actions = [event.action.value for event in read_events(connection, "normal")]
    assert actions == ["rolled_back", "rolled_back", "promoted", "refused", "promoted", "promoted"]


def test_no_promotion_without_a_reason(run: Run, artifacts: list[ModelArtifact], engine: Engine) -> None:
    with pytest.raises(PoisonError, match="without a reason"):
        run("promote", artifacts[2].version, "--reason", " ")
    missing = run("promote", artifacts[2].version)
    assert missing.exit_code == 2
    assert "--reason" in missing.output
    assert predicting(engine) == artifacts[1].version
    assert "A reason is required" in run("promote", "--help").stdout


def test_a_promotion_repeats_why_the_training_refused(run: Run, artifacts: list[ModelArtifact]) -> None:
    assert "it was refused: because" in run("promote", artifacts[2].version, "--reason", "it is calmer").stdout
    back = json.loads(run("promote", artifacts[0].version, "--reason", "no", "--json").stdout)
    assert back["refused_because"] is None


def test_without_a_champion_there_is_nothing_to_roll_back(run: Run) -> None:
    with pytest.raises(NotFoundError) as refused:
        run("rollback", "normal")
    assert str(refused.value) == "there is no champion of type normal — train one: `riskee models retrain`"


def test_the_champion_is_not_promoted_again_and_a_stranger_not_at_all(run: Run, artifacts: list[ModelArtifact]) -> None:
    with pytest.raises(PoisonError, match="champion already"):
        run("promote", artifacts[1].version, "--reason", "again")
    with pytest.raises(NotFoundError, match="no model normal-x"):
        run("promote", "normal-x", "--reason", "again")


@pytest.mark.parametrize("how", SPOILT)
@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "forced"])
def test_a_spoilt_model_is_never_promoted(
    run: Run, artifacts: list[ModelArtifact], engine: Engine, how: str, force: tuple[str, ...]
) -> None:
    with engine.begin() as connection:
        spoil(connection, artifacts[2], how)
    with pytest.raises(PoisonError) as refused:
        run("promote", artifacts[2].version, "--reason", "it is calmer", *force)
    assert refused.value.remedy
    with pytest.raises(PoisonError):
        run("show", artifacts[2].version)
    assert predicting(engine) == artifacts[1].version


def test_a_model_of_other_features_is_refused_also_by_force(run: Run, engine: Engine) -> None:
    strange = msgspec.structs.replace(small_artifact(), feature_set="0123456789ab")
    with engine.begin() as connection:
        register(connection, small_result(strange, "refused"), None, NOW)
    for force in ((), ("--force",)):
        with pytest.raises(PoisonError, match="other feature definitions"):
            run("promote", strange.version, "--reason", "it is calmer", *force)
    assert predicting(engine) is None


def test_an_expired_model_is_promoted_by_force_only(run: Run, engine: Engine, artifacts: list[ModelArtifact]) -> None:
    old = msgspec.structs.replace(small_artifact(), valid_until=date(2012, 1, 3))
    with engine.begin() as connection:
        register(connection, small_result(old, "refused"), None, NOW)
        write_sessions(connection, made_sessions(5))
        write_tickers(connection, [TickerInfo("IBM", "IBM", is_index=False, source="made")])
        connection.exec_driver_sql(
            "INSERT INTO market_data (ticker, resolution, timestamp, open, high, low, close, volume, adjustment_factor,"
            " dividend, split, source, known_at) VALUES ('IBM', '1d', '2012-01-04', 1, 1, 1, 1, 1, 1, 0, 1, 'made',"
            " '2012-01-04')"
        )
    with pytest.raises(PoisonError, match="expired on 2012-01-03, and the data reach to 2012-01-04"):
        run("promote", old.version, "--reason", "it is calmer")
    run("promote", old.version, "--reason", "it is calmer", "--force")
    assert predicting(engine) == old.version


def test_models_are_compared_on_what_both_predicted(run: Run, artifacts: list[ModelArtifact], engine: Engine) -> None:
    first, second, third = (artifact.version for artifact in artifacts)
    rows = [
        row(number, ticker, hit, model)
        for number in range(40)
        for ticker in ("AAPL", "IBM")
        # The second is wrong in every fourth session; the third predicted other sessions.
        for model, hit in ((first, True), (second, number % 4 > 0), (third, True))
        if (model == third) == (number >= 30)
    ]
    with engine.begin() as connection:
        append(connection, rows, Head())
    live = json.loads(run("compare", first, second, "--json").stdout)["live"]
    assert (live["rows"], live["sessions"]) == (60, 30)
    losses = 8 / 30 * (math.log(0.6) - math.log(0.4))
    assert live["gain"]["value"] == pytest.approx(losses, abs=1e-6)
    assert live["gain"]["low"] > 0
    assert f"{first} is better" in run("compare", first, second).stdout
    assert f"{first} is better" in run("compare", second, first).stdout
    assert "not distinguishable" in run("compare", first, first).stdout
    assert "0 predictions of both are scored, in 0 sessions: too few" in run("compare", first, third).stdout
    with pytest.raises(NotFoundError):
        run("compare", first, "normal-x")
