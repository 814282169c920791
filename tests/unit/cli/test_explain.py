"""explain, with the API's answers and its stream given."""

import io
import json
import threading
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from riskee.cli import explain, explaining
from riskee.cli.api import NotExplainedError
from riskee.cli.app import app
from riskee.cli.explaining import draft_line, stage_line
from riskee.errors import FatalError, NotFoundError, RetryableError
from riskee.messaging.explanations import Fallback
from riskee.settings import Settings
from tests.unit.cli.examples import EXPLANATION

runner = CliRunner()
IDENTITY = "0c5f4a3e-6f0e-5f3a-9b0e-2f4d1c7e8a90"


def _progress(
    stage: str, tokens: int = 0, sentence: str | None = None, identity: str = IDENTITY, draft: str | None = None
) -> str:
    progress = {"stage": stage, "tokens": tokens, "sentence": sentence, "ticker": "AAPL", "prediction_id": identity}
    progress |= {"draft": draft} if draft else {}
    return json.dumps({"type": "explaining", "sequence": 1, "progress": progress})


class Stream:
    """The API's stream: says what it has to say, then that it was heard."""

    def __init__(self, *messages: str) -> None:
        self._messages = messages
        self.sent: list[str] = []
        self.heard = threading.Event()
        self.closed = False

    def send(self, text: str) -> None:
        self.sent.append(text)

    def __iter__(self) -> Iterator[str]:
        yield from self._messages
        self.heard.set()

    def close(self) -> None:
        self.closed = True


def _refused(*_: object, **__: object) -> Any:
    raise ConnectionRefusedError


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    requests: list[tuple[str, str]] = []

    def answer(method: str) -> Any:
        def ask(_settings: object, path: str, timeout: float) -> Any:
            assert timeout > 0
            requests.append((method, path))
            return EXPLANATION

        return ask

    for method in ("get", "post"):
        monkeypatch.setattr(f"riskee.cli.api.{method}", answer(method))
    monkeypatch.setattr("websockets.sync.client.connect", _refused)
    return requests


def test_explain_shows_text_bars_units_and_sources(asked: list[tuple[str, str]]) -> None:
    result = runner.invoke(app, ["explain", "aapl"])
    assert result.exit_code == 0, result.output
    assert asked == [("post", "/v1/explain/AAPL")]
    lines = result.output.splitlines()
    assert "The normal model expects more.\n\nAAPL gained [A].\n\n" in result.output, "a blank line ends a paragraph"
    market, volatility = (next(line for line in lines if line.startswith(f"  {name}")) for name in ("the w", "vola"))
    assert market.count("█") == 2 * volatility.count("█")
    assert "sensitivity to the market: 1.10 times the market's move" in market
    assert "-0.04%" in volatility
    assert "[A] AAPL gained [big]" in result.output
    assert ", http://127.0.0.1:8000/v1/documents/0c5f4a3e" in result.output
    written = (
        "written by tiny, verified, 7.2 s, 412 tokens read and 57 written, sentences dropped: direction 2, number 1"
    )
    assert written in result.output
    assert "prompt 2.0.0+0a1b2c3d" in result.output


def test_a_past_prediction_is_explained_by_its_id(asked: list[tuple[str, str]]) -> None:
    assert runner.invoke(app, ["explain", "--id", IDENTITY]).exit_code == 0
    assert asked == [("get", f"/v1/explain/{IDENTITY}")]


def test_a_past_prediction_that_nobody_asked_for_is_explained_now(
    monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, str]]
) -> None:
    def get(*_: object) -> Any:
        raise NotExplainedError("there is no explanation", "ask for it", "AAPL")

    monkeypatch.setattr("riskee.cli.api.get", get)
    assert runner.invoke(app, ["explain", "--id", IDENTITY]).exit_code == 0
    assert asked == [("post", f"/v1/explain/{IDENTITY}")]


