"""From quotes to predictions, without any server."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
import pytest

from riskee.features.earnings import EarningsFeatures
from riskee.features.kernel import FeatureState
from riskee.market.bars import BarMatrix
from riskee.market.sessions import Session
from riskee.messaging.messages import MODEL_TYPES, Flag, Prediction, Quote
from riskee.messaging.statuses import Status
from riskee.model.predictor import Predictor
from serving.consumers.announced import Announced
from serving.consumers.forecasting import FULL_WINDOW, Failure, Forecast, Forecaster
from tests.integration.live_data import MARKET, TICKERS, made_bars, made_model, made_sessions
from tests.unit.features.reference import made_reports
from tests.unit.messaging import samples

NAMES = (*TICKERS, MARKET)
SESSIONS = made_sessions(320)
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def matrix(count: int) -> BarMatrix:
    """The first `count` sessions of all tickers."""
    bars = [made_bars(name, SESSIONS, seed)[:count] for seed, name in enumerate(NAMES)]
    columns = {
        name: np.array([[getattr(bar, name) for bar in row] for row in bars])
        for name in ("open", "high", "low", "close", "volume", "factor")
    }
    days = np.array([[bar.session for bar in row] for row in bars], dtype="datetime64[D]")
    return BarMatrix(NAMES, days, **columns)


def forecaster(count: int = 310, valid_until: date = date(2014, 1, 1)) -> Forecaster:
    state = FeatureState(matrix(count), MARKET)
    days = np.array([session.session_date for session in SESSIONS], dtype="datetime64[D]")
    reports = {"AAPL": made_reports(days[[311]])}
    return Forecaster(
        state=state,
        earnings=EarningsFeatures(reports, days, state),
        sessions=days,
        unreported=frozenset(NAMES) - {"AAPL"},
        market_ticker=MARKET,
        predictors={kind: Predictor(made_model(kind, valid_until=valid_until)) for kind in MODEL_TYPES},
    )


def quote(ticker: str, place: int = 310) -> Quote:
    bar = made_bars(ticker, SESSIONS, NAMES.index(ticker))[place]
    return msgspec.structs.replace(
        samples.QUOTE,
        ticker=ticker,
        session_date=bar.session,
        price=bar.close,
        open=bar.open,
        high=bar.high,
        low=bar.low,
        volume=bar.volume,
        adjustment_factor=1.0,
    )


def results(subject: Forecaster, *quotes: Quote) -> dict[str, Forecast | Failure]:
    subject.take(quotes)
    return {result.quote.ticker: result for result in subject.forecast(quotes, NOW)}


def prediction(result: Forecast | Failure) -> Prediction:
    assert isinstance(result, Forecast)
    return result.prediction


def test_a_wave_gives_a_prediction_for_all_but_the_market() -> None:
    found = results(forecaster(), *map(quote, NAMES))
    assert set(found) == set(TICKERS)
    assert {ticker: prediction(result).model_type for ticker, result in found.items()} == {
        "AAPL": "earnings",
        "IBM": "normal",
        "MSFT": "normal",
    }


def test_the_market_alone_gives_none() -> None:
    assert results(forecaster(), quote(MARKET)) == {}


def test_flags_say_what_is_against_a_prediction() -> None:
    flags = set(prediction(results(forecaster(), *map(quote, NAMES))["IBM"]).flags)
    assert flags == {Flag.REPLAY, Flag.EARNINGS_UNKNOWN, Flag.SESSION_CLOSED}
    running = msgspec.structs.replace(quote("IBM"), final=False, feed="live")
    flags = set(prediction(results(forecaster(valid_until=date(2012, 1, 1)), running)["IBM"]).flags)
    assert flags == {Flag.PROVISIONAL_BAR, Flag.MARKET_MISSING, Flag.EARNINGS_UNKNOWN, Flag.MODEL_EXPIRED}


def test_a_halted_ticker_is_flagged_and_the_others_are_not() -> None:
    subject = forecaster()
    subject.announced.halted = frozenset({"IBM"})
    found = results(subject, *map(quote, NAMES))
    assert {ticker for ticker in TICKERS if Flag.HALTED in prediction(found[ticker]).flags} == {"IBM"}


def test_what_comes_at_or_after_the_close_is_flagged() -> None:
    subject, running = forecaster(), msgspec.structs.replace(quote("IBM"), final=False)
    at_close, day = running.data_time, running.session_date
    for calendar, closed_at, closed in (
        ({}, None, False),
        ({day: Session(day, at_close - timedelta(hours=3), at_close)}, None, True),
        ({day: Session(day, at_close - timedelta(hours=3), at_close + timedelta(seconds=1))}, None, False),
        ({}, at_close, True),
        ({}, at_close + timedelta(seconds=1), False),
    ):
        subject.announced = Announced(closed_at=closed_at, closed_on=day, calendar=calendar)
        assert (Flag.SESSION_CLOSED in prediction(results(subject, running)["IBM"]).flags) is closed
    subject.announced = Announced(closed_at=at_close - timedelta(days=1), closed_on=day - timedelta(days=1))
    assert Flag.SESSION_CLOSED not in prediction(results(subject, running)["IBM"]).flags


@pytest.mark.parametrize(("days", "seen"), [(0, True), (-1, False)])
def test_a_session_that_the_model_was_trained_on_is_flagged(days: int, seen: bool) -> None:
    subject, through = forecaster(), quote("IBM").session_date + timedelta(days)
    artifact = msgspec.structs.replace(made_model("normal"), trained_through=through)
    subject.predictors["normal"] = Predictor(artifact)
    found = results(subject, *map(quote, NAMES))
    assert (Flag.IN_SAMPLE in prediction(found["IBM"]).flags) is seen


@pytest.mark.parametrize(("seconds", "stale"), [(60, False), (61, True)])
def test_a_quote_that_waited_too_long_is_stale(seconds: int, stale: bool) -> None:
    subject, wave = forecaster(), [quote("IBM")]
    subject.stale_after_seconds = 60.0
    subject.take(wave)
    (result,) = subject.forecast(wave, wave[0].received_at + timedelta(seconds=seconds))
    assert (Flag.STALE in prediction(result).flags) is stale


@pytest.mark.parametrize(("known", "cold"), [(FULL_WINDOW - 2, True), (FULL_WINDOW - 1, False)])
def test_a_window_is_cold_until_it_is_full(known: int, cold: bool) -> None:
    found = results(forecaster(known), *(quote(name, known) for name in NAMES))
    assert (Flag.COLD_WINDOW in prediction(found["IBM"]).flags) is cold


def test_without_volatility_there_is_a_reason_and_no_number() -> None:
    found = results(forecaster(10), *(quote(name, 10) for name in NAMES))
    assert {result.status for result in found.values() if isinstance(result, Failure)} == {Status.COLD_WINDOW}


def test_without_a_model_there_is_a_reason() -> None:
    subject = forecaster()
    del subject.predictors["earnings"]
    found = results(subject, *map(quote, NAMES))
    assert isinstance(found["AAPL"], Failure)
    assert found["AAPL"].status is Status.NO_MODEL
    assert isinstance(found["IBM"], Forecast)


def test_the_named_model_overrides_the_calendar() -> None:
    subject = forecaster()
    subject.take([quote("AAPL")])
    (result,) = subject.forecast([quote("AAPL")], NOW, "normal")
    assert prediction(result).model_type == "normal"


def test_the_same_quote_gives_the_same_prediction() -> None:
    subject = forecaster()
    wave = [quote(name) for name in NAMES]
    first, second = results(subject, *wave), results(subject, *wave)
    assert {t: prediction(r) for t, r in first.items()} == {t: prediction(r) for t, r in second.items()}


def test_the_following_session_is_the_calendars() -> None:
    subject = forecaster()
    assert subject.following(SESSIONS[4].session_date) == SESSIONS[5].session_date
    assert subject.following(SESSIONS[-1].session_date) is None
