"""Sale conditions decide what a trade changes."""

import pytest

from riskee.market.conditions import Effect, effect

ALL, VOLUME, NOTHING = Effect(True, True), Effect(False, True), Effect(False, False)


@pytest.mark.parametrize(
    ("conditions", "tape", "expected"),
    [
        ([" "], "A", ALL),
        (["@"], "C", ALL),
        ([], "C", ALL),
        (["@", "F"], "C", ALL),
        (["@", "O", "X"], "C", ALL),
        ([" ", "6"], "A", ALL),
        (["@", "I"], "C", VOLUME),
        (["@", "4", "I"], "C", VOLUME),
        (["@", "T"], "C", VOLUME),
        ([" ", "Z"], "B", VOLUME),
        ([" ", "7", "V"], "A", VOLUME),
        (["@", "M"], "C", NOTHING),
        ([" ", "Q"], "A", NOTHING),
        (["@", "9", "6"], "C", NOTHING),
        # The same letter, another meaning: average price in New York, bunched at Nasdaq.
        (["B"], "A", VOLUME),
        (["B"], "C", ALL),
        (["W"], "C", VOLUME),
        (["G"], "C", VOLUME),
        (["!"], "C", ALL),
    ],
)
def test_the_strictest_condition_counts(conditions: list[str], tape: str, expected: Effect) -> None:
    assert effect(tuple(conditions), tape) == expected
