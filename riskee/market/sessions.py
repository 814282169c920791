"""The sessions of the exchange (XNYS), from exchange_calendars. Offline: it needs pandas."""

import warnings
from dataclasses import dataclass
from datetime import date, datetime

CALENDAR = "XNYS"
# The calendar's rules say nothing sensible before.
EARLIEST = date(1950, 1, 1)


@dataclass(frozen=True, slots=True)
class Session:
    """One trading session; times are UTC."""

    session_date: date
    opens_at: datetime
    closes_at: datetime


def exchange_sessions(first: date, last: date) -> list[Session]:
    """The sessions from `first` to `last`, both included, as far as the calendar's rules reach (1950 and later)."""
    if last < max(first, EARLIEST):
        return []
    import exchange_calendars
    import pandas as pd

    with warnings.catch_warnings():
        # exchange_calendars 4.13 reads `Series.values`, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        # A calendar must hold at least one session, so it is asked for a little more than wanted.
        calendar = exchange_calendars.get_calendar(
            CALENDAR,
            start=pd.Timestamp(max(first, EARLIEST)) - pd.Timedelta(days=14),
            end=pd.Timestamp(last) + pd.Timedelta(days=14),
        )
    schedule = calendar.schedule.loc[pd.Timestamp(first) : pd.Timestamp(last), ["open", "close"]]
    return [
        Session(row.Index.date(), row.open.to_pydatetime(), row.close.to_pydatetime()) for row in schedule.itertuples()
    ]
