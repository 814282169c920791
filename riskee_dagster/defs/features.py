"""The SQL models of `dbt_like_sql`: one asset for each, with the checks that its header promises."""

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg

from dbt_like_sql import CheckError, Model, graph
from riskee.settings import Settings
from riskee.storage.database import database_errors
from riskee_dagster.declare import OWNERS, RETRY, product_errors
from riskee_dagster.resources import RiskeeParam

if TYPE_CHECKING:
    from sqlalchemy import Engine

# Tables and views that an asset of another name fills.
FILLED_BY = {"bars": "market_data", "tickers": "market_data"}
CHECK = "rows_hold"


def parameters(settings: Settings) -> dict[str, str | date | None]:
    """The values of the models' parameters. `since` None: all rows are brought up to date."""
    return {"market_ticker": settings.model.market_ticker, "since": None}


def model_key(model: str) -> dg.AssetKey:
    """The asset of a model, or of the table that a model reads."""
    return dg.AssetKey(FILLED_BY.get(model, model))


def _asset(model: Model) -> dg.AssetsDefinition:
    header = model.header

    @dg.asset(
        key=model_key(model.name),
        group_name=model.group,
        kinds={"sql", "postgres", header.materialized},
        deps=[model_key(name) for name in (*model.refs, *model.sources)],
        owners=OWNERS,
        retry_policy=RETRY,
        code_version=model.sha256[:12],
        description=f"{header.description}\n\n```sql\n{_query(model)}\n```",
        metadata={"dagster/table_name": model.relation},
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=model_key(model.name),
                blocking=True,
                description="Keys are unique, nothing is missing, values lie in the ranges of the model's header.",
            )
        ],
        output_required=False,
    )
    def sql_model(riskee: RiskeeParam) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        yield from _run(model, riskee)

    return sql_model


@product_errors
def _run(model: Model, riskee: RiskeeParam) -> list[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Run one model. When its rows fail the checks, the former ones stay and nothing was materialised."""
    from dbt_like_sql import run

    try:
        (done,) = run(riskee.engine, parameters(riskee.settings), select=[model.name])
    except CheckError as error:
        return [dg.AssetCheckResult(passed=False, check_name=CHECK, metadata={"broken": str(error)})]
    columns = _columns(model, column_types(riskee.engine, model.relation))
    return [
        dg.MaterializeResult(
            metadata={"dagster/row_count": done.rows, "changed": done.changed, "dagster/column_schema": columns}
        ),
        dg.AssetCheckResult(passed=True, check_name=CHECK, metadata={"conditions": done.checks}),
    ]


def _query(model: Model) -> str:
    return model.text[model.text.index("*/") + 2 :].strip()


def column_types(engine: "Engine", relation: str) -> dict[str, str]:
    """The database's name of each column's type."""
    from sqlalchemy import text

    statement = text(
        "SELECT attname AS name, format_type(atttypid, atttypmod) AS kind FROM pg_attribute"
        " WHERE attrelid = CAST(:relation AS regclass) AND attnum > 0 AND NOT attisdropped"
    )
    with database_errors(), engine.connect() as connection:
        return {row.name: row.kind for row in connection.execute(statement, {"relation": relation})}


def _columns(model: Model, types: dict[str, str]) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=types[name],
                description=f"{column.description} ({column.unit})" if column.unit else column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.not_null),
            )
            for name, column in model.header.columns.items()
        ]
    )


@dg.asset_check(asset=model_key("features_daily"), blocking=True)
@product_errors
def live_kernel_agrees(riskee: RiskeeParam) -> dg.AssetCheckResult:
    """The SQL features equal those that the live kernel computes, for every bar (relative 1e-9)."""
    from riskee.features.parity import compare

    model = riskee.settings.model
    with database_errors(), riskee.engine.connect() as connection:
        report = compare(connection, model.market_ticker, model.earnings_window_sessions)
    examples = [
        f"{one.ticker} {one.session} {one.feature}: table {one.table!r}, kernel {one.kernel!r}"
        for one in report.examples
    ]
    return dg.AssetCheckResult(
        passed=report.agrees,
        metadata={
            "rows": report.rows,
            "values": report.values,
            "mismatches": report.mismatches,
            "missing_rows": report.missing_rows,
            "surplus_rows": report.surplus_rows,
            "worst": f"{report.worst:.2e} in {report.worst_feature}",
            "examples": "\n".join(examples) or "none",
        },
    )


ASSETS = [_asset(model) for model in graph().models]
CHECKS = [live_kernel_agrees]
