"""The marts of the live record against the same numbers computed in Python."""

import math
import uuid
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, insert, text

from dbt_like_sql import CheckError, graph, run, run_tests
from riskee.storage.tables import track_record, trading_sessions
from riskee.storage.tickers import TickerInfo, write_tickers

pytestmark = pytest.mark.integration

PARAMETERS = {"market_ticker": "SPX"}
MARTS = ("prediction_outcomes", "accuracy", "calibration", "interval_coverage")
FIRST = date(2020, 1, 1)
SESSIONS = 60
UNKNOWN = "not distinguishable from chance"


def made_record(seed: int = 1, *, skill: float = 0.0, sessions: int = SESSIONS) -> list[dict[str, Any]]:
    """Predictions of three tickers, two of them a session; all share the day's direction and opinion."""
    rng = np.random.default_rng(seed)
    found: list[dict[str, Any]] = []
    for number in range(sessions):
        session, market, view = FIRST + timedelta(number), rng.normal(0, 0.01), rng.normal(0, 0.03)
        for ticker in ("AAPL", "IBM", "MSFT"):
            realised = market + rng.normal(0, 0.01)
            for hour in (15, 16):
                p_up = float(np.clip(0.5 + skill * np.sign(realised) + view + rng.normal(0, 0.01), 0.01, 0.99))
                found.append(
                    {
                        "sequence": len(found) + 1,
                        "prediction_id": uuid.UUID(int=len(found) + 1),
                        "ticker": ticker,
                        "model_type": "earnings" if ticker == "IBM" else "normal",
                        "model_version": "earnings-1" if ticker == "IBM" else f"normal-{1 + number // 40}",
                        "feed": "replay",
                        "data_time": datetime(2020, 1, 1, hour, tzinfo=UTC) + timedelta(number),
                        "session_date": session,
                        "outcome_session": session + timedelta(1),
                        "expected_return": 0.0,
                        "p_up": p_up,
                        "interval_low": -0.015,
                        "interval_high": 0.015,
                        "realised_return": float(realised),
                        "scored_at": datetime(2020, 6, 1, tzinfo=UTC),
                        "previous_sha256": str(len(found)),
                        "sha256": str(len(found) + 1),
                    }
                )
    return found


