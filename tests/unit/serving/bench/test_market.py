"""The made-up market's calendar: a session runs whenever it is made."""

from datetime import UTC, datetime, timedelta

import pytest

from serving.bench.market import _calendar


@pytest.mark.parametrize("hour", [0, 1, 12, 23])
def test_one_session_runs_at_any_hour(hour: int) -> None:
    now = datetime(2026, 11, 23, hour, 27, tzinfo=UTC)
    past, running, ahead = _calendar(now)
    days = [session.session_date for session in (*past, running, *ahead)]
    assert days == sorted(set(days)), "each day has one session"
    assert running.session_date == now.date()
    assert running.opens_at <= now < running.closes_at
    assert ahead[0].opens_at - running.opens_at == timedelta(days=1)
