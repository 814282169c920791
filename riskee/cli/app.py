"""The commands, put together, and what a person sees when one fails."""

import sys
from typing import Annotated

import typer

from riskee.cli import (
    backfill,
    backup,
    bench,
    certs,
    data,
    dead_letters,
    doctor,
    documents,
    explain,
    fetch,
    keys,
    logs,
    models,
    predictions,
    replay,
    reproduce,
    retrain,
    settings,
    sizes,
    sql,
    stack,
    track_record,
    verify,
    watch,
)
from riskee.cli.console import show_defect, show_error
from riskee.cli.overview import Overview
from riskee.errors import RiskeeError

DEBUG = "--debug"

app = typer.Typer(
    name="riskee",
    cls=Overview,
    help="Real-time stock price predictions, each with an explanation.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    debug: Annotated[bool, typer.Option(DEBUG, help="Show Python's traceback when something fails.")] = False,
) -> None:
    """Real-time stock price predictions, each with an explanation."""


# The page of --help shows them in the order in which they first come here, commands before groups of commands.
_STACK, _PREDICTIONS, _MODELS, _DATA, _SYSTEM = "Stack", "Predictions", "Models", "Data", "System"
app.command(rich_help_panel=_STACK)(stack.up)
app.command(rich_help_panel=_STACK)(stack.down)
app.command(rich_help_panel=_STACK)(stack.status)
app.command(rich_help_panel=_STACK)(logs.logs)
app.command(rich_help_panel=_STACK)(doctor.doctor)
app.command(rich_help_panel=_PREDICTIONS)(predictions.predict)
app.command(rich_help_panel=_PREDICTIONS)(explain.explain)
app.command(rich_help_panel=_PREDICTIONS)(watch.watch)
app.command(rich_help_panel=_PREDICTIONS)(replay.replay)
data.app.command()(fetch.fetch)
data.app.command()(sizes.sizes)
data.app.command("dead-letters")(dead_letters.dead_letters)
models.app.command()(retrain.retrain)
app.add_typer(models.app, name="models", rich_help_panel=_MODELS)
app.command("track-record", rich_help_panel=_MODELS)(track_record.track_record)
app.command(rich_help_panel=_MODELS)(reproduce.reproduce)
verify.app.command("track-record")(track_record.verify)
app.add_typer(data.app, name="data", rich_help_panel=_DATA)
app.command(rich_help_panel=_DATA)(backfill.backfill)
app.add_typer(documents.app, name="documents", rich_help_panel=_DATA)
app.add_typer(sql.app, name="sql", rich_help_panel=_DATA)
app.add_typer(verify.app, name="verify", rich_help_panel=_DATA)
app.command(rich_help_panel=_SYSTEM)(settings.settings)
app.command(rich_help_panel=_SYSTEM)(certs.certs)
app.add_typer(keys.app, name="keys", rich_help_panel=_SYSTEM)
app.add_typer(backup.app, name="backup", rich_help_panel=_SYSTEM)
app.add_typer(bench.app, name="bench", rich_help_panel=_SYSTEM)


def main() -> None:
    """Run one command; exit with 1 and its cause and next step when it fails."""
    # Taken out here, so that it may stand anywhere on the line.
    debug = DEBUG in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != DEBUG]
    try:
        app(prog_name="riskee")
    except RiskeeError as error:
        if debug:
            raise
        show_error(error, json="--json" in sys.argv)
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        show_defect(error)
        sys.exit(70)
