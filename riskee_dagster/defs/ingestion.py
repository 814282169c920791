"""History into the database: bars, sessions, report dates, macro series."""

from typing import TYPE_CHECKING

import dagster as dg

from riskee_dagster.declare import table_asset, table_check
from riskee_dagster.defs.findings import bars_are_plausible
from riskee_dagster.resources import Platform, RiskeeParam

if TYPE_CHECKING:
    from riskee.market.importing import ImportReport
    from riskee.market.sources import Source

GROUP = "ingestion"
BUNDLED = "riskee.market.sources.bundled"
IMPORTING = "riskee.market.importing"
FETCHING = "riskee.market.fetching"
# A vendor counts all requests of a key together.
VENDOR_POOL = "vendor"


@table_asset(
    "market_data",
    group=GROUP,
    kinds={"pandas", "postgres"},
    code=[BUNDLED, FETCHING, IMPORTING, "riskee.market.validation", "riskee.market.findings", "riskee.market.outdated"],
    pool=VENDOR_POOL,
)
def market_data(context: dg.AssetExecutionContext, riskee: RiskeeParam) -> dg.MaterializeResult[None]:
    """Daily bars of five stocks and of the S&P 500, checked row by row; what fails goes to `quarantine`.

    Then those of a vendor, where `RISKEE_DATA__SOURCE` names one: of each of `RISKEE_DATA__TICKERS` the last days, or
    all of a new one. Bars that `riskee data import` brought stay. A corrected bar becomes a new version.
    """
    from riskee.market.sources.catalog import bundled_sources
    from riskee.storage.database import database_errors
    from riskee.storage.findings import count_findings
    from riskee.storage.tickers import summaries

    sources = bundled_sources(riskee.blobs, riskee.settings.model.market_ticker)
    reports = [_import(context, riskee, source) for source in sources]
    if riskee.settings.data.source != "bundled":
        reports.append(_fetch(context, riskee))
    with database_errors(), riskee.engine.connect() as connection:
        stored = summaries(connection)
        findings = count_findings(connection)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": sum(ticker.bars for ticker in stored),
            "tickers": dg.MetadataValue.md(
                "\n".join(
                    ["| ticker | bars | first | last | sources |", "|---|---|---|---|---|"]
                    + [f"| {t.ticker} | {t.bars} | {t.first} | {t.last} | {', '.join(t.sources)} |" for t in stored]
                )
            ),
            "read": sum(report.rows_read for report in reports),
            "new": sum(report.bars.new for report in reports),
            "changed": sum(report.bars.changed for report in reports),
            "quarantined": sum(report.rows_quarantined for report in reports),
            "findings": dg.MetadataValue.json({kind.value: count for kind, count in findings.items()}),
            "sources": dg.MetadataValue.json({report.source: _told(report) for report in reports}),
        }
    )


def _import(context: dg.AssetExecutionContext, riskee: Platform, source: "Source") -> "ImportReport":
    from riskee.market.importing import import_bars

    return import_bars(
        riskee.engine,
        source,
        riskee.clock,
        lambda done, total: context.log.info("stored %d of %d bars", done, total),
    )


def _fetch(context: dg.AssetExecutionContext, riskee: Platform) -> "ImportReport":
    from riskee.market.fetching import fetch

    data = riskee.settings.data
    return fetch(
        riskee.engine,
        riskee.settings,
        riskee.clock,
        data.source,
        data.tickers,
        progress=lambda done, total: context.log.info("%s: %d of %d tickers", data.source, done, total),
    )


def _told(report: "ImportReport") -> dict[str, object]:
    return {
        "rows_read": report.rows_read,
        "quarantined": {reason: int(count) for reason, count in report.quarantined.items()},
        "flags": {flag: int(count) for flag, count in report.flags.items()},
        "notes": list(report.notes),
    }


@table_asset(
    "trading_sessions",
    group=GROUP,
    kinds={"python", "postgres"},
    code=["riskee.market.sessions", IMPORTING],
    deps=["market_data"],
)
def trading_sessions(riskee: RiskeeParam) -> dg.MaterializeResult[None]:
    """The sessions of the New York Stock Exchange from the first bar to a year ahead."""
    from riskee.market.importing import import_sessions

    return dg.MaterializeResult(metadata={"dagster/row_count": import_sessions(riskee.engine, riskee.clock)})


@table_asset(
    "earnings_calendar",
    group=GROUP,
    kinds={"python", "postgres"},
    code=[BUNDLED, IMPORTING, "riskee.market.sources.earnings", "riskee.market.report_dates"],
)
def earnings_calendar(riskee: RiskeeParam) -> dg.MaterializeResult[None]:
    """The dates on which companies reported results."""
    from riskee.market.importing import import_earnings

    rows = import_earnings(riskee.engine, riskee.blobs, riskee.clock)
    return dg.MaterializeResult(metadata={"dagster/row_count": rows})


@table_asset("macro_series", group=GROUP, kinds={"python", "postgres"}, code=[BUNDLED, IMPORTING])
def macro_series(riskee: RiskeeParam) -> dg.MaterializeResult[None]:
    """Quarterly series of the United States' economy."""
    from riskee.market.importing import import_macro

    return dg.MaterializeResult(metadata={"dagster/row_count": import_macro(riskee.engine, riskee.blobs)})


@table_check("market_data", blocking=True)
def market_index_present(riskee: RiskeeParam) -> dg.AssetCheckResult:
    """The index that the market features are made from has bars."""
    from riskee.storage.database import database_errors
    from riskee.storage.tickers import summaries

    with database_errors(), riskee.engine.connect() as connection:
        stored = {ticker.ticker: ticker for ticker in summaries(connection)}
    index = stored.get(riskee.settings.model.market_ticker)
    newest = max((ticker.last for ticker in stored.values() if ticker.last), default=None)
    return dg.AssetCheckResult(
        passed=index is not None and index.bars > 0,
        metadata={"index_through": str(index and index.last), "all_through": str(newest)},
    )


ASSETS = [market_data, trading_sessions, earnings_calendar, macro_series]
CHECKS = [market_index_present, bars_are_plausible]
