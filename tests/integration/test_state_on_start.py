"""The state that a start builds from the database equals the one that never stopped, to the last bit."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from sqlalchemy import Engine, text

from riskee.ids import quote_id
from riskee.messaging.envelope import wrap
from riskee.messaging.messages import Quote
from riskee.settings import Settings
from riskee.storage.recording import QUOTES, record
from serving.consumers.forecasting import Forecaster
from serving.consumers.knowledge import Knowledge
from serving.consumers.waves import Waves
from tests.integration.live_data import MARKET, TICKERS, Market, fill

pytestmark = pytest.mark.integration

FEED = "live"
NAMES = (MARKET, *TICKERS)
# Of the last sessions that were played live no bars are stored.
LIVE = (-8, -7, -6, -5)
EVERYONE = np.arange(len(NAMES))


@pytest.fixture
def market(engine: Engine) -> Market:
    """A market whose bars end before the live sessions."""
    with engine.begin() as connection:
        market = fill(connection)
        first = datetime.combine(market.sessions[LIVE[0]].session_date, datetime.min.time(), UTC)
        connection.execute(text('DELETE FROM market_data WHERE "timestamp" >= :first'), {"first": first})
    return market


@pytest.fixture
def knowledge(engine: Engine, database_settings: Settings) -> Knowledge:
    return Knowledge(engine, database_settings.model)


def told(market: Market, place: int, feed: str = FEED) -> list[Quote]:
    """Two quotes of each ticker in a session, the market's first; IBM is silent in one session."""
    session = market.sessions[place]
    quotes = []
    for moment in (1, 2):
        at = session.opens_at + timedelta(hours=3 * moment)
        for name in NAMES:
            bar = market.bar(name, session.session_date)
            price = bar.close if moment == 2 else (bar.low + bar.high) / 2
            quotes.append(
                Quote(
                    quote_id=quote_id(feed, name, at, moment),
                    feed=feed,
                    ticker=name,
                    data_time=at,
                    received_at=at,
                    session_date=session.session_date,
                    sequence=moment,
                    price=price,
                    open=bar.open,
                    high=bar.high,
                    low=bar.low,
                    volume=bar.volume * moment,
                    final=moment == 2,
                )
            )
    return [quote for quote in quotes if (quote.ticker, place) != ("IBM", LIVE[1])]


def keep(engine: Engine, quotes: Sequence[Quote]) -> None:
    """Record quotes."""
    envelopes = [
        wrap(quote, message_id=quote.quote_id, correlation_id=quote.quote_id, source="test", at=quote.received_at)
        for quote in quotes
    ]
    record(engine, QUOTES, envelopes)


def play(forecaster: Forecaster, waves: Waves, quotes: Sequence[Quote]) -> None:
    for wave in waves.split(quotes):
        forecaster.take(wave)
        waves.took(wave)


def assert_same(found: Forecaster, wanted: Forecaster) -> None:
    np.testing.assert_array_equal(found.state.features(EVERYONE), wanted.state.features(EVERYONE))
    np.testing.assert_array_equal(found.state.bars_seen, wanted.state.bars_seen)
    np.testing.assert_array_equal(found.state.sessions(EVERYONE), wanted.state.sessions(EVERYONE))


def everybody(_ticker: str) -> bool:
    return True


def test_sessions_without_bars_are_those_of_the_recorded_quotes(
    knowledge: Knowledge, engine: Engine, market: Market
) -> None:
    lived = knowledge.forecaster(market.sessions[LIVE[0]].session_date, FEED, everybody)
    waves = Waves(MARKET)
    for place in LIVE:
        started = knowledge.forecaster(market.sessions[place].session_date, FEED, everybody)
        assert_same(started, lived)
        quotes = told(market, place)
        play(lived, waves, quotes)
        # One came late, after the last of its ticker; another feed said something else.
        late = msgspec.structs.replace(quotes[0], received_at=quotes[-1].received_at + timedelta(minutes=1))
        other = [msgspec.structs.replace(quote, price=1.0, low=0.5) for quote in told(market, place, "other")]
        keep(engine, [*quotes[1:], late, *other])
    after = market.sessions[LIVE[-1] + 1]
    assert_same(knowledge.forecaster(after.session_date, FEED, everybody), lived)
    strange = knowledge.forecaster(after.session_date, "another", everybody)
    assert np.isnat(strange.state.sessions(EVERYONE)).sum() == 0
    assert (strange.state.sessions(EVERYONE) < np.datetime64(market.sessions[LIVE[0]].session_date)).all()


def test_bars_that_were_stored_since_count_more_than_quotes(
    knowledge: Knowledge, engine: Engine, market: Market
) -> None:
    """Of one ticker the bar of a live session is there already."""
    place, following = market.sessions[LIVE[0]], market.sessions[LIVE[1]]
    keep(engine, told(market, LIVE[0]))
    with engine.begin() as connection:
        connection.execute(
            text("""
                INSERT INTO market_data (ticker, resolution, "timestamp", open, high, low, close, volume,
                    adjustment_factor, dividend, split, source, known_at)
                VALUES ('MSFT', '1d', :at, 50, 60, 40, 55, 1e6, 1, 0, 1, 'made', :at)
            """),
            {"at": datetime.combine(place.session_date, datetime.min.time(), UTC)},
        )
    state = knowledge.forecaster(following.session_date, FEED, everybody).state
    assert (state.sessions(EVERYONE) == np.datetime64(place.session_date)).all()
    row = state.index_of["MSFT"]
    assert state.features(np.array([row]))[0, 0] == np.log(
        55 / market.bar("MSFT", market.sessions[LIVE[0] - 1].session_date).close
    )


@pytest.mark.parametrize("moments", [1, 2])
def test_within_a_session_it_goes_on_where_the_quotes_had_come_to(
    knowledge: Knowledge, engine: Engine, market: Market, moments: int
) -> None:
    day, quotes = market.sessions[LIVE[0]].session_date, told(market, LIVE[0])
    lived, started = (knowledge.forecaster(day, FEED, everybody) for _ in range(2))
    keep(engine, quotes)
    came = quotes[: moments * len(NAMES)]
    play(lived, Waves(MARKET), came)
    play(started, Waves(MARKET), knowledge.session_quotes(FEED, day, NAMES, came[-1].received_at))
    assert_same(started, lived)


@pytest.mark.parametrize("owns", [everybody, "AAPL".__eq__])
def test_a_part_of_the_tickers_has_the_state_that_all_have(
    knowledge: Knowledge, market: Market, owns: Callable[[str], bool]
) -> None:
    day = market.sessions[LIVE[0]].session_date
    whole, part = knowledge.forecaster(day, FEED, everybody), knowledge.forecaster(day, FEED, owns)
    assert part.state.tickers == tuple(sorted({*filter(owns, NAMES), MARKET}))
    rows = np.array([whole.state.index_of[ticker] for ticker in part.state.tickers])
    np.testing.assert_array_equal(part.state.features(np.arange(len(part.state.tickers))), whole.state.features(rows))
