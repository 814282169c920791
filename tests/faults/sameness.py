"""Whether the state after all faults is the one that a run without faults has."""

import random
import uuid
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Connection, Engine, select

from riskee.errors import NotFoundError, PoisonError
from riskee.messaging.messages import Prediction, Quote
from riskee.settings import Settings
from riskee.storage import tables
from riskee.storage.predictions import prediction_of
from serving.reproduction import reproduce

_SAMPLES = 40


def differences(engine: Engine, settings: Settings, last_round: Sequence[Quote], chance: random.Random) -> list[str]:
    """What is not as it would have been.

    The last prediction of every ticker, and some others, are made again from the stored bars and their quotes by a
    fresh state: every number must have the same bytes. The last ones must also rest on the market's last quote.
    """
    with engine.connect() as connection:
        return list(_differences(connection, settings, last_round, chance))


def stale(engine: Engine, cached: Mapping[str, Prediction], last_round: Sequence[Quote]) -> list[str]:
    """The tickers whose cached prediction is not a stored one of their last quote, number for number: the one that
    every quote has, or what a job made of it."""
    last = tables.predictions.c.quote_id.in_([quote.quote_id for quote in last_round])
    with engine.connect() as connection:
        stored = [prediction_of(row) for row in connection.execute(select(tables.predictions).where(last))]
    told = {each.ticker: each.prediction_id for each in stored}
    return [
        f"pred:{ticker} in the cache is not {identity}"
        for ticker, identity in told.items()
        if cached.get(ticker) not in stored
    ]


def unlike(engine: Engine, events: Sequence[Prediction]) -> list[str]:
    """The predictions whose row is not what their event says, number for number."""
    with engine.connect() as connection:
        rows = map(prediction_of, connection.execute(select(tables.predictions)))
        stored = {row.prediction_id: row for row in rows}
    return [
        f"{each.prediction_id} of {each.ticker}"
        for each in events
        if each.prediction_id in stored and stored[each.prediction_id] != each
    ]


def _differences(
    connection: Connection, settings: Settings, last_round: Sequence[Quote], chance: random.Random
) -> Iterator[str]:
    market, *others = last_round
    stored = tables.predictions.c
    rows = connection.execute(select(stored.prediction_id, stored.quote_id, stored.market_quote_id)).all()
    # Several of a quote, where jobs asked for more.
    wanted = {quote.quote_id for quote in others}
    last = [row for row in rows if row.quote_id in wanted]
    for row in last:
        if row.market_quote_id != market.quote_id:
            yield f"{row.prediction_id} rests on the market's quote {row.market_quote_id}, not {market.quote_id}"
    sampled = chance.sample(rows, min(_SAMPLES, len(rows)))
    for row in {row.prediction_id: row for row in (*last, *sampled)}.values():
        yield from _unequal(connection, settings, row.prediction_id)


def _unequal(connection: Connection, settings: Settings, prediction_id: uuid.UUID) -> Iterator[str]:
    try:
        made = reproduce(connection, settings, prediction_id)
    except (NotFoundError, PoisonError) as error:
        yield f"{prediction_id} cannot be made again: {error}"
        return
    unequal = [field for field in made.fields if not field.equal]
    if unequal:
        told = "; ".join(f"{field.name} {field.stored} not {field.made}" for field in unequal[:3])
        yield f"{prediction_id} of {made.lineage.ticker} at {made.lineage.data_time}: {told}"
