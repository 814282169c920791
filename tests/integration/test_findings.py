"""Findings in a real database: written once, counted, kept with their first moment."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from riskee.clock import FixedClock
from riskee.market.importing import import_file
from riskee.market.sessions import exchange_sessions
from riskee.storage.findings import Finding, Kind, add_findings, count_findings, read_findings
from tests.integration.test_importing import csv
from tests.unit.market.frames import NOW, bars

pytestmark = pytest.mark.integration


def found(day: int, detail: str = "x") -> Finding:
    return Finding("AAPL", date(2012, 7, day), Kind.GAP, detail)


def test_a_finding_that_is_found_again_keeps_its_moment_and_takes_what_is_said_now(engine: Engine) -> None:
    later: datetime = NOW + timedelta(days=1)
    with engine.begin() as connection:
        add_findings(connection, [found(2), found(2, "y"), found(3)], "a", NOW)
        add_findings(connection, [found(3, "z")], "b", later)
        add_findings(connection, [], "b", later)
        stored = read_findings(connection)
        assert count_findings(connection) == {Kind.GAP: 2}
        assert read_findings(connection, "IBM") == []
    assert [(one.session.day, one.detail, one.source, one.found_at) for one in stored] == [
        (2, "y", "a", NOW), (3, "z", "b", NOW),
    ]  # fmt: skip


def test_an_import_writes_down_what_is_odd_once(engine: Engine, tmp_path: Path) -> None:
    frame = bars(("AAPL", "IBM"))
    frame.loc[1, "volume"] = 0.0
    frame = frame.drop(index=4)
    path = csv(tmp_path, frame)
    for _ in range(2):
        report = import_file(engine, path, FixedClock(NOW))
        assert report.flags == {"zero_volume": 1, "late_listing": 1}
    with engine.connect() as connection:
        stored = read_findings(connection)
    assert [(one.ticker, one.session.day, one.kind, one.source) for one in stored] == [
        ("IBM", 3, Kind.LATE_LISTING, "file:prices.csv"), ("AAPL", 3, Kind.ZERO_VOLUME, "file:prices.csv"),
    ]  # fmt: skip


def test_a_mended_bar_takes_its_finding_along_and_others_keep_theirs(engine: Engine, tmp_path: Path) -> None:
    frame = bars(("AAPL", "IBM"))
    frame.loc[[1, 5], "volume"] = 0.0
    import_file(engine, csv(tmp_path, frame), FixedClock(NOW))
    frame.loc[1, "volume"] = 900.0
    import_file(engine, csv(tmp_path, frame[frame["ticker"] == "AAPL"], "mended.csv"), FixedClock(NOW))
    with engine.connect() as connection:
        stored = read_findings(connection)
    assert [(one.ticker, one.session.day, one.kind) for one in stored] == [("IBM", 3, Kind.ZERO_VOLUME)]


def test_a_source_that_repeats_itself_takes_no_finding_of_the_stored_bar_away_and_adds_none(
    engine: Engine, tmp_path: Path
) -> None:
    """The second file's bars are stored; it has a bar without volume where the first has one, and the other way."""
    older, newer = bars(), bars()
    older.loc[2, "volume"] = 0.0
    newer.loc[1, "volume"] = 0.0
    for frame, name in ((older, "a.csv"), (newer, "b.csv"), (older, "a.csv")):
        report = import_file(engine, csv(tmp_path, frame, name), FixedClock(NOW))
    assert report.bars.unchanged == len(older)
    with engine.connect() as connection:
        stored = read_findings(connection)
    assert [(one.session.day, one.kind, one.source) for one in stored] == [(3, Kind.ZERO_VOLUME, "file:b.csv")]


def test_a_file_with_the_same_bars_and_more_closes_the_gap_of_another(engine: Engine, tmp_path: Path) -> None:
    days = [session.session_date for session in exchange_sessions(date(2012, 6, 1), date(2012, 7, 6))]
    frame = bars().iloc[[0] * len(days)].reset_index(drop=True).assign(session=days)
    import_file(engine, csv(tmp_path, frame.drop(index=9), "a.csv"), FixedClock(NOW))
    with engine.connect() as connection:
        assert [(one.session, one.kind) for one in read_findings(connection)] == [(days[10], Kind.GAP)]
    assert import_file(engine, csv(tmp_path, frame, "b.csv"), FixedClock(NOW)).bars.new == 1
    with engine.connect() as connection:
        assert read_findings(connection) == []
