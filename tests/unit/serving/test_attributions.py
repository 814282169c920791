"""The models that attributions keep, read by several threads."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from riskee.model.predictor import Predictor
from riskee.settings import ModelSettings
from serving.consumers import attributions
from serving.consumers.attributions import Attributions

NOTHING = cast("Any", None)


class Slow(dict[str, Predictor]):
    """Whoever asks for the oldest is interrupted before it is removed."""

    def __iter__(self) -> Iterator[str]:
        oldest = [*self.keys()]
        time.sleep(0.05)
        yield from oldest


def test_models_that_come_at_once_do_not_remove_the_same_one_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributions, "load_model", lambda _, version: version)
    monkeypatch.setattr(attributions, "Predictor", lambda version, _: version)
    kept = Slow({name: cast("Any", name) for name in "abcd"})
    knowledge = cast("Any", SimpleNamespace(engine=MagicMock()))
    made = Attributions(NOTHING, knowledge, NOTHING, ModelSettings(), 5, kept)
    with ThreadPoolExecutor(3) as threads:
        assert [*map(str, threads.map(made._predictor, "xyz"))] == ["x", "y", "z"]
    assert set(kept.keys()) == {"d", "x", "y", "z"}
