"""The exchange's sessions."""

from datetime import UTC, date, datetime

from riskee.market.sessions import Session, exchange_sessions


def test_a_week_with_a_holiday_and_an_early_close() -> None:
    assert exchange_sessions(date(2012, 7, 2), date(2012, 7, 8)) == [
        Session(
            date(2012, 7, day), datetime(2012, 7, day, 13, 30, tzinfo=UTC), datetime(2012, 7, day, hour, tzinfo=UTC)
        )
        for day, hour in ((2, 20), (3, 17), (5, 20), (6, 20))
    ]


def test_new_york_changes_its_clocks_and_utc_does_not() -> None:
    """Summer time began on Sunday, 11 March 2012, and ended on Sunday, 4 November."""
    for friday, monday, before, after in (
        (date(2012, 3, 9), date(2012, 3, 12), 14, 13),
        (date(2012, 11, 2), date(2012, 11, 5), 13, 14),
    ):
        sessions = exchange_sessions(friday, monday)
        assert [(one.session_date, one.opens_at.hour) for one in sessions] == [(friday, before), (monday, after)]
        assert {(one.closes_at - one.opens_at).total_seconds() for one in sessions} == {6.5 * 3600}


def test_the_half_day_after_thanksgiving_closes_at_one() -> None:
    wednesday, friday = exchange_sessions(date(2012, 11, 21), date(2012, 11, 23))
    assert wednesday.closes_at == datetime(2012, 11, 21, 21, tzinfo=UTC)
    assert friday.closes_at == datetime(2012, 11, 23, 18, tzinfo=UTC)


def test_a_storm_closed_the_exchange() -> None:
    sessions = exchange_sessions(date(2012, 10, 26), date(2012, 10, 31))
    assert [session.session_date.day for session in sessions] == [26, 31]


def test_a_weekend_and_a_backward_range_have_none() -> None:
    assert exchange_sessions(date(2012, 7, 7), date(2012, 7, 8)) == []
    assert exchange_sessions(date(2012, 7, 8), date(2012, 7, 2)) == []


def test_before_the_calendar_begins_there_is_none() -> None:
    assert exchange_sessions(date(1800, 1, 1), date(1949, 12, 31)) == []
    assert exchange_sessions(date(1800, 1, 1), date(1950, 1, 4))[-1].session_date == date(1950, 1, 4)
