"""How old an asset may become before the UI says so: by group, for what a schedule of the profile keeps fresh."""

from datetime import timedelta

import dagster as dg

from riskee.settings import Settings
from riskee_dagster.declare import pinned_beta

# Every hour, on each profile. A laptop that was closed for the night is not yet a fault.
_HOURLY = (timedelta(days=1), timedelta(days=3))
# On the evenings of business days: a weekend with a holiday is not late.
_NIGHTLY = (timedelta(days=4), timedelta(days=5))
_WEEKLY = (timedelta(days=8), timedelta(days=15))
# (warns after, fails after) by group.
LIMITS = {
    "outcomes": _HOURLY,
    "monitoring": _HOURLY,
    "ingestion": _NIGHTLY,
    "staging": _NIGHTLY,
    "features": _NIGHTLY,
    "marts": _NIGHTLY,
    "documents": _NIGHTLY,
    "embeddings": _NIGHTLY,
    "models": _WEEKLY,
}
# Scheduled on every profile. The others are made on the embedded stack when a person imports or asks for it.
EVERYWHERE = frozenset({"outcomes", "monitoring"})


def with_freshness(assets: dg.AssetsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """The same assets with the freshness policies of their groups."""

    def apply(spec: dg.AssetSpec) -> dg.AssetSpec:
        group = spec.group_name or ""
        if group not in LIMITS or (settings.profile == "embedded" and group not in EVERYWHERE):
            return spec
        warn, fail = LIMITS[group]
        policy = dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=warn)
        return spec.replace_attributes(freshness_policy=policy)

    with pinned_beta():
        return assets.map_asset_specs(apply)