def test_a_past_prediction_that_there_is_not_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, str]]
) -> None:
    def get(*_: object) -> Any:
        raise NotFoundError("there is no such prediction", "look for it")

    monkeypatch.setattr("riskee.cli.api.get", get)
    assert isinstance(runner.invoke(app, ["explain", "--id", IDENTITY]).exception, NotFoundError)
    assert asked == []


def test_json_is_the_apis_answer(asked: list[tuple[str, str]]) -> None:
    assert json.loads(runner.invoke(app, ["explain", "AAPL", "--json"]).stdout) == EXPLANATION


def test_an_id_that_is_none_is_refused_before_anything_is_asked(asked: list[tuple[str, str]]) -> None:
    result = runner.invoke(app, ["explain", "--id", "AAPL"])
    assert result.exit_code == 2
    assert "valid UUID" in result.stderr
    assert asked == []


@pytest.mark.parametrize("arguments", [[], ["AAPL", "--id", IDENTITY]])
def test_either_a_ticker_or_an_id_is_needed(asked: list[tuple[str, str]], arguments: list[str]) -> None:
    result = runner.invoke(app, ["explain", *arguments])
    assert isinstance(result.exception, FatalError)
    assert "--id" in result.exception.remedy
    assert asked == []


def _drawn(monkeypatch: pytest.MonkeyPatch, connect: Any, post: Any, *arguments: str) -> str:
    """What a person sees while an explanation is made."""
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=120, highlight=False)
    for module in (explain, explaining):
        monkeypatch.setattr(module, "console", lambda **_: terminal)
    monkeypatch.setattr("websockets.sync.client.connect", connect)
    monkeypatch.setattr("riskee.cli.api.post", post)
    runner.invoke(app, ["explain", *(arguments or ["AAPL"])], catch_exceptions=False)
    return out.getvalue()


def test_progress_is_drawn_and_sentences_are_printed_as_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(
        '{"type": "subscribed", "tickers": ["AAPL"]}',
        _progress("queued"),
        _progress("writing", 31),
        _progress("writing", 40, "AAPL gained in the session [so]."),
    )

    def post(*_: object) -> Any:
        assert stream.heard.wait(10)
        return EXPLANATION

    shown = _drawn(monkeypatch, lambda *_, **__: stream, post)
    assert "AAPL gained in the session [so]." in shown
    assert shown.index("AAPL gained in the session") < shown.index("The normal model expects more.")
    assert json.loads(stream.sent[0]) == {"type": "subscribe", "tickers": ["AAPL"]}
    assert stream.closed


def test_a_draft_is_drawn_dim_and_said_to_be_unchecked_until_its_sentence_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    stream = Stream(
        _progress("writing", 3, draft='{"A": "AAPL [gained] in'),
        _progress("writing", 5, draft=" the session"),
        _progress("writing", 6, "AAPL gained in the session."),
        _progress("checking", 6),
    )

    def post(*_: object) -> Any:
        assert stream.heard.wait(10)
        return EXPLANATION

    monkeypatch.setattr("rich.status.Status.update", lambda _, line: lines.append(line))
    _drawn(monkeypatch, lambda *_, **__: stream, post)
    told = Text.from_markup(lines[1])
    assert told.plain.splitlines()[1] == 'not checked yet: {"A": "AAPL [gained] in the session'
    assert [(told.plain[span.start : span.end], span.style) for span in told.spans] == [
        (told.plain.splitlines()[1], "dim")
    ]
    assert not any("not checked yet" in line for line in lines[2:])


def test_of_a_long_draft_the_end_is_drawn_without_what_a_terminal_would_obey() -> None:
    assert draft_line("so \n\x1b[31m it") == "not checked yet: so [31m it"
    shown = draft_line("many words " * 50)
    assert shown.startswith("not checked yet: …")
    assert len(shown) < 200


