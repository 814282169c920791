"""The documents, made from the stored data alone: one asset for each collection."""

from collections.abc import Callable, Iterable

import dagster as dg
from sqlalchemy import Connection

from riskee.documents.document import Collection, Document
from riskee.messaging.messages import MODEL_TYPES
from riskee_dagster.declare import table_asset
from riskee_dagster.defs.models import read_rows, training_key
from riskee_dagster.resources import Platform, RiskeeParam

GROUP = "documents"
# At most so many documents a collection, shared out among the tickers: what two cores embed within a minute.
NEWS, PATTERNS, PREDICTIONS = 600, 1200, 500
LEAST_PER_TICKER = 5
QUARTERS = 60

Build = Callable[[Connection, Platform], list[Document]]


def document_key(collection: Collection) -> dg.AssetKey:
    """The asset of a collection's documents."""
    return dg.AssetKey(["documents", collection])


def _share(total: int, tickers: int) -> int:
    return max(LEAST_PER_TICKER, total // max(1, tickers))


def _market_news(connection: Connection, riskee: Platform) -> list[Document]:
    from riskee.documents.market_news import market_news
    from riskee.documents.records import market_record

    record = market_record(connection, riskee.settings)
    limit = _share(NEWS, len(record.stocks))
    return market_news(record.stocks, record.market, record.since, limit)


def _technical_patterns(connection: Connection, riskee: Platform) -> list[Document]:
    from riskee.documents.records import market_record
    from riskee.documents.technical_patterns import technical_patterns

    record = market_record(connection, riskee.settings)
    return technical_patterns(record.stocks, record.since, _share(PATTERNS, len(record.stocks)))


def _earnings_calls(connection: Connection, riskee: Platform) -> list[Document]:
    from riskee.documents.earnings_calls import earnings_calls
    from riskee.documents.records import market_record, report_sources
    from riskee.storage.calendar import reports

    record = market_record(connection, riskee.settings)
    return earnings_calls(record.stocks, reports(connection), report_sources(connection), record.since)


def _economic_indicators(connection: Connection, _riskee: Platform) -> list[Document]:
    from riskee.documents.economic_indicators import economic_indicators
    from riskee.storage.macro import read_macro

    return economic_indicators(read_macro(connection), QUARTERS)


def _prediction_context(connection: Connection, riskee: Platform) -> list[Document]:
    from riskee.documents.prediction_context import PastPrediction, prediction_context
    from riskee.documents.records import market_record
    from riskee.model.backtest import backtest

    record = market_record(connection, riskee.settings)
    predictions: list[PastPrediction] = []
    for model_type in MODEL_TYPES:
        found = backtest(read_rows(connection, riskee, model_type)[0])
        columns = (found.expected_return.tolist(), found.p_up.tolist(), found.outcome.tolist())
        predictions += [
            PastPrediction(ticker, session, model_type, *numbers)
            for ticker, session, *numbers in zip(found.ticker, found.session, *columns, strict=True)
        ]
    return prediction_context(predictions, record.stocks, record.since, _share(PREDICTIONS, len(record.stocks)))


def _asset(
    collection: Collection, build: Build, deps: Iterable[str | dg.AssetKey], description: str
) -> dg.AssetsDefinition:
    code = [f"riskee.documents.{name}" for name in (collection, "document", "history", "records", "wording")]

    @table_asset(
        document_key(collection), group=GROUP, kinds={"python", "postgres"}, code=code, deps=deps,
        description=description,
    )  # fmt: skip
    def documents(riskee: RiskeeParam) -> dg.MaterializeResult[None]:
        from riskee.storage.database import database_errors
        from riskee.storage.documents import replace_documents

        with database_errors(), riskee.engine.begin() as connection:
            found = build(connection, riskee)
            counts = replace_documents(connection, collection, found)
        return dg.MaterializeResult(metadata=_metadata(found) | {"written": counts.written, "removed": counts.removed})

    return documents


def _metadata(documents: list[Document]) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {"dagster/row_count": dg.MetadataValue.int(len(documents))}
    if documents:
        last = max(documents, key=lambda document: document.known_at)
        metadata["first_known"] = dg.MetadataValue.text(min(d.known_at for d in documents).isoformat())
        metadata["last_known"] = dg.MetadataValue.text(last.known_at.isoformat())
        metadata["example"] = dg.MetadataValue.md(f"**{last.title}**\n\n{last.body}")
    return metadata


ASSETS = [
    _asset(
        "market_news", _market_news, ["market_data", "trading_sessions"],
        "A digest of each notable session: a move or traded value far beyond the ticker's usual one.",
    ),
    _asset(
        "technical_patterns", _technical_patterns, ["market_data", "trading_sessions"],
        "Patterns in the bars, with what followed; known only when that is.",
    ),
    _asset(
        "earnings_calls", _earnings_calls, ["market_data", "trading_sessions", "earnings_calendar"],
        "The record of each report with the price's reaction. The bundled data has report dates, not transcripts.",
    ),
    _asset(
        "economic_indicators", _economic_indicators, ["macro_series"],
        "The quarterly values of the macro series with their changes.",
    ),
    _asset(
        "prediction_context", _prediction_context, ["market_data", *map(training_key, MODEL_TYPES)],
        "Out-of-fold predictions of the walk-forward backtest with their outcomes, labelled as such.",
    ),
]  # fmt: skip
