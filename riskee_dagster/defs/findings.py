"""What is odd in the stored bars, where whoever runs the platform sees it. It blocks nothing: the rows are real."""

import dagster as dg

from riskee_dagster.declare import table_check
from riskee_dagster.resources import RiskeeParam

# Of thousands the first ones show what they are like; `riskee data show --findings` has all.
_SHOWN = 50


@table_check("market_data")
def bars_are_plausible(riskee: RiskeeParam) -> dg.AssetCheckResult:
    """No split contradicts its price, no price doubles overnight, no session is missing or without a trade.

    What a history is not (late listings, survivors only, closes only) is counted, and no reason for a warning.
    """
    from riskee.storage.database import database_errors
    from riskee.storage.findings import DOUBTFUL, read_findings

    with database_errors(), riskee.engine.connect() as connection:
        found = read_findings(connection)
    kinds = sorted({one.kind for one in found})
    doubtful = [one for one in found if one.kind in DOUBTFUL]
    rows = [f"| {one.kind} | {one.ticker} | {one.session} | {one.detail} | {one.source} |" for one in doubtful[:_SHOWN]]
    table = "\n".join(["| kind | ticker | session | what | source |", "|---|---|---|---|---|", *rows])
    return dg.AssetCheckResult(
        passed=not doubtful,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(doubtful)} findings to look at (`riskee data show --findings`), {len(found)} in all",
        metadata={
            "findings": dg.MetadataValue.json({kind.value: sum(one.kind is kind for one in found) for kind in kinds}),
            "to_look_at": dg.MetadataValue.md(table),
        },
    )


CHECKS = [bars_are_plausible]
