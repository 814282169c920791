"""What a watch asset keeps of its test for drift, from one materialisation to the next."""

from datetime import date
from typing import Any

import dagster as dg
import msgspec
import pytest

from riskee.model.drift import Drift
from riskee.model.drift_block import BlockTest
from riskee_dagster.defs.monitoring import BLOCK, _tested, watch_key

TESTED = BlockTest("v1", date(2020, 3, 31), 60, 0.05, Drift(0.025, 39, {"rsi_14": 0.3}, {"rsi_14": 0.1}, ("rsi_14",)))


def stored(value: Any) -> BlockTest | None:
    with dg.DagsterInstance.ephemeral() as instance:
        metadata = {BLOCK: dg.MetadataValue.json(value)}
        instance.report_runless_asset_event(dg.AssetMaterialization(watch_key("normal"), metadata=metadata))
        assert _tested(instance, "earnings") is None
        return _tested(instance, "normal")


@pytest.mark.parametrize("block", [TESTED, BlockTest("v1", date(2020, 3, 31), 60, 0.05), None])
def test_the_last_test_is_read_back(block: BlockTest | None) -> None:
    assert stored(msgspec.to_builtins(block)) == block


def test_what_another_version_wrote_is_tested_again() -> None:
    assert stored({"version": "v1", "end": "2020-03-31"}) is None
