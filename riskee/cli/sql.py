"""`riskee sql …`: the SQL models without Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from riskee.cli.console import Json, console, print_json, print_table, styled
from riskee.cli.days import FromDay, ToDay, days
from riskee.cli.runtime import open_engine, read_settings
from riskee.errors import NotFoundError, PoisonError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dbt_like_sql import Graph, Model, ModelRun

app = typer.Typer(help="Run, test and read the SQL models.", no_args_is_help=True)
Names = Annotated[list[str] | None, typer.Argument(metavar="MODEL", help="All, when none is named.")]


@app.command()
def run(
    models: Names = None,
    full: Annotated[bool, typer.Option("--full", help="Compute every row, changed or not.")] = False,
    since: FromDay = None,
    until: ToDay = None,
    json: Json = False,
) -> None:
    """Bring models up to date: compute what changed since their last run, test it, keep it.

    With days their sessions are computed besides, changed or not.
    """
    from dbt_like_sql import graph, parameters
    from dbt_like_sql import run as run_models
    from riskee.cli.board import make_board

    settings, known = read_settings(), graph()
    chosen, done = _chosen(known, models), list["ModelRun"]()
    first, last = days(since, until)
    with open_engine(settings) as engine, make_board(error=json) as board, board.task("Running the SQL models") as task:

        def told(one: ModelRun) -> None:
            done.append(one)
            task.advance(len(done), len(chosen), f"{one.name}: {one.changed:,} rows changed, {one.seconds:.1f} s")

        run_models(engine, parameters(settings), chosen, told, since=first, until=last, full=full, models=known)
    if json:
        print_json(done)
        return
    header = ("model", "rows", "computed", "changed", "tests", "seconds", "what was computed")
    numbers = ((m.name, f"{m.rows:,}", f"{m.computed:,}", f"{m.changed:,}", m) for m in done)
    print_table("", header, ((*cells, _told(m.tests), f"{m.seconds:.1f}", m.scope) for *cells, m in numbers))


def _told(tests: Mapping[str, int]) -> object:
    """How many tests were run; no more than a warning fails in a run that ends well."""
    warnings = sum(wrong > 0 for wrong in tests.values())
    return styled(f"{len(tests)}, {warnings} warn", "yellow") if warnings else len(tests)


@app.command("test")
def run_checks(models: Names = None, json: Json = False) -> None:
    """Run the tests on the rows as they are; exit with 1 where one fails."""
    from dbt_like_sql import graph, parameters, run_tests
    from riskee.cli.board import make_board

    settings, known = read_settings(), graph()
    chosen = _chosen(known, models)
    with open_engine(settings) as engine, make_board(error=json) as board, board.task("Testing the SQL models") as task:
        found = run_tests(engine, parameters(settings), chosen, task.tell, known)
    wrong = [one for one in found if one.wrong]
    broken = [one for one in wrong if not one.warn]
    if json:
        print_json(found)
    else:
        cells = ((o.model, o.test, o.description, styled(f"{o.wrong:,}", "yellow" if o.warn else "red")) for o in wrong)
        if wrong:
            print_table("", ("model", "test", "what must hold", "wrong rows"), cells)
        typer.echo(f"{len(found)} tests of {len(chosen)} models: {len(found) - len(wrong)} hold")
    if broken:
        names = ", ".join(f"{one.model}.{one.test}" for one in broken)
        raise PoisonError(f"{len(broken)} of {len(found)} tests fail: {names}", "mend the data or the model")


@app.command()
def docs(json: Json = False) -> None:
    """Print the page of all models (Markdown): graph, columns with units and origins, tests, SQL."""
    from dbt_like_sql import render_docs

    page = render_docs()
    if json:
        print_json({"markdown": page})
        return
    typer.echo(page, nl=False)


@app.command()
def show(model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)], json: Json = False) -> None:
    """Show one model: lineage, columns, compiled SQL, and how many rows it has where the database answers."""
    from dbt_like_sql import graph

    known = graph()
    chosen = known.by_name[_chosen(known, [model])[0]]
    found = _described(known, chosen) | _stored(chosen)
    if json:
        print_json(found)
    else:
        _print_model(found)


def _described(known: Graph, model: Model) -> dict[str, Any]:
    """What the files say of a model."""
    from dbt_like_sql import checks_of, column_lineage

    origins = column_lineage(model, known)
    columns = [
        {
            "name": name,
            "unit": column.unit,
            "description": column.description,
            "from": [f"{table}.{other}" for table, other in origins.get(name, ())],
        }
        for name, column in model.header.columns.items()
    ]
    return {
        "name": model.name,
        "relation": model.relation,
        "materialized": model.header.materialized,
        "description": model.header.description.strip(),
        "reads": [*model.refs, *model.sources],
        "read_by": [other.name for other in known.models if model.name in other.refs],
        "columns": columns,
        "tests": [check.name for check in checks_of(model, known)],
        "sql": model.compiled_sql(known.relations),
    }


def _stored(model: Model) -> dict[str, Any]:
    """How many rows it has and when it last ran; what is not known is None."""
    from dbt_like_sql import stored_state

    try:
        with open_engine(read_settings()) as engine:
            rows, ran_at = stored_state(engine, model)
    except RetryableError as error:
        return {"rows": None, "ran_at": None, "database": error.cause}
    return {"rows": rows, "ran_at": ran_at, "database": "answers"}


def _print_model(found: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.syntax import Syntax

    out = console()
    rows = "rows unknown: " + found["database"] if found["rows"] is None else f"{found['rows']:,} rows"
    ran = f", ran at {found['ran_at']:%Y-%m-%d %H:%M} UTC" if found["ran_at"] else ""
    out.print(f"[bold]{found['relation']}[/]  {found['materialized']}, {escape(rows)}{ran}")
    typer.echo(found["description"])
    typer.echo(f"reads    {', '.join(found['reads'])}")
    typer.echo(f"read by  {', '.join(found['read_by']) or 'no model'}")
    cells = ((c["name"], c["unit"], c["description"], ", ".join(c["from"])) for c in found["columns"])
    print_table("", ("column", "unit", "meaning", "from"), cells)
    typer.echo(f"tests    {', '.join(found['tests'])}\n")
    out.print(Syntax(found["sql"], "sql", background_color="default"))


def _chosen(known: Graph, names: list[str] | None) -> list[str]:
    """The named models in running order. Raises NotFoundError for an unknown one."""
    unknown = sorted(set(names or ()) - known.by_name.keys())
    if unknown:
        raise NotFoundError(f"there is no model {', '.join(unknown)}", f"known: {', '.join(sorted(known.by_name))}")
    return [model.name for model in known.select(names or None)]