def stored(engine: Engine, record: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with engine.begin() as connection:
        if record:
            connection.execute(insert(track_record), record)
    run(engine, PARAMETERS, MARTS)
    return record


def read(engine: Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(text(query)))


def hit(row: dict[str, Any]) -> bool:
    return bool((row["p_up"] >= 0.5) == (row["realised_return"] > 0))


def effective(rows: list[dict[str, Any]]) -> float:
    """Independent predictions that would be as certain, from residuals summed by session."""
    rate = float(np.mean([hit(row) for row in rows]))
    residuals: dict[date, float] = defaultdict(float)
    for row in rows:
        residuals[row["outcome_session"]] += hit(row) - rate
    days = len(residuals)
    variance = days / (days - 1) * sum(value**2 for value in residuals.values()) / len(rows) ** 2
    return min(len(rows), rate * (1 - rate) / variance)


def wilson(rate: float, n: float) -> tuple[float, float]:
    z = 1.96
    centre, spread = rate + z * z / (2 * n), z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return (centre - spread) / (1 + z * z / n), (centre + spread) / (1 + z * z / n)


def verdict(engine: Engine) -> str:
    query = "SELECT verdict FROM marts.accuracy WHERE ticker = '*' AND model_type = '*'"
    (row,) = read(engine, query)
    return str(row.verdict)


def test_accuracy_is_that_of_the_rows_and_its_interval_counts_sessions(engine: Engine) -> None:
    record = stored(engine, made_record())
    found = {
        (row.ticker, row.model_type, row.model_version): row for row in read(engine, "SELECT * FROM marts.accuracy")
    }
    assert set(found) == {
        ("*", "*", "*"), ("AAPL", "*", "*"), ("IBM", "*", "*"), ("MSFT", "*", "*"),
        ("*", "normal", "normal-1"), ("*", "normal", "normal-2"), ("*", "earnings", "earnings-1"),
        ("AAPL", "normal", "normal-1"), ("AAPL", "normal", "normal-2"), ("MSFT", "normal", "normal-1"),
        ("MSFT", "normal", "normal-2"), ("IBM", "earnings", "earnings-1"),
    }  # fmt: skip
    for (ticker, _, version), one in found.items():
        rows = [r for r in record if ticker in ("*", r["ticker"]) and version in ("*", r["model_version"])]
        rate, share = np.mean([hit(r) for r in rows]), np.mean([r["realised_return"] > 0 for r in rows])
        assert (one.outcomes, one.sessions) == (len(rows), len({r["outcome_session"] for r in rows}))
        assert one.hit_rate == pytest.approx(rate)
        assert one.chance == pytest.approx(max(share, 1 - share))
        assert one.brier == pytest.approx(np.mean([(r["p_up"] - (r["realised_return"] > 0)) ** 2 for r in rows]))
        n = effective(rows) if one.sessions >= 30 else one.sessions
        assert one.effective_outcomes == pytest.approx(n)
        assert (one.hit_rate_low, one.hit_rate_high) == pytest.approx(wilson(float(rate), n))
        assert one.chance_low == pytest.approx(wilson(one.chance, one.sessions)[0])
        assert one.verdict == UNKNOWN
    # What shares a day is no evidence of its own: the interval is wider than of as many independent predictions.
    assert found["*", "*", "*"].effective_outcomes < len(record) / 2


def test_skill_is_told_from_chance_but_not_after_few_sessions(engine: Engine) -> None:
    stored(engine, made_record(skill=0.05))
    assert verdict(engine) == "better than chance"


def test_a_model_that_is_worse_than_chance_is_called_so(engine: Engine) -> None:
    stored(engine, made_record(skill=-0.05))
    assert verdict(engine) == "worse than chance"


def test_a_rise_that_all_shared_is_no_evidence_against_those_who_missed_it(engine: Engine) -> None:
    """In two sessions all rises: always up was right each time, and was picked afterwards."""
    record = [row | {"realised_return": 0.01, "p_up": 0.4} for row in made_record(sessions=2)]
    stored(engine, record)
    assert verdict(engine) == UNKNOWN


def test_three_lucky_sessions_prove_nothing(engine: Engine) -> None:
    stored(engine, made_record(skill=0.4, sessions=3))
    (one,) = read(engine, "SELECT * FROM marts.accuracy WHERE ticker = '*' AND model_type = '*'")
    assert (one.hit_rate, one.effective_outcomes) == (1, 3)
    assert one.hit_rate_high == pytest.approx(1)
    assert one.verdict == UNKNOWN


def test_an_empty_record_has_no_numbers(engine: Engine) -> None:
    stored(engine, [])
    assert [len(read(engine, f"SELECT * FROM marts.{mart}")) for mart in MARTS] == [0, 0, 0, 0]


def test_calibration_counts_each_prediction_in_its_bin(engine: Engine) -> None:
    record = stored(engine, made_record())
    found = read(engine, "SELECT * FROM marts.calibration WHERE model_version = 'earnings-1' ORDER BY bin")
    rows = [row for row in record if row["ticker"] == "IBM"]
    assert sum(one.outcomes for one in found) == len(rows)
    for one in found:
        inside = [row for row in rows if one.p_low <= row["p_up"] < one.p_high]
        assert one.outcomes == len(inside)
        assert one.mean_p_up == pytest.approx(np.mean([row["p_up"] for row in inside]))
        assert one.share_of_rises == pytest.approx(np.mean([row["realised_return"] > 0 for row in inside]))


def test_coverage_is_the_share_within_the_interval(engine: Engine) -> None:
    record = stored(engine, made_record())
    (one,) = read(engine, "SELECT * FROM marts.interval_coverage WHERE model_version = 'earnings-1'")
    realised = np.array([row["realised_return"] for row in record if row["ticker"] == "IBM"])
    assert one.coverage == pytest.approx(np.mean(np.abs(realised) <= 0.015))
    assert (one.below, one.above) == pytest.approx((np.mean(realised < -0.015), np.mean(realised > 0.015)))
    assert one.mean_width == pytest.approx(0.03)


def test_an_outcome_before_its_prediction_fails_its_test(engine: Engine) -> None:
    wrong = made_record(sessions=1)
    wrong[0]["outcome_session"] = wrong[0]["session_date"]
    with pytest.raises(CheckError, match="outcomes_come_after_predictions in 1 rows"):
        stored(engine, wrong)


def test_age_is_counted_in_sessions_that_have_closed(engine: Engine) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = [today - timedelta(number) for number in range(9, -3, -1)]
    with engine.begin() as connection:
        write_tickers(connection, [TickerInfo("AAPL", "Apple", is_index=False, source="made")])
        connection.execute(
            insert(trading_sessions),
            [{"session_date": day.date(), "opens_at": day, "closes_at": day + timedelta(seconds=1)} for day in days],
        )
        connection.execute(
            text("INSERT INTO features_daily (ticker, session_date) VALUES ('AAPL', :day)"), {"day": days[5].date()}
        )
    run(engine, PARAMETERS, ("prediction_outcomes", "freshness"))
    found = {row.relation: (row.newest_session, row.age) for row in read(engine, "SELECT * FROM marts.freshness")}
    # Of twelve sessions two are to come, and today's closed a second after midnight.
    assert found["features_daily"] == (days[5].date(), 4)
    assert found["market_data"] == found["track_record"] == (None, None)


def test_tests_run_on_the_rows_as_they_are(engine: Engine) -> None:
    stored(engine, made_record())
    found = run_tests(engine, PARAMETERS, MARTS, models=graph())
    assert {one.test for one in found} >= {"accuracy_counts_every_outcome", "calibration_counts_every_outcome"}
    assert [one for one in found if one.wrong] == []
