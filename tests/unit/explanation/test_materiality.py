"""What is material, and how often the product asks itself."""

import math
import random
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from riskee.explanation.materiality import COMPARED, ENOUGH, Glance, Materiality, Range
from riskee.explanation.restraint import Restraint
from riskee.messaging.messages import Flag
from riskee.settings import InitiativeSettings
from tests.unit.messaging import samples

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
SETTINGS = InitiativeSettings()


def _glance(strength: float = 0.05, price: float = 100.0, half: float = 0.02, **changes: Any) -> Glance:
    """A forecast that expects so many halves of its interval."""
    values: dict[str, Any] = {
        "ticker": "AAPL",
        "session_date": date(2026, 1, 5),
        "price": price,
        "expected_return": strength * half,
        "interval": Range(100 * math.exp(-half), 100 * math.exp(half)),
    }
    return Glance(**values | changes)


def _used_to_calm(settings: InitiativeSettings = SETTINGS, count: int = COMPARED) -> Materiality:
    """Has seen forecasts of strengths up to 0.1."""
    materiality, chance = Materiality(settings), random.Random(1)
    for _ in range(count):
        materiality.material(_glance(chance.uniform(-0.1, 0.1)))
    return materiality


def test_a_glance_is_a_part_of_a_prediction() -> None:
    glance = msgspec.json.decode(msgspec.json.encode(samples.PREDICTION), type=Glance)
    assert (glance.ticker, glance.flags) == ("AAPL", (Flag.REPLAY, Flag.COLD_WINDOW))


@pytest.mark.parametrize("strength", [0.2, -0.2])
def test_a_forecast_among_the_strongest_of_late_is_material(strength: float) -> None:
    materiality = _used_to_calm()
    assert not materiality.material(_glance(0.09))
    assert materiality.material(_glance(strength))


def test_strength_is_measured_by_the_ticker_s_own_uncertainty() -> None:
    """The same expected move is strong for a calm ticker, and none for a wild one."""
    materiality = _used_to_calm()
    assert not materiality.material(_glance(expected_return=0.008, half=0.1))
    assert materiality.material(_glance(expected_return=0.008, half=0.02))


def test_about_so_many_per_cent_are_material_not_more() -> None:
    settings, chance = InitiativeSettings(top_percent=2.0, least_strength=0.0), random.Random(2)
    materiality = Materiality(settings)
    found = [materiality.material(_glance(chance.gauss(0, 0.1))) for _ in range(10_000)]
    assert not any(found[:ENOUGH])
    assert 0.015 < sum(found[ENOUGH:]) / len(found[ENOUGH:]) < 0.025


def test_what_is_strongest_but_small_is_not_material() -> None:
    materiality = Materiality(SETTINGS)
    assert not any(materiality.material(_glance(0.001 * place / 500)) for place in range(500))


def test_a_price_far_from_the_session_s_first_is_material() -> None:
    materiality = Materiality(SETTINGS)
    assert not materiality.material(_glance(price=100))
    assert not materiality.material(_glance(price=103.9))
    assert materiality.material(_glance(price=104.2))
    assert materiality.material(_glance(price=95.9))
    assert not materiality.material(_glance(price=104.2, ticker="IBM"))
    assert not materiality.material(_glance(price=104.2, session_date=date(2026, 1, 6)))


def test_after_a_start_a_session_that_is_under_way_began_with_its_recorded_price() -> None:
    materiality, today = Materiality(SETTINGS), date(2026, 1, 5)
    materiality.opened("AAPL", today, 96.0)
    materiality.opened("IBM", today, 0.0)  # none was recorded
    assert materiality.material(_glance(price=100))
    assert not materiality.material(_glance(price=100, ticker="IBM"))
    tomorrow = date(2026, 1, 6)
    assert not materiality.material(_glance(price=96, session_date=tomorrow))
    materiality.opened("AAPL", today, 50.0)  # what was heard counts
    assert not materiality.material(_glance(price=97, session_date=tomorrow))


@pytest.mark.parametrize("flag", [Flag.STALE, Flag.HALTED, Flag.COLD_WINDOW, Flag.MODEL_EXPIRED])
def test_a_number_that_is_not_to_be_relied_on_is_never_material(flag: Flag) -> None:
    assert not _used_to_calm().material(_glance(0.9, flags=(Flag.REPLAY, flag)))
    assert _used_to_calm().material(_glance(0.9, flags=(Flag.REPLAY, Flag.PROVISIONAL_BAR, Flag.EARNINGS_UNKNOWN)))


def _heard(restraint: Restraint, number: int, ticker: str, at: datetime, occasion: Any = "material") -> None:
    restraint.heard(uuid.UUID(int=number), ticker, at, occasion)


def test_at_most_so_many_a_minute() -> None:
    restraint = Restraint(InitiativeSettings(per_minute=2))
    assert restraint.allows("A", NOW)
    _heard(restraint, 1, "A", NOW)
    _heard(restraint, 1, "A", NOW)
    assert restraint.allows("B", NOW)
    _heard(restraint, 2, "B", NOW)
    assert not restraint.allows("C", NOW + timedelta(seconds=59))
    assert restraint.allows("C", NOW + timedelta(seconds=61))


def test_a_ticker_explained_lately_is_left_alone_whoever_asked() -> None:
    restraint = Restraint(InitiativeSettings(per_minute=9, ticker_minutes=30))
    _heard(restraint, 1, "A", NOW)
    _heard(restraint, 2, "B", NOW, "request")
    later = NOW + timedelta(minutes=29)
    assert not restraint.allows("A", later)
    assert not restraint.allows("B", later)
    assert restraint.allows("A", NOW + timedelta(minutes=31))


def test_what_people_ask_does_not_use_up_the_rate() -> None:
    restraint = Restraint(InitiativeSettings(per_minute=1))
    for number in range(5):
        _heard(restraint, number, f"T{number}", NOW, "request")
    assert restraint.allows("A", NOW)
