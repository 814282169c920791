"""The documents, made from the stored data alone: one asset for each collection."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
from sqlalchemy import Connection

from riskee.documents.document import Collection, Document
from riskee.messaging.messages import MODEL_TYPES
from riskee_dagster.declare import OWNERS, POOLS, RETRY, code_version, product_errors, table_asset
from riskee_dagster.defs.models import candidate_key
from riskee_dagster.resources import Platform, RiskeeParam

if TYPE_CHECKING:
    from riskee.model.training import TrainingResult

GROUP = "documents"
# So many documents a collection, shared out among the tickers: with the bundled ones, what two cores embed within a
# minute. With many tickers each still has a few to cite: 446 of them have at most 12,000 documents; those of
# a ticker are the most telling, the latest or spread evenly over time.
NEWS, PATTERNS, REPORTS, PREDICTIONS = 600, 1200, 600, 500
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
    dates = {ticker: company.date for ticker, company in reports(connection).items()}
    limit = _share(REPORTS, len(record.stocks))
    return earnings_calls(record.stocks, dates, report_sources(connection), record.since, limit)


def _economic_indicators(connection: Connection, _riskee: Platform) -> list[Document]:
    from riskee.documents.economic_indicators import economic_indicators
    from riskee.storage.macro import read_macro

    return economic_indicators(read_macro(connection), QUARTERS)


def _prediction_context(
    connection: Connection, riskee: Platform, candidates: "Iterable[TrainingResult]"
) -> list[Document]:
    from riskee.documents.prediction_context import PastPrediction, prediction_context
    from riskee.documents.records import market_record, published_predictions

    record = market_record(connection, riskee.settings)
    limit = _share(PREDICTIONS, len(record.stocks))
    # Half a million of them: made one by one, and dropped where they are too old.
    past = (
        PastPrediction(one.ticker, one.session, found.artifact.model_type, one.expected_return, one.p_up, one.outcome)
        for found in candidates
        for one in found.backtest
    )
    published = published_predictions(connection, record.since)
    return [
        *prediction_context(past, record.stocks, record.since, limit),
        *prediction_context(published, record.stocks, record.since, limit),
    ]


def _code(collection: Collection) -> list[str]:
    return [f"riskee.documents.{name}" for name in (collection, "document", "history", "records", "wording")]


def _asset(
    collection: Collection, build: Build, deps: Iterable[str | dg.AssetKey], description: str
) -> dg.AssetsDefinition:
    @table_asset(
        document_key(collection), group=GROUP, kinds={"python", "postgres"}, code=_code(collection), deps=deps,
        description=description,
    )  # fmt: skip
    def documents(riskee: RiskeeParam) -> dg.MaterializeResult[None]:
        return _replace(collection, riskee, build)

    return documents


@dg.asset(
    key=document_key("prediction_context"),
    group_name=GROUP,
    kinds={"python", "postgres"},
    deps=["market_data"],
    # What the last trainings said in their walk-forward evaluation: nothing is fitted again.
    ins={name: dg.AssetIn(candidate_key(name), input_manager_key="candidates") for name in MODEL_TYPES},
    owners=OWNERS,
    pool=POOLS[GROUP],
    retry_policy=RETRY,
    code_version=code_version(_code("prediction_context")),
)
@product_errors
def _predictions(riskee: RiskeeParam, normal: Any, earnings: Any) -> dg.MaterializeResult[None]:
    """Predictions with their outcomes: of the walk-forward backtest, labelled as such, and of the track record."""
    return _replace("prediction_context", riskee, partial(_prediction_context, candidates=(normal, earnings)))


def _replace(collection: Collection, riskee: Platform, build: Build) -> dg.MaterializeResult[None]:
    from riskee.storage.database import database_errors
    from riskee.storage.documents import replace_documents

    with database_errors(), riskee.engine.begin() as connection:
        found = build(connection, riskee)
        counts = replace_documents(connection, collection, found)
    return dg.MaterializeResult(metadata=_metadata(found) | {"written": counts.written, "removed": counts.removed})


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
        "The record of each report with the price's reaction; transcripts can be imported beside it.",
    ),
    _asset(
        "economic_indicators", _economic_indicators, ["macro_series"],
        "The quarterly values of the macro series with their changes.",
    ),
    _predictions,
]  # fmt: skip
