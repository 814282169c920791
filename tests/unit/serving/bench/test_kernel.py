"""What the kernel's measurement plays."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from riskee.messaging.messages import Quote
from serving.bench.kernel import Bench
from serving.consumers.predict import LARGEST_WAVE


def test_a_market_is_computed_in_waves_as_large_as_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, sizes = Bench(LARGEST_WAVE + 50), []

    def forecast(wave: Sequence[Quote], _now: datetime) -> None:
        sizes.append(len(wave))

    monkeypatch.setattr(bench.forecaster, "forecast", forecast)
    bench.waves(bench.quotes(LARGEST_WAVE + 50))()
    assert max(sizes) == LARGEST_WAVE
    assert sum(sizes) == LARGEST_WAVE + 51
