"""Options for a range of days: `--from` and `--to`, both included."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from riskee.errors import PoisonError

_DAY = ["%Y-%m-%d"]

FromDay = Annotated[
    datetime | None, typer.Option("--from", metavar="DATE", formats=_DAY, help="First day, such as 2020-01-31.")
]
ToDay = Annotated[datetime | None, typer.Option("--to", metavar="DATE", formats=_DAY, help="Last day.")]


def days(since: datetime | None, until: datetime | None) -> tuple[date | None, date | None]:
    """The days that the options name. Raises PoisonError when the first is after the last."""
    first, last = (day.date() if day else None for day in (since, until))
    if first and last and first > last:
        raise PoisonError(f"--from {first} is after --to {last}", "name the earlier day first")
    return first, last
