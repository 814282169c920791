"""The SQL models of `dbt_like_sql`: one asset for each, with a check for each of its tests."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from dbt_like_sql import Check, CheckError, Graph, Model, ModelRun, checks_of, column_lineage, graph, parameters
from riskee.storage.database import database_errors
from riskee_dagster.declare import OWNERS, POOLS, RETRY, pinned_beta, product_errors, table_check
from riskee_dagster.partitions import DAILY, SINGLE_RUN, window_of
from riskee_dagster.resources import RiskeeParam

if TYPE_CHECKING:
    from sqlalchemy import Engine

Result = dg.MaterializeResult[None] | dg.AssetCheckResult | dg.Output[None]
Metadata = str | int | float | dg.TableSchema | dg.TableColumnLineage

# Tables and views that an asset of another name fills.
FILLED_BY = {"bars": "market_data", "tickers": "market_data"}


def model_key(model: str) -> dg.AssetKey:
    """The asset of a model, or of the table that a model reads."""
    return dg.AssetKey(FILLED_BY.get(model, model))


def _by_day(model: Model) -> bool:
    """Whether an asset has a partition for each day. Staging and marts follow what changed, and the run's days."""
    return model.header.materialized == "incremental" and model.group == "features"


@pinned_beta()
def _asset(model: Model, models: Graph) -> dg.AssetsDefinition:
    header, checks = model.header, checks_of(model, models)
    by_day = _by_day(model)

    @dg.asset(
        key=model_key(model.name),
        group_name=model.group,
        kinds={"sql", "postgres", header.materialized},
        deps=[model_key(name) for name in (*model.refs, *model.sources)],
        owners=OWNERS,
        retry_policy=RETRY,
        code_version=model.sha256[:12],
        description=f"{header.description}\n\n```sql\n{model.sql}\n```",
        metadata={"dagster/table_name": model.relation},
        check_specs=[
            dg.AssetCheckSpec(
                check.name, asset=model_key(model.name), blocking=not check.warn, description=check.description
            )
            for check in checks
        ],
        partitions_def=DAILY if by_day else None,
        backfill_policy=SINGLE_RUN if by_day else None,
        pool=POOLS[model.group],
        output_required=False,
    )
    def sql_model(context: dg.AssetExecutionContext, riskee: RiskeeParam) -> Iterator[Result]:
        yield from _run(context, model, models, riskee)

    return sql_model


@product_errors
def _run(context: dg.AssetExecutionContext, model: Model, models: Graph, riskee: RiskeeParam) -> list[Result]:
    """Run one model. When its rows fail a test, the former ones stay and nothing was materialised."""
    from dbt_like_sql import run

    days, values = window_of(context.run.tags), parameters(riskee.settings)
    checks = checks_of(model, models)
    try:
        (done,) = run(riskee.engine, values, [model.name], since=days.since, until=days.until, models=models)
    except CheckError as error:
        return [_result(model, check, error.tests) for check in checks]
    types = column_types(riskee.engine, model.relation)
    metadata = _metadata(model, done, types)
    if _by_day(model) and context.has_partition_key_range:
        # Once, not with the event of each of thousands of days.
        context.add_asset_metadata(metadata, partition_key=context.partition_key_range.end)
        metadata = {}
    return [dg.MaterializeResult(metadata=metadata), *(_result(model, check, done.tests) for check in checks)]


def _result(model: Model, check: Check, tests: Mapping[str, int]) -> Result:
    """What a test found. Of one that was not run only the step's output, without which Dagster fails the step."""
    wrong = tests.get(check.name)
    if wrong is None:
        spec = dg.AssetCheckSpec(check.name, asset=model_key(model.name))
        return dg.Output(None, output_name=spec.get_python_identifier())
    severity = dg.AssetCheckSeverity.WARN if check.warn else dg.AssetCheckSeverity.ERROR
    metadata = {"wrong_rows": wrong}
    return dg.AssetCheckResult(passed=not wrong, check_name=check.name, severity=severity, metadata=metadata)


def _metadata(model: Model, done: ModelRun, types: dict[str, str]) -> dict[str, Metadata]:
    return {
        "dagster/row_count": done.rows,
        "computed": done.computed,
        "changed": done.changed,
        "scope": done.scope,
        "seconds": done.seconds,
        "dagster/column_schema": _columns(model, types),
        "dagster/column_lineage": _lineage(model),
    }


def column_types(engine: "Engine", relation: str) -> dict[str, str]:
    """The database's name of each column's type."""
    from sqlalchemy import text

    statement = text(
        "SELECT attname AS name, format_type(atttypid, atttypmod) AS kind FROM pg_attribute"
        " WHERE attrelid = CAST(:relation AS regclass) AND attnum > 0 AND NOT attisdropped"
    )
    with database_errors(), engine.connect() as connection:
        return {row.name: row.kind for row in connection.execute(statement, {"relation": relation})}


def _lineage(model: Model) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(model_key(table), name) for table, name in origins]
            for column, origins in column_lineage(model, MODELS).items()
        }
    )


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


@table_check(model_key("features_daily"), blocking=True)
def live_kernel_agrees(riskee: RiskeeParam) -> dg.AssetCheckResult:
    """The SQL features of every bar equal those that the live kernel computes.

    To 1e-9 of the larger value; one below 0.001 is judged as if it were 0.001. All days, whatever days the run is
    for: it also computes what late corrections changed elsewhere, and a training learns from all of them.
    """
    from riskee.features.parity import compare_stored

    report = compare_stored(riskee.engine, riskee.settings.model.market_ticker)
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


MODELS = graph()
ASSETS = [_asset(model, MODELS) for model in MODELS.models]
CHECKS = [live_kernel_agrees]
