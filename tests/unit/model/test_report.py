"""The report says all that was measured, loads nothing, and its charts are drawings that a reader can read."""

import base64
import dataclasses
import re
from datetime import date, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

from riskee.model import charts
from riskee.model.artifact import report_path
from riskee.model.evidence import MODEL, Bin, DailyIc
from riskee.model.report import NAMES, draw, render, rolling, write_report
from riskee.model.training import TrainingResult, train
from riskee.model.uncertainty import Estimate
from riskee.settings import ModelSettings
from riskee_dagster.evaluation_metadata import CHARTS, training_metadata
from tests.unit.model.made_up import made_up
from tests.unit.model.small import small_artifact, small_evaluation, small_result

MEAN = Estimate(0.02, -0.01, 0.05)


@pytest.fixture(scope="module")
def result() -> TrainingResult:
    return train(made_up(0.5, tickers=24), ModelSettings(), holdout_from=date(2010, 9, 1))


def test_the_report_holds_what_was_measured(result: TrainingResult) -> None:
    page = render(result)
    model = result.evaluation.walk_forward.methods[MODEL]
    assert model.hit_rate is not None
    holdout = result.evaluation.holdout
    assert holdout is not None
    for words in (
        result.artifact.version,
        result.artifact.sha256,
        result.data_sha256,
        result.reason,
        f"{model.hit_rate.value * 100:.1f} %",
        f"{model.log_loss:.5f}",
        f"{holdout.methods[MODEL].log_loss:.5f}",
        f"{holdout.first} to {holdout.last}",
        *NAMES.values(),
        *result.evaluation.regimes,
        *result.evaluation.years,
        *result.evaluation.tickers,
    ):
        assert words in page, words
    assert page.count("<svg") == 6
    assert render(result) == page


def test_the_report_loads_nothing(result: TrainingResult) -> None:
    page = render(result).replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|<script|<link|<img|@import|url\(", page)


def test_words_from_elsewhere_are_text() -> None:
    odd = dataclasses.replace(small_result(small_artifact(), "refused"), reason="<b>odd</b> & more")
    page = render(odd)
    assert "&lt;b&gt;odd&lt;/b&gt; &amp; more" in page


def test_the_smallest_evaluation_has_a_report_too() -> None:
    found = dataclasses.replace(small_evaluation(), holdout=None, daily_ic=DailyIc((), (), ()), regimes={}, years={})
    page = render(dataclasses.replace(small_result(small_artifact(), "promoted"), evaluation=found))
    assert "No sessions were sealed" in page


def test_a_report_is_written_in_place_of_a_former_one(tmp_path: Path) -> None:
    result = small_result(small_artifact(), "promoted")
    path = write_report(tmp_path, result)
    assert path == report_path(tmp_path, result.artifact.version) == write_report(tmp_path, result)
    assert [file.name for file in path.parent.iterdir()] == [f"{result.artifact.version}.html"]
    assert path.read_text() == render(result)


def test_charts_are_well_formed_and_stay_within_their_frame(result: TrainingResult) -> None:
    made = draw(result.evaluation)
    assert set(made) == {"reliability", "importance", "ic_over_time", "methods", "parts", "tickers"}
    for name, chart in made.items():
        root = ElementTree.fromstring(chart)
        _, _, width, height = (float(number) for number in root.attrib["viewBox"].split())
        for shape in root:
            for key in ("x", "x1", "x2", "cx"):
                assert -1 <= float(shape.attrib.get(key, 0)) <= width + 1, (name, shape.attrib)
            for key in ("y", "y1", "y2", "cy"):
                assert -1 <= float(shape.attrib.get(key, 0)) <= height + 1, (name, shape.attrib)


def test_a_chart_that_stands_alone_brings_its_colours() -> None:
    chart = charts.forest_chart([("model", MEAN)], "rank IC", charts.signed, 0.0)
    alone = base64.b64decode(charts.data_uri(chart).split(",", 1)[1]).decode()
    assert "prefers-color-scheme: dark" in alone
    ElementTree.fromstring(alone)


@pytest.mark.parametrize("days", [1, 40, 400, 5000])
def test_a_band_of_any_length_has_dates(days: int) -> None:
    sessions = [date(2012, 3, 1) + timedelta(days=number) for number in range(days)]
    chart = charts.band_chart(sessions, [MEAN] * days, MEAN, "rank IC")
    ElementTree.fromstring(chart)
    assert "nan" not in chart
    if days > 1:
        assert re.search(r">(\w{3} )?20\d\d<", chart)


def test_axes_have_round_values() -> None:
    assert charts.Axis(-0.03, 0.11, 0, 1).ticks() == pytest.approx([0, 0.05, 0.1])
    assert charts.Axis(0.502, 0.531, 0, 1).ticks() == pytest.approx([0.51, 0.52, 0.53])
    assert charts.signed(-0.025) == "\N{MINUS SIGN}0.025"


def test_a_single_bin_is_still_a_chart() -> None:
    bins = (Bin(20, 0.5, Estimate(0.5, 0.5, 0.5)),)
    ElementTree.fromstring(draw(dataclasses.replace(small_evaluation(), reliability=bins))["reliability"])


def test_the_rolling_mean_is_that_of_the_sessions_before() -> None:
    days = tuple(date(2012, 1, 1) + timedelta(days=number) for number in range(90))
    made = rolling(DailyIc(days, (0.0,) * 90, tuple(number / 100 for number in range(90))))
    assert (made.sessions, len(made.mean), made.session[0], made.session[-1]) == (30, 61, days[29], days[-1])
    assert made.mean[0].value == pytest.approx(sum(range(30)) / 3000)


def test_dagster_shows_the_tables_and_the_charts(result: TrainingResult) -> None:
    shown = training_metadata(result)
    assert str(shown["walk_forward"].value).count("\n") == 1 + len(NAMES)
    assert "opened 1 times" in str(shown["holdout"].value)
    for name in CHARTS:
        assert str(shown[name].value).startswith(f"![{name}](data:image/svg+xml;base64,")