def test_progress_of_a_past_prediction_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(
        _progress("writing", 40, "Another prediction's sentence.", identity="1c5f4a3e-6f0e-5f3a-9b0e-2f4d1c7e8a90"),
        _progress("writing", 41, "The market drove it."),
    )

    def get(*_: object) -> Any:
        raise NotExplainedError("there is no explanation", "ask for it", "AAPL")

    def post(_settings: object, path: str, _seconds: float) -> Any:
        assert path == f"/v1/explain/{IDENTITY}"
        assert stream.heard.wait(10)
        return EXPLANATION

    monkeypatch.setattr("riskee.cli.api.get", get)
    shown = _drawn(monkeypatch, lambda *_, **__: stream, post, "--id", IDENTITY.upper())
    assert "✓ The market drove it." in shown
    assert "Another prediction" not in shown
    assert json.loads(stream.sent[0]) == {"type": "subscribe", "tickers": ["AAPL"]}, "no other ticker's"


def test_where_there_is_no_terminal_each_stage_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Stream(_progress("facts"), _progress("writing", 3), _progress("writing", 9), _progress("checking", 9))

    def post(*_: object) -> Any:
        assert stream.heard.wait(10)
        return EXPLANATION

    monkeypatch.setattr("websockets.sync.client.connect", lambda *_, **__: stream)
    monkeypatch.setattr("riskee.cli.api.post", post)
    result = runner.invoke(app, ["explain", "AAPL"], catch_exceptions=False)
    stages = ["collecting the facts …", "writing, 3 tokens …", "checking the whole, 9 tokens …"]
    assert result.stderr.splitlines() == [f"explaining AAPL: {stage}" for stage in stages]
    assert "explaining" not in result.stdout


def test_without_the_stream_the_explanation_comes_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "The normal model expects more." in _drawn(monkeypatch, _refused, lambda *_: EXPLANATION)


def test_what_the_api_cannot_do_is_said_also_while_drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    def post(*_: object) -> Any:
        raise RetryableError("the API says no", "see `riskee status`")

    with pytest.raises(RetryableError, match="says no"):
        _drawn(monkeypatch, lambda *_, **__: Stream(), post)


def test_who_leaves_does_not_wait_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    left, answered = threading.Event(), threading.Event()

    def post(*_: object) -> Any:
        left.wait(5)
        answered.set()
        return EXPLANATION

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("websockets.sync.client.connect", _refused)
    monkeypatch.setattr("riskee.cli.api.post", post)
    monkeypatch.setattr(explaining, "_show", leave)
    with pytest.raises(KeyboardInterrupt):
        explaining.ask(Settings(), ticker="AAPL", show=True)
    assert not answered.is_set()
    left.set()


def test_stages_are_told_in_words() -> None:
    assert stage_line({"stage": "writing", "tokens": 31}) == "writing, 31 tokens …"
    assert stage_line({"stage": "queued", "tokens": 0}) == "waiting for the language model …"
    assert stage_line({"stage": "another", "tokens": 0}) == "another …"


def test_what_nothing_drove_and_an_address_with_brackets_are_shown() -> None:
    drivers = [driver | {"contribution": 0.0} for driver in EXPLANATION["drivers"]]
    source = EXPLANATION["sources"][0] | {"url": "https://a.example/[/b]"}
    lines = explain.explanation_lines(EXPLANATION | {"drivers": drivers, "sources": [source]}, "http://api")
    out = Console(file=io.StringIO(), width=200)
    with out.capture() as shown:
        for line in lines:
            out.print(line)
    assert ", https://a.example/[/b]" in shown.get()


def test_why_the_template_speaks_is_said_in_words() -> None:
    by_template = EXPLANATION | {"generator": "template", "llm": ""}
    slow, unknown = (explain.explanation_lines(by_template | {"fallback": why}, "")[-1] for why in ("late", None))
    assert "written by the template (the language model was too slow), verified" in slow
    assert "written by the template, verified" in unknown, "of one that was made before the reason was kept"


def test_each_reason_has_its_words() -> None:
    assert set(explain.FALLBACKS) == set(get_args(get_args(Fallback)[0]))
