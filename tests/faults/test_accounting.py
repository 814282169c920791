"""The comparison and the bars themselves, each seen to fail."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from riskee.ids import asked_prediction_id, prediction_id
from tests.faults.accounting import Evidence, PredictionRow, unexplained, violations
from tests.faults.recovery import Recovery, Verdict, judge, percentile
from tests.faults.reporting import BEGIN, END, Result, into, markdown, read, summary, table, write

A, B, C = (uuid.UUID(int=number) for number in range(1, 4))
AT = datetime(2026, 1, 5, 12, tzinfo=UTC)
JOB, REFUSED = uuid.UUID(int=8), uuid.UUID(int=9)


def row(quote: uuid.UUID, version: str = "m") -> PredictionRow:
    return PredictionRow(prediction_id(quote, "1d", version), quote, "1d", version, A, AT)


def answer(quote: uuid.UUID, job: uuid.UUID, at: datetime = AT) -> PredictionRow:
    made = row(quote)
    return replace(made, prediction_id=asked_prediction_id(made.prediction_id, job, A, at), as_of=at)


ANSWER = answer(B, JOB)
AGAIN = answer(B, JOB, AT + timedelta(seconds=1))
ROWS = [row(A), row(B), ANSWER]
GOOD: dict[str, Any] = {
    "accepted": {A, B},
    "quotes": [A, B],
    "events": [each.prediction_id for each in ROWS],
    "predictions": ROWS,
    "due": {B},
    "jobs": {JOB, REFUSED},
    "answers": {ANSWER.prediction_id: JOB},
    "refused": {REFUSED},
    "poison": ["x"],
    "letters": ["x"],
    "quarantined": ["x"],
}


def test_all_is_well() -> None:
    assert violations(Evidence(**GOOD)) == []


def test_a_job_that_was_delivered_again_has_answers_of_two_moments() -> None:
    rows = [*ROWS, AGAIN]
    answers = {ANSWER.prediction_id: JOB, AGAIN.prediction_id: JOB}
    events = [each.prediction_id for each in rows]
    assert violations(Evidence(**{**GOOD, "predictions": rows, "events": events, "answers": answers})) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"quotes": [A], "predictions": [row(A)], "due": {A}}, "1 quotes accepted but not stored"),
        ({"quotes": [A, B, B]}, "1 quotes stored twice"),
        ({"quotes": [A, B, C]}, "1 quotes stored but not accepted"),
        ({"events": []}, "3 predictions stored but not published"),
        ({"predictions": [row(B), ANSWER]}, "1 predictions published but not stored"),
        ({"predictions": [*ROWS, row(A)]}, "1 predictions stored twice"),
        ({"events": [*GOOD["events"], GOOD["events"][0]]}, "1 events published twice"),
        ({"predictions": [*ROWS, row(C)]}, "1 predictions of quotes that are not stored"),
        ({"predictions": [*ROWS, PredictionRow(C, A, "1d", "m", A, AT)]}, "1 predictions whose id is not derived"),
        ({"predictions": [*ROWS, PredictionRow(C, A, "1d", "m", A, AT)]}, "1 quotes predicted twice by a model"),
        ({"due": {C}}, "1 quotes without their prediction"),
        ({"predictions": [row(A), ANSWER]}, "1 quotes without their prediction"),
        ({"unlike": ["p_up"]}, "1 predictions unlike their events"),
        ({"answers": {}, "refused": {JOB}}, "1 jobs without an answer"),
        ({"answers": {}, "refused": {JOB, REFUSED}}, "1 quotes predicted twice by a model"),
        ({"jobs": {REFUSED}}, "1 answers to jobs that nobody sent"),
        ({"predictions": [*ROWS[:2], replace(ANSWER, as_of=AGAIN.as_of)]}, "1 answers whose id is not derived"),
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


@pytest.mark.parametrize(
    ("explained", "told"),
    [
        ([A, B], []),
        ([A], ["1 explanations asked for but not stored"]),
        ([A, B, C], ["1 explanations stored but not asked for"]),
        ([A, B, B], ["1 explanations stored twice"]),
    ],
)
def test_explanations_are_counted(explained: list[uuid.UUID], told: list[str]) -> None:
    assert [each.split(",")[0] for each in unexplained({A, B}, explained)] == told


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.95, 4.0), (1.0, 4.0)])
def test_percentiles_are_values(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value


@pytest.mark.parametrize(
    ("p95", "slowed", "verdict"),
    [
        (5.0, 1.0, Verdict.HELD),
        (6.0, 1.0, Verdict.MISSED),
        (6.0, 1.5, Verdict.EASED),
        (10.5, 2.5, Verdict.UNDECIDED),
        (13.0, 2.5, Verdict.MISSED),
    ],
)
def test_a_slow_machine_eases_a_bar_but_not_for_ever(p95: float, slowed: float, verdict: Verdict) -> None:
    assert judge(p95, 5.0, slowed) is verdict


ENDED = datetime(2026, 1, 5, 12, 30, tzinfo=UTC)
RESULT = Result("kill", 300, 1.0, 10, 8, 0, (), (Recovery(1.0, 2.0),), 5.0, 1.25, "92ef8e2", ENDED)


@pytest.mark.parametrize("recovery", [Recovery(1.0, 7.0), Recovery(7.0, 1.0)])
def test_both_times_count(recovery: Recovery) -> None:
    slow = msgspec.structs.replace(RESULT, recoveries=(recovery,))
    assert slow.failures == ("recovery p95 7.0 s, allowed 5 s; slowness 1.25",)
    assert msgspec.structs.replace(slow, bar=None).failures == ()


def test_the_table_tells_of_every_result() -> None:
    lost = msgspec.structs.replace(RESULT, violations=("1 quotes lost",))
    _, good, bad = table([RESULT, lost])
    recovery, run = ["1", "2.0", "2.0", "5", "1.2", "held"], ["92ef8e2", "2026-01-05T12:30Z"]
    assert good.split() == ["kill", "300", "10", "8", "0", *recovery, *run, "ok"]
    assert bad.endswith("1 quotes lost")


@pytest.mark.parametrize(
    ("seconds", "slowed", "outcome"),
    [
        (6.0, 1.5, "ok, bar only with the factor"),
        (10.5, 2.5, "ok, bar undecided: machine too busy"),
        (13.0, 1.0, "recovery p95 13.0 s, allowed 5 s; slowness 1.00"),
    ],
)
def test_a_bar_that_was_not_held_as_it_is_does_not_look_held(seconds: float, slowed: float, outcome: str) -> None:
    slow = msgspec.structs.replace(RESULT, recoveries=(Recovery(seconds, 1.0),), slowness=slowed)
    assert slow.row()[-1] == outcome
    last = "failed" if slow.failures else outcome
    assert summary([RESULT, slow, slow]) == f"3 scenarios: 1 ok, 2 {last}"


def test_an_older_file_does_not_tell_of_which_run_a_result_is(tmp_path: Path) -> None:
    fields = {name: value for name, value in msgspec.to_builtins(RESULT).items() if name not in ("commit", "ended_at")}
    file = tmp_path / "faults.json"
    file.write_bytes(msgspec.json.encode([fields]))
    assert read(file)[0].row()[-3:] == ("unknown", "unknown", "ok")


def test_a_part_of_the_scenarios_replaces_its_own_results_only(tmp_path: Path) -> None:
    file, other = tmp_path / "reports" / "faults.json", msgspec.structs.replace(RESULT, name="stop")
    write([RESULT, other], file)
    again = msgspec.structs.replace(RESULT, accepted=11)
    write([again], file)
    assert read(file) == [again, other]


def test_the_document_is_written_between_its_marks() -> None:
    written = into(f"before\n{BEGIN}\nold\n{END}\nafter\n", markdown([RESULT]))
    assert written.startswith(f"before\n{BEGIN}\n\n| scenario | quotes/s |")
    assert written.endswith(f"| 2026-01-05T12:30Z | ok |\n\n1 scenarios: 1 ok.\n\n{END}\nafter\n")
    assert "old" not in written
    assert into(written, markdown([RESULT])) == written
