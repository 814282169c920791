"""Flags of a wave as bits, and hours in which a quote is of its session."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from riskee.market.sessions import Session
from riskee.messaging.messages import Flag
from serving.consumers.announced import Announced
from serving.consumers.flagging import bits_of, flags_of

DAY = date(2026, 1, 5)
OPENS = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
CLOSES = OPENS + timedelta(hours=6.5)


@given(st.dictionaries(st.sampled_from(Flag), st.booleans() | st.lists(st.booleans(), min_size=3, max_size=3)))
def test_each_prediction_has_its_flags_in_the_declared_order(raised: dict[Flag, bool | list[bool]]) -> None:
    given_flags = {flag: np.array(each) if isinstance(each, list) else each for flag, each in raised.items()}
    wanted = [
        tuple(flag for flag in Flag if np.broadcast_to(np.asarray(raised.get(flag, False)), 3)[row]) for row in range(3)
    ]
    assert flags_of(bits_of(given_flags, 3)) == wanted


def test_a_quote_is_of_its_session_from_the_open_until_the_earliest_close() -> None:
    announced = Announced(calendar={DAY: Session(DAY, OPENS, CLOSES)})
    moments = [OPENS - timedelta(microseconds=1), OPENS, CLOSES - timedelta(microseconds=1), CLOSES]
    assert announced.outside(DAY, moments) == [True, False, False, True]
    announced.closed_at, announced.closed_on = CLOSES - timedelta(hours=1), DAY
    assert announced.outside(DAY, moments) == [True, False, True, True]
    assert announced.outside(DAY + timedelta(days=1), moments) == [False] * 4, "neither calendar nor feed tell of it"
