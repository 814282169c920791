"""What a delivery's reply subject tells, and how lost deliveries are noticed."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from riskee.storage.deliveries import Delivery, Losses, delivery_of
from tests.unit.seconds import Clock


def messages(*numbers: int) -> Any:
    return [SimpleNamespace(reply=f"$JS.ACK.MARKET_DATA.reader.1.7.{number}.99.0") for number in numbers]


@pytest.mark.parametrize("domain", ["", "hub.account."])
def test_a_reply_subject_is_read(domain: str) -> None:
    found = delivery_of(f"$JS.ACK.{domain}MARKET_DATA.reader.2.31.44.99.5" + (".random" if domain else ""))
    assert found == Delivery("31", "99", 44)
    assert found.identity == ("31", "99")


@pytest.mark.parametrize(
    ("arrivals", "lost"),
    [
        (((4, 5, 6), (7,), (8, 9)), False),
        (((4, 5, 7),), True),
        (((4, 5), (7, 8)), True),
        (((4,), ()), False),
    ],
)
def test_a_gap_in_the_numbers_of_deliveries_is_a_loss(arrivals: tuple[tuple[int, ...], ...], *, lost: bool) -> None:
    losses = Losses(2.5, Clock())
    for arrived in arrivals:
        losses.note(cast("Any", messages(*arrived)))
    assert (losses.seconds_left() > 0) is lost


def test_what_was_lost_is_waited_for_until_it_must_have_come() -> None:
    seconds = Clock()
    losses = Losses(2.5, seconds)
    losses.note(messages(1, 3))
    assert losses.seconds_left() == pytest.approx(5.5)
    seconds.now += 5
    assert losses.seconds_left() == pytest.approx(0.5)
    seconds.now += 1
    assert losses.seconds_left() == 0


def test_what_a_reader_before_held_is_waited_for_a_shorter_time() -> None:
    """It is delivered for the second time, and a predictor that was killed is missed for five seconds at most."""
    losses = Losses(2.5, Clock())
    assert not losses.noted
    losses.inherit()
    assert losses.noted
    assert 2.5 < losses.seconds_left() < 5


def test_a_loss_is_noted_after_its_time_until_all_was_taken() -> None:
    seconds = Clock()
    losses = Losses(2.5, seconds)
    losses.note(messages(1, 3))
    seconds.now += 100
    assert losses.noted
    losses.forget()
    assert not losses.noted
