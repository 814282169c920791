"""The report of a measurement: bars and targets, tables, the page and its pictures."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from serving.bench import targets
from serving.bench.charts import charts
from serving.bench.floor import DIFFERENCES
from serving.bench.latency import carried
from serving.bench.loads import Turn
from serving.bench.options import Options
from serving.bench.performance import performance
from serving.bench.report import HEADING, conditions, markdown, tables, target_row, write
from serving.bench.result import Measured
from serving.bench.target import Target
from tests.unit.serving.bench.made import measured


def bar(found: Measured, words: str) -> Target:
    (only,) = (target for target in targets.bars(found) if words in f"{target.what}.")
    return only


def test_the_product_is_held_against_the_floor_that_ran_beside_it() -> None:
    against = bar(measured(predict_p99=5.0), "p99 to the durable event against")
    assert against.measured == pytest.approx(1.67)
    assert against.met
    assert not bar(measured(predict_p99=6.6), "p99 to the durable event against").met
    assert bar(measured(), "CPU a quote against").measured == pytest.approx(1.4)
    assert bar(measured(), "CPU an event against the bare").measured == pytest.approx(1.1)
    assert bar(measured(), "CPU an event against that of the floor as usually").measured == pytest.approx(0.88)


def _with_turns(p99s: Sequence[float]) -> Measured:
    """Beside a floor that had 3 ms in each turn."""
    found = measured()
    turns = {targets.ALL_SERVICES: p99s, "floor": [3.0] * len(p99s)}
    found.loads = [
        msgspec.structs.replace(load, turns=[Turn(p99=p99, cpu_us=load.cpu_us) for p99 in turns[load.target]])
        for load in found.loads
        if load.target in turns
    ]
    return found


@pytest.mark.parametrize(
    ("p99s", "ratio", "told"),
    [
        ([3.0, 9.0], 3.0, "**missed**, turns 1.00, 3.00 (the worse counts)"),
        ([9.0, 3.0, 4.5], 1.5, "met, turns 3.00, 1.00, 1.50 (the median counts)"),
        ([9.0], 3.0, "**missed**, turn 3.00"),
    ],
)
def test_of_two_turns_the_worse_counts_of_more_the_median(p99s: Sequence[float], ratio: float, told: str) -> None:
    against = bar(_with_turns(p99s), "p99 to the durable event against")
    assert against.measured == pytest.approx(ratio)
    assert target_row(against)[-1].split(";")[0] == told


def test_what_the_bare_floor_does_without_stands_once_above_the_bars() -> None:
    found = measured()
    found.differences = DIFFERENCES
    page = markdown(found, [])
    assert page.count("validation, envelope, ids") == 1
    title, note, header = page[page.index("**Bars of") :].split("\n\n")[:3]
    assert (title, note) == ("**Bars of the live path**", f"T{DIFFERENCES[1:]}.")
    assert header.startswith("| what |")


def test_a_measurement_that_does_not_tell_of_its_floor_had_an_earlier_one() -> None:
    told = msgspec.json.decode(msgspec.json.encode(measured()))
    del told["differences"]
    earlier = msgspec.convert(told, Measured)
    assert "lighter client" in next(iter(tables(earlier))).note


def test_by_itself_a_pair_has_turns_enough_for_a_median() -> None:
    assert Options().repeats >= 3


def test_a_backlog_without_the_usual_floor_says_that_its_ratio_was_not_measured() -> None:
    found = measured()
    found.drains = [drain for drain in found.drains if drain.what != targets.USUAL_FLOOR]
    assert bar(found, "CPU an event against that of the floor as usually").measured is None


@pytest.mark.parametrize(("drained", "met"), [(8000.0, True), (7999.0, False)])
def test_of_backlogs_the_median_counts(drained: float, met: bool) -> None:
    target = bar(measured(drained=drained), "backlog: predict, record stopped.")
    assert (target.measured, target.met) == (drained, met)


@pytest.mark.parametrize(
    ("words", "found", "met"),
    [("backlog: predict beside record.", 7400, False), ("backlog: record beside predict.", 6900, True)],
)
def test_a_backlog_is_held_against_its_bar_beside_the_other_service_too(words: str, found: int, met: bool) -> None:
    target = bar(measured(), words)
    assert (target.measured, target.met, target.detail) == (found, met, "of 200")


def _performance(found: Measured, words: str) -> Target:
    (only,) = (target for target in performance(found) if words in target.what)
    return only


def _with_markets(p99s: dict[int, float]) -> Measured:
    """The product at the rate of the pair; of each size of market the p99 everywhere is this, the p99.9 twice it."""
    found = measured()
    whole = next(load for load in found.loads if (load.target, load.rate) == ("product", 1000))
    found.loads = []
    for tickers, p99 in p99s.items():
        seen = {
            name: msgspec.structs.replace(latency, count=10_000, p99=p99, p999=2 * p99)
            for name, latency in whole.latency.items()
        }
        found.loads.append(msgspec.structs.replace(whole, tickers=tickers, latency=seen))
    return found


@pytest.mark.parametrize("worst", [100, 1000, 5000])
def test_end_to_end_is_of_the_worst_market_which_is_named(worst: int) -> None:
    found = _with_markets({100: 24.5, 1000: 24.5, 5000: 24.5} | {worst: 63.8})
    end_to_end = _performance(found, "end to end")
    assert (end_to_end.measured, target_row(end_to_end)[-1]) == (
        63.8,
        f"met, {worst:,} tickers, the worst of 3 markets",
    )
    found.loads[0] = msgspec.structs.replace(found.loads[0], void=True)
    assert (_performance(found, "end to end").measured, _performance(found, "end to end").note) == (None, targets.VOID)


def test_p999_is_judged_where_somebody_listens_too() -> None:
    found = _with_markets({100: 20.0, 1000: 26.0, 5000: 10.0})
    judged = bar(found, "product, 1,000/s: p99.9 to the durable event.")
    assert (judged.measured, judged.met) == (52.0, False)
    assert target_row(judged)[-1] == "**missed**, 1,000 tickers, the worst of 3 markets"
    seen = {name: msgspec.structs.replace(latency, count=9_999) for name, latency in found.loads[2].latency.items()}
    found.loads[2] = msgspec.structs.replace(found.loads[2], latency=seen)
    assert bar(found, "product, 1,000/s: p99.9").note == targets.TOO_FEW, "the worst may be the one that tells none"


def test_beside_a_ratio_of_latency_stands_what_the_services_took_that_follow_an_event() -> None:
    found = measured()
    for place, load in enumerate(found.loads):
        spent = {"record": 96.0, "api": 107.0} if load.target == targets.ALL_SERVICES else {"record": 2.0, "api": 6.0}
        found.loads[place] = msgspec.structs.replace(load, cpu_us={**load.cpu_us, **spent})
    against = bar(found, "p99 to the durable event against")
    # With made-up 30 us of PostgreSQL, which beside the floor has nothing to do.
    assert against.detail.endswith("record, api and postgres took 225 us a quote more than beside the floor")


def test_of_rows_that_are_inserted_half_are_predictions() -> None:
    assert _performance(measured(), "inserted predictions").measured == 7500


def test_the_latest_of_every_ticker_says_how_many_are_looked_up() -> None:
    assert _performance(measured(), "prediction of every ticker").detail.startswith("5,000 index probes")


def test_the_predictions_of_one_process_are_those_beside_record() -> None:
    assert _performance(measured(), "of one process").measured == 7400


def test_each_load_tells_its_repeats() -> None:
    found = measured()
    found.loads[0] = msgspec.structs.replace(found.loads[0], repeats=2)
    table = next(table for table in tables(found) if table.title.startswith("Latency"))
    assert [row[table.header.index("repeats")] for row in table.rows][:2] == ["2", "3"]
    assert "3 repeats (`product` at its rates 2)" in conditions(found)


def test_a_lost_message_misses_the_bar() -> None:
    assert bar(measured(), "backlogs: missing").met
    for lost in ({"missing": 1}, {"refused": 1}):
        found = measured()
        found.drains[0] = msgspec.structs.replace(found.drains[0], **lost)
        assert bar(found, "backlogs: missing").met is False


@pytest.mark.parametrize("place", ["event", "websocket", "redis", "database"])
def test_a_quote_that_was_not_seen_somewhere_misses_the_bar(place: str) -> None:
    assert bar(measured(), "loads and bursts: missing").met
    found = measured()
    found.bursts[0] = msgspec.structs.replace(found.bursts[0], missing={"event": 0, place: 2})
    assert bar(found, "loads and bursts: missing").measured == 2


@pytest.mark.parametrize("half", ["floor", targets.ALL_SERVICES])
def test_where_either_half_is_void_there_is_no_ratio(half: str) -> None:
    found = measured()
    found.loads = [msgspec.structs.replace(load, void=load.target == half) for load in found.loads]
    for words in ("p99 to the durable event against", "CPU a quote against", "services, 1,000/s: p99.9 to"):
        against = bar(found, words)
        assert (against.measured, against.met, against.note) == (None, None, targets.VOID)


def test_void_loads_tell_nothing_of_the_tickers_at_once() -> None:
    found = measured()
    found.loads = [msgspec.structs.replace(load, void=True) for load in found.loads]
    (at_once,) = (target for target in performance(found) if target.what == "tickers at once")
    assert (at_once.measured, at_once.note) == (None, targets.VOID)


def test_the_processor_is_not_compared_where_the_product_is_late() -> None:
    cpu = bar(measured(predict_p99=20.0), "CPU a quote against")
    assert cpu.measured is None
    assert "larger" in cpu.note
    assert bar(measured(predict_p99=5.0), "CPU a quote against").met


def test_a_percentile_is_shown_only_where_values_enough_are_above_it() -> None:
    found = measured()
    few = msgspec.structs.replace(found.bursts[0].latency["redis"], count=120)
    found.bursts[0] = msgspec.structs.replace(found.bursts[0], latency={**found.bursts[0].latency, "redis": few})
    (row,) = next(table for table in tables(found) if table.title.startswith("Every ticker")).rows
    assert row[4].endswith(" / - of 120")
    assert "-" not in row[2]


@pytest.mark.parametrize(("count", "told"), [(9_999, "-"), (10_000, "10.0")])
def test_a_p999_needs_ten_values_above_it(count: int, told: str) -> None:
    found = measured(predict_p99=5.0)
    found.loads = [
        msgspec.structs.replace(
            load, latency={name: msgspec.structs.replace(seen, count=count) for name, seen in load.latency.items()}
        )
        for load in found.loads
    ]
    table = next(table for table in tables(found) if table.title.startswith("Latency"))
    assert {row[table.header.index("p99.9")] for row in table.rows if row[0] == targets.ALL_SERVICES} == {told}
    judged = bar(found, "services, 1,000/s: p99.9 to")
    assert (judged.measured, judged.note) == ((10.0, "") if count == 10_000 else (None, targets.TOO_FEW))
    assert ("p99.9" in charts(found)["live-latency"]) == (count == 10_000)


def test_a_p99_of_too_few_is_not_held_against_the_floors() -> None:
    found = measured()
    found.loads = [
        msgspec.structs.replace(load, latency={"event": msgspec.structs.replace(load.latency["event"], count=999)})
        if load.target == "floor"
        else load
        for load in found.loads
    ]
    against = bar(found, "p99 to the durable event against")
    assert (against.measured, against.note) == (None, targets.TOO_FEW)
    assert bar(found, "CPU a quote against").measured == pytest.approx(1.4)


def test_by_itself_a_load_at_the_rate_of_the_pair_carries_its_p999() -> None:
    assert carried(int(Options().seconds * targets.PAIR_RATE), 99.9)


def test_the_ratio_says_how_many_times_better() -> None:
    least = Target(what="a", bound=1000, unit="/s", measured=5000, at_least=True)
    most = Target(what="b", bound=100, unit="ms", measured=200)
    assert (least.ratio, least.met) == (5, True)
    assert (most.ratio, most.met) == (0.5, False)
    assert Target(what="c", bound=1, unit="", measured=None).met is None


def test_every_target_of_the_owner_has_a_line_even_where_nothing_was_measured() -> None:
    nothing = Measured(machine=measured().machine, model="", sessions=0, options=Options())
    lines = [target.what for target in performance(nothing)]
    assert lines == [target.what for target in performance(measured())]
    assert all(target.measured is None or "not of this run" in target.detail for target in performance(nothing))
    assert [table.title for table in tables(nothing)] == ["Performance targets"]


def test_every_performance_target_has_a_number_or_says_why_not() -> None:
    for target in performance(measured()):
        assert target.measured is not None or target.note.startswith("not measurable here: "), target.what


def test_the_pictures_are_svg() -> None:
    drawn = charts(measured())
    assert set(drawn) == {"live-latency", "live-backlog", "live-cpu"}
    for chart in drawn.values():
        assert ElementTree.fromstring(chart).tag.endswith("svg")
    assert charts(Measured(machine=measured().machine, model="", sessions=0, options=Options())) == {}


def test_a_page_keeps_what_others_wrote_and_takes_the_section_once(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Benchmarks\n\nFirst.\n\n{HEADING}\n\nformer\n\n## Documents\n\nLast.\n")
    write(measured(), page)
    once = page.read_text()
    assert "former" not in once
    assert once.startswith("# Benchmarks\n\nFirst.\n\n## The live path\n")
    assert once.endswith("\n## Documents\n\nLast.\n")
    write(measured(), page)
    assert page.read_text() == once
    for name in charts(measured()):
        assert f"images/{name}.svg" in once
        assert (tmp_path / "images" / f"{name}.svg").exists()


def test_a_page_without_the_section_gets_it_at_its_end(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n\n## Documents\n\nText.\n")
    write(measured(), page)
    assert page.read_text().startswith("# Benchmarks\n\n## Documents\n\nText.\n\n## The live path\n")


def test_a_busy_machine_is_told() -> None:
    found = measured()
    assert "Others used the machine" not in conditions(found)
    found.machine = msgspec.structs.replace(found.machine, load=(5.0, 9.0))  # it counts the measurement itself
    assert "Others used the machine" not in conditions(found)
    found.others = 0.3
    assert "Others used the machine" in conditions(found)


def test_what_was_asked_for_and_what_is_void_is_told() -> None:
    found = measured()
    assert "100 and 1,000 and 5,000 tickers" in conditions(found)
    assert "**" not in conditions(found)
    found.options = Options(only=("load",))
    found.loads[0] = msgspec.structs.replace(found.loads[0], void=True)
    assert "Only a part was measured: load." in conditions(found)
    assert f"Of {len(found.loads)} loads 1 are void" in conditions(found)


def test_a_measurement_survives_json() -> None:
    found = measured()
    again = msgspec.json.decode(msgspec.json.encode(found), type=Measured)
    assert markdown(again, []) == markdown(found, [])


def test_rows_have_as_many_cells_as_their_header() -> None:
    for table in tables(measured()):
        assert {len(row) for row in table.rows} == {len(table.header)}, table.title
