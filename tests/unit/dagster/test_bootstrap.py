"""The bootstrap's lines, from a small job on an instance in memory."""

import io
import json
from typing import Any

import dagster as dg
import pytest

from riskee.errors import FatalError, RetryableError
from riskee_dagster.bootstrap import missing_assets, outdated_models, run
from riskee_dagster.declare import product_errors


def job_of(*assets: dg.AssetsDefinition) -> dg.JobDefinition:
    definitions = dg.Definitions(
        assets=list(assets), jobs=[dg.define_asset_job("pipeline")], executor=dg.in_process_executor
    )
    return definitions.resolve_job_def("pipeline")


def lines_of(*assets: dg.AssetsDefinition) -> tuple[list[str], list[dict[str, Any]]]:
    out = io.StringIO()
    with dg.DagsterInstance.ephemeral() as instance:
        failures = run(instance, job_of(*assets), out)
    return failures, [json.loads(line) for line in out.getvalue().splitlines()]


@dg.asset(key=["bars", "raw"])
def first(context: dg.AssetExecutionContext) -> None:
    context.log.info("stored 5 of 10 bars")


@dg.asset(deps=[first])
def second() -> None:
    pass


@dg.asset(deps=[first])
@product_errors
def broken() -> None:
    raise FatalError("the disk is full", "free some space")


def test_says_what_begins_what_happens_and_what_is_done() -> None:
    failures, lines = lines_of(first, second)
    assert failures == []
    assert [(line["asset"], line["state"], line["done"], line["detail"]) for line in lines] == [
        ("bars/raw", "start", 0, ""),
        ("bars/raw", "start", 0, "stored 5 of 10 bars"),
        ("bars/raw", "done", 1, ""),
        ("second", "start", 1, ""),
        ("second", "done", 2, ""),
    ]
    assert {line["total"] for line in lines} == {2}
    assert all(line["seconds"] >= 0 for line in lines)


def test_a_failure_names_cause_and_remedy_and_is_not_repeated() -> None:
    failures, lines = lines_of(first, broken)
    assert len(failures) == 1
    assert failures[0].startswith("broken: ")
    assert "the disk is full — free some space" in failures[0]
    assert [line["state"] for line in lines if line["asset"] == "broken"] == ["start", "failed"]


def test_what_may_succeed_later_is_tried_again() -> None:
    tries: list[int] = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    @product_errors
    def shaky() -> None:
        tries.append(1)
        if len(tries) < 2:
            raise RetryableError("the server restarts")

    failures, lines = lines_of(shaky)
    assert failures == []
    assert [line["detail"] for line in lines] == ["", "failed, is tried again", ""]


def test_what_can_never_succeed_is_not_tried_again() -> None:
    tries: list[int] = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    @product_errors
    def hopeless() -> None:
        tries.append(1)
        raise FatalError("no such model")

    failures, _ = lines_of(hopeless)
    assert len(failures) == len(tries) == 1


@pytest.mark.parametrize("count", [0, 1, 2])
def test_missing_are_the_assets_that_were_never_materialised(count: int) -> None:
    definitions = dg.Definitions(assets=[first, second])
    with dg.DagsterInstance.ephemeral() as instance:
        if count:
            dg.materialize([first, second][:count], instance=instance)
        missing = missing_assets(instance, definitions)
    assert len(missing) == 2 - count


def test_a_run_that_cannot_begin_says_why() -> None:
    job = dg.Definitions(assets=[first], jobs=[dg.define_asset_job("pipeline")]).resolve_job_def("pipeline")
    with dg.DagsterInstance.ephemeral() as instance:
        (failure,) = run(instance, job, io.StringIO())  # its executor starts processes, which this instance cannot
    assert "UnmetExecutorRequirements" in failure


def test_its_run_can_be_executed_again_from_the_ui() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        run(instance, job_of(first), io.StringIO())
        (done,) = instance.get_runs()
    assert done.remote_job_origin is not None
    assert (done.remote_job_origin.location_name, done.remote_job_origin.job_name) == ("riskee", "pipeline")


def test_after_an_update_models_of_another_definition_and_what_is_made_from_them_are_made_again() -> None:
    made: list[str] = []

    def assets(version: str) -> list[dg.AssetsDefinition]:
        @dg.asset(code_version=version)
        def lower() -> None:
            made.append("lower")

        @dg.asset(deps=[lower], code_version="1")
        def upper() -> None:
            made.append("upper")

        @dg.asset(deps=[lower], code_version="1")
        def no_sql() -> None:
            made.append("no_sql")

        @dg.asset(code_version="1")
        def beside() -> None:
            made.append("beside")

        return [lower, upper, no_sql, beside]

    models = {dg.AssetKey(name) for name in ("lower", "upper", "beside")}
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(instance, job_of(*assets("1")), io.StringIO()) == []
        assert outdated_models(instance, dg.Definitions(assets=assets("1")), models) == set()
        outdated = outdated_models(instance, dg.Definitions(assets=assets("2")), models)
        made.clear()
        assert run(instance, job_of(*assets("2")).get_subset(asset_selection=outdated), io.StringIO()) == []
        assert made == ["lower", "upper"]
        assert outdated_models(instance, dg.Definitions(assets=assets("2")), models) == set()
