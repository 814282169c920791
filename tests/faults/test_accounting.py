"""The comparison and the bars themselves, each seen to fail."""

import uuid
from typing import Any

import msgspec
import pytest

from riskee.ids import prediction_id
from tests.faults.accounting import Evidence, PredictionRow, violations
from tests.faults.recovery import Recovery, percentile, too_slow
from tests.faults.reporting import Result, table

A, B, C = (uuid.UUID(int=number) for number in range(1, 4))


def row(quote: uuid.UUID, version: str = "m") -> PredictionRow:
    return PredictionRow(prediction_id(quote, "1d", version), quote, "1d", version)


ROWS = [row(A), row(B)]
GOOD: dict[str, Any] = {
    "accepted": {A, B},
    "quotes": [A, B],
    "events": [each.prediction_id for each in ROWS],
    "predictions": ROWS,
    "last_quotes": {B},
    "poison": ["x"],
    "letters": ["x"],
    "quarantined": ["x"],
}


def test_all_is_well() -> None:
    assert violations(Evidence(**GOOD)) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"quotes": [A], "predictions": [row(A)], "last_quotes": {A}}, "1 quotes accepted but not stored"),
        ({"quotes": [A, B, B]}, "1 quotes stored twice"),
        ({"quotes": [A, B, C]}, "1 quotes stored but not accepted"),
        ({"events": []}, "2 predictions stored but not published"),
        ({"predictions": [row(B)]}, "1 predictions published but not stored"),
        ({"predictions": [*ROWS, row(A)]}, "1 predictions stored twice"),
        ({"events": [*GOOD["events"], GOOD["events"][0]]}, "1 events published twice"),
        ({"predictions": [*ROWS, row(C)]}, "1 predictions of quotes that are not stored"),
        ({"predictions": [*ROWS, PredictionRow(C, A, "1d", "m")]}, "1 predictions whose id is not derived"),
        ({"predictions": [*ROWS, PredictionRow(C, A, "1d", "m")]}, "1 quotes predicted twice by a model"),
        ({"last_quotes": {C}}, "1 last quotes without prediction"),
        ({"letters": []}, "1 poison sent but not dead-lettered"),
        ({"letters": ["x", "y"]}, "1 poison dead-lettered but not sent"),
        ({"letters": ["x", "x"]}, "1 poison dead-lettered twice"),
        ({"quarantined": []}, "1 dead letters on the bus but not in quarantine"),
        ({"differences": ["p_up"]}, "1 differences from a run without faults"),
    ],
)
def test_each_bar_can_fail(changed: dict[str, Any], told: str) -> None:
    found = violations(Evidence(**{**GOOD, **changed}))
    assert any(each.startswith(told) for each in found), found


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (1.0, 4.0)])
def test_percentiles_are_values(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value


def test_a_slow_machine_gets_more_time_and_both_times_count() -> None:
    slow = [Recovery(1.0, 6.0)]
    assert too_slow(slow, 5.0, 1.0) == ["recovery p95 6.0 s, allowed 5 s x 1.00"]
    assert too_slow(slow, 5.0, 1.5) == []
    assert too_slow([Recovery(6.0, 1.0)], 5.0, 1.0)


def test_the_table_tells_of_every_result() -> None:
    result = Result("kill", 1.0, 10, 8, 0, (), (Recovery(1.0, 2.0),), 5.0, 1.25)
    lost = msgspec.structs.replace(result, violations=("1 quotes lost",))
    _, good, bad = table([result, lost])
    assert good.split()[:8] == ["kill", "10", "8", "0", "1", "2.0", "2.0", "5"]
    assert good.endswith("ok")
    assert bad.endswith("1 quotes lost")
