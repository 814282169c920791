"""`python -m riskee_dagster.reference`: the lists in docs/dagster.md, written from the definitions."""

from collections.abc import Iterable
from pathlib import Path

import dagster as dg

from riskee_dagster.definitions import riskee

PAGE = Path(__file__).parents[1] / "docs" / "dagster.md"
BEGIN, END = "<!-- generated: python -m riskee_dagster.reference -->", "<!-- end of the generated part -->"


def render(page: str, definitions: dg.Definitions) -> str:
    """The page with its generated part as the definitions have it. Raises ValueError for a page without such a part."""
    before, found, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"the page lacks {BEGIN} or {END}")
    return "".join([before, BEGIN, "\n\n", _lists(definitions), "\n", END, after])


def _lists(definitions: dg.Definitions) -> str:
    graph = definitions.resolve_asset_graph()
    groups: dict[str, list[dg.AssetKey]] = {}
    for key in sorted(graph.get_all_asset_keys()):
        groups.setdefault(graph.get(key).group_name or "", []).append(key)
    assets = [
        (
            name,
            ", ".join(f"`{key.to_user_string()}`" + " (by day)" * graph.get(key).is_partitioned for key in keys),
            ", ".join(sorted({pool for key in keys for pool in graph.get(key).pools or ()})),
        )
        for name, keys in groups.items()
    ]  # fmt: skip
    jobs = [(f"`{job.name}`", job.description) for job in definitions.jobs or ()]
    ticks = [
        (f"`{one.name}`", f"`{one.cron_schedule}` {one.execution_timezone}", f"`{one.job_name}`", _status(one))
        for one in definitions.schedules or ()
        if isinstance(one, dg.ScheduleDefinition)
    ]
    ticks += [(f"`{one.name}`", "each minute", f"`{one.job_name}`", _status(one)) for one in definitions.sensors or ()]
    return "\n".join(
        [
            *_table(("group", "assets", "pool"), assets), "",
            *_table(("job", "what it makes"), jobs), "",
            *_table(("schedule or sensor", "when", "job", "on the embedded stack"), ticks),
        ]
    )  # fmt: skip


def _status(one: dg.ScheduleDefinition | dg.SensorDefinition) -> str:
    return str(one.default_status.value).lower()


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> list[str]:
    head = list(header)
    return [f"| {' | '.join(map(str, row))} |" for row in (head, ["---"] * len(head), *rows)]


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(), riskee()))
