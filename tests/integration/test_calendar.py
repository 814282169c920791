"""The earnings calendar: what is known stays, whatever is read in which order."""

from datetime import UTC, date, datetime

import numpy as np
import pytest
from sqlalchemy import Engine, delete, select

from riskee.market.sessions import Session
from riskee.storage.calendar import Report, calendar_mark, reports, write_reports
from riskee.storage.sessions import write_sessions
from riskee.storage.tables import earnings_calendar

pytestmark = pytest.mark.integration

DAY = date(2012, 7, 24)
EARLY, LATE = datetime(2012, 7, 10, tzinfo=UTC), datetime(2012, 7, 25, 13, 30, tzinfo=UTC)
DATES = Report("AAPL", DAY, EARLY, "dates")
ESTIMATED = Report("AAPL", DAY, LATE, "estimates", eps_estimate=10.35)
REPORTED = Report("AAPL", DAY, LATE, "results", eps_estimate=10.36, eps_reported=9.32)


@pytest.mark.parametrize("order", [(DATES, REPORTED), (REPORTED, DATES)])
def test_a_source_without_figures_takes_none_away(engine: Engine, order: tuple[Report, Report]) -> None:
    with engine.begin() as connection:
        for report in order:
            write_reports(connection, [report])
        (row,) = connection.execute(select(earnings_calendar)).all()
        found = reports(connection)["AAPL"]
    assert (row.eps_estimate, row.eps_reported, row.known_at, row.source) == (10.36, 9.32, EARLY, "results")
    assert found.date.astype(str).tolist() == ["2012-07-24"]
    assert found.known_at.astype(str).tolist() == ["2012-07-10T00:00:00.000000"]
    assert (found.eps_estimate.tolist(), found.eps_reported.tolist()) == ([10.36], [9.32])


def test_new_figures_replace_old_ones_and_a_moment_is_rounded_to_no_day(engine: Engine) -> None:
    with engine.begin() as connection:
        write_reports(connection, [ESTIMATED, Report("IBM", DAY, LATE, "dates")])
        write_reports(connection, [REPORTED])
        found = reports(connection)
    assert sorted(found) == ["AAPL", "IBM"]
    assert found["AAPL"].eps_estimate.tolist() == [10.36]
    assert np.isnan(found["IBM"].eps_reported).all()
    assert found["IBM"].known_at.astype(str).tolist() == ["2012-07-25T13:30:00.000000"]
    assert found["IBM"].known_days().astype(str).tolist() == ["2012-07-26"]


def test_of_some_tickers_no_other_is_read(engine: Engine) -> None:
    with engine.begin() as connection:
        write_reports(connection, [REPORTED, Report("IBM", DAY, LATE, "dates"), Report("V", DAY, LATE, "dates")])
        assert sorted(reports(connection, ("AAPL", "V", "MSFT"))) == ["AAPL", "V"]
        assert reports(connection, ()) == {}


def test_the_mark_is_another_one_after_each_change_and_the_same_without(engine: Engine) -> None:
    days = [Session(DAY, EARLY, LATE), Session(date(2012, 7, 25), EARLY, LATE)]
    with engine.begin() as connection:
        marks = [calendar_mark(connection)]
        for reports_now in ([DATES], [ESTIMATED], [REPORTED], [Report("IBM", DAY, LATE, "dates")]):
            write_reports(connection, reports_now)
            marks.append(calendar_mark(connection))
        write_reports(connection, [REPORTED])
        assert calendar_mark(connection) == marks[-1]
        connection.execute(delete(earnings_calendar).where(earnings_calendar.c.ticker == "IBM"))
        assert calendar_mark(connection) == marks[3]
        for each in days:
            write_sessions(connection, [each])
            marks.append(calendar_mark(connection))
    assert len(set(marks)) == len(marks)


@pytest.mark.parametrize("eps", [float("nan"), float("inf")])
def test_an_eps_that_is_no_number_is_refused(eps: float) -> None:
    with pytest.raises(ValueError, match="AAPL on 2012-07-24"):
        Report("AAPL", DAY, EARLY, "made", eps_reported=eps)
