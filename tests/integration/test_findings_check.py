"""Dagster's check of what is odd in the bars: it warns, and blocks nothing."""

from datetime import date

import dagster as dg
import pytest

from riskee.settings import Settings
from riskee.storage.findings import Finding, Kind, add_findings
from riskee_dagster.defs.findings import CHECKS, bars_are_plausible
from riskee_dagster.resources import Platform
from tests.unit.market.frames import NOW

pytestmark = pytest.mark.integration
LATE = Finding("FB", date(2012, 5, 18), Kind.LATE_LISTING, "the first bar")
SPLIT = Finding("GNRC", date(2010, 2, 12), Kind.SUSPICIOUS_SPLIT, "split 0.30")


def checked(settings: Settings, *findings: Finding) -> dg.AssetCheckResult:
    """What the check says of these findings."""
    platform = Platform(settings)
    try:
        with platform.engine.begin() as connection:
            add_findings(connection, findings, "file:prices.csv", NOW)
        result = bars_are_plausible(riskee=platform)
        assert isinstance(result, dg.AssetCheckResult)
        return result
    finally:
        platform.close()


def test_what_a_history_is_not_is_counted_and_no_warning(database_settings: Settings) -> None:
    result = checked(database_settings, LATE)
    assert result.passed
    assert result.metadata["findings"].value == {"late_listing": 1}


def test_what_may_be_wrong_is_a_warning_that_shows_it(database_settings: Settings) -> None:
    result = checked(database_settings, LATE, SPLIT)
    assert (result.passed, result.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "| suspicious_split | GNRC | 2010-02-12 | split 0.30 | file:prices.csv |" in str(
        result.metadata["to_look_at"].value
    )
    assert "FB" not in str(result.metadata["to_look_at"].value)


def test_it_blocks_nothing() -> None:
    assert not any(spec.blocking for check in CHECKS for spec in check.check_specs)
