"""`riskee models`: what was trained, which of it predicts, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli import completion
from riskee.cli.console import Json, console, print_json, print_table
from riskee.cli.runtime import read_settings, with_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from riskee.model.promotion import Promotion
    from riskee.model.registry import RegisteredModel
    from riskee.settings import Settings

app = typer.Typer(help="List, show, promote and compare trained models.", no_args_is_help=True)
Version = Annotated[
    str,
    typer.Argument(
        help="A model, as `riskee models list` names it.", show_default=False, autocompletion=completion.models
    ),
]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the promotion.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Also a model that has expired. Its artifact is always checked.")]


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, help="How many.")] = 50, json: Json = False) -> None:
    """List the registered models, newest first."""
    from riskee.clock import SystemClock
    from riskee.model.registry import list_models

    found = with_database(read_settings(), lambda connection: list_models(connection, limit))
    if json:
        print_json(found)
        return
    now = SystemClock().now()
    rows = (
        (m.model_version, m.alias or "", _number(m, "ic"), _share(m, "hit_rate"), m.decision, _age(m.created_at, now))
        for m in found
    )
    print_table("", ("model", "alias", "IC", "hits", "decision", "age"), rows)
    if not found:
        typer.echo("no model was trained yet: `riskee up`")


@app.command()
def show(version: Version, json: Json = False) -> None:
    """Show a model: where it comes from, how it measured beside the baselines, and what was decided."""
    from riskee.model.aliases import read_events
    from riskee.model.artifact import report_path
    from riskee.model.registry import load_model, read_evaluation, read_model

    settings = read_settings()

    def read(connection: Connection) -> tuple[Any, Any, Any, Any]:
        model = read_model(connection, version)
        events = [event for event in read_events(connection, model.model_type) if event.model_version == version]
        return model, load_model(connection, version).valid_until, read_evaluation(connection, version), events

    model, valid_until, evaluation, events = with_database(settings, read)
    report = report_path(settings.home, version)
    shown = str(report) if report.exists() else None
    if json:
        whole = {"model": model, "valid_until": valid_until, "evaluation": evaluation}
        print_json({**whole, "events": events, "report": shown})
        return
    _print_model(model, valid_until, shown)
    if evaluation.get("holdout"):
        _print_holdout(evaluation["holdout"])
    cells = ((f"{e.at:%Y-%m-%d %H:%M}", e.action, e.former_champion or "", e.reason) for e in events)
    print_table("Decisions", ("at (UTC)", "what", "champion before", "reason"), cells)


@app.command()
def promote(version: Version, reason: Reason, force: Force = False, json: Json = False) -> None:
    """Make a model the one that predicts. A reason is required."""
    from riskee.model.promotion import promote as move

    _move(lambda connection, at: move(connection, version, reason, at, force=force), json=json)


@app.command()
def rollback(
    model_type: Annotated[
        str,
        typer.Argument(
            metavar="TYPE", help="normal or earnings.", show_default=False, autocompletion=completion.model_types
        ),
    ],
    reason: Reason = "rolled back by hand",
    force: Force = False,
    json: Json = False,
) -> None:
    """Make the champion before the present one predict again."""
    from riskee.errors import NotFoundError
    from riskee.messaging.messages import MODEL_TYPES
    from riskee.model.promotion import roll_back

    kind = next((known for known in MODEL_TYPES if known == model_type), None)
    if kind is None:
        raise NotFoundError(f"there is no model type {model_type}", f"the types are {', '.join(MODEL_TYPES)}")
    _move(lambda connection, at: roll_back(connection, kind, reason, at, force=force), json=json)


@app.command()
def compare(first: Version, second: Version, json: Json = False) -> None:
    """Compare two models: their measures, and the live predictions that both made."""
    from riskee.model.promotion import compare as paired
    from riskee.model.registry import read_model

    def read(connection: Connection) -> tuple[Any, Any, Any]:
        return read_model(connection, first), read_model(connection, second), paired(connection, first, second)

    one, other, live = with_database(read_settings(), read)
    if json:
        print_json({"models": [one, other], "live": live})
        return
    names = dict.fromkeys([*one.metrics, *other.metrics])
    print_table("", ("walk-forward", first, second), ((n, _number(one, n), _number(other, n)) for n in names))
    if live.gain is None:
        typer.echo(f"live: {live.rows} predictions of both are scored, in {live.sessions} sessions: too few to compare")
        return
    low, high = live.gain.low, live.gain.high
    verdict = f"{first} is better" if low > 0 else f"{second} is better" if high < 0 else "not distinguishable"
    typer.echo(
        f"live: in {live.rows:,} predictions of {live.sessions} sessions {first} saves {live.gain.value:+.5f} of log "
        f"loss (95 % {low:+.5f} to {high:+.5f}): {verdict}"
    )


def _move(change: Callable[[Connection, datetime], Promotion], *, json: bool) -> None:
    from riskee.clock import SystemClock
    from riskee.messaging.subjects import MODEL_PROMOTED

    settings, clock = read_settings(), SystemClock()
    done = with_database(settings, lambda connection: change(connection, clock.now()))
    told = _announce(settings, done)
    if json:
        print_json({"event": done.event, "refused_because": done.refused_because, "bus": told})
        return
    typer.echo(f"{done.event.model_version} predicts now, instead of {done.event.former_champion or 'no model'}")
    if done.refused_because:
        typer.echo(f"after its training it was refused: {done.refused_because}")
    typer.echo(f"bus: {told}")
    if not told.endswith(MODEL_PROMOTED.name):
        typer.echo("predict looks into the registry by itself, on its start and while it runs")


def _announce(settings: Settings, done: Promotion) -> str:
    from riskee.clock import SystemClock
    from riskee.ids import model_event_id
    from riskee.messaging.subjects import MODEL_PROMOTED
    from riskee.storage.announcing import announce

    # Not the promotion's own id of a training: the bus would take the return of a model for a repetition.
    identity = model_event_id(done.event.model_version, done.event.action, done.event.at)
    return announce(settings.nats, SystemClock(), "cli", MODEL_PROMOTED, {identity: done.news})


def _print_model(model: RegisteredModel, valid_until: Any, report: str | None) -> None:
    from rich.markup import escape

    told = f"{model.alias or 'no alias'}  {model.decision}: {model.reason}"
    console().print(f"[bold]{escape(model.model_version)}[/]  {escape(told)}")
    lineage = {
        "trained on": f"{model.trained_from} to {model.trained_through}, {model.training_rows:,} rows",
        "valid until": valid_until,
        "data sha256": model.data_sha256,
        "features": model.feature_set,
        "artifact sha256": model.artifact_sha256,
        "code": model.code_version,
        "Dagster run": model.run_id or "none",
        "trials of the type": model.trials,
        "parameters": ", ".join(f"{name}={value}" for name, value in sorted(model.parameters.items())),
        "report": report or "none",
    }
    print_table("", ("lineage", ""), lineage.items())
    methods = {"model": model.metrics, **model.baselines}
    rows = ((name, *(_cell(values.get(name)) for values in methods.values())) for name in model.metrics)
    print_table("Walk-forward", ("", *methods), rows)


def _print_holdout(holdout: dict[str, Any]) -> None:
    methods = holdout["methods"]
    known = [name for name in ("ic", "hit_rate", "log_loss", "mae", "coverage_80") if name in methods["model"]]
    title = f"Sealed holdout, {holdout['first']} to {holdout['last']}, opened for {holdout['opened']} models"
    print_table(title, ("", *methods), ((n, *(_cell(_value(of.get(n))) for of in methods.values())) for n in known))


def _value(measure: Any) -> float | None:
    """A measure that stands alone, or with its interval."""
    found: float | None = measure["value"] if isinstance(measure, dict) else measure
    return found


def _number(model: RegisteredModel, name: str) -> str:
    return _cell(model.metrics.get(name))


def _share(model: RegisteredModel, name: str) -> str:
    value = model.metrics.get(name)
    return "" if value is None else f"{value:.1%}"


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if value >= 100 else f"{value:.4f}"


def _age(at: datetime, now: datetime) -> str:
    hours = (now - at).total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 48 else f"{hours / 24:.0f} d"
