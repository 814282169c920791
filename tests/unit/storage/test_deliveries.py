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


def test_what_was_lost_is_waited_for_no_longer_than_until_nothing_is_out() -> None:
    losses = Losses(2.5, Clock())
    losses.all_came()
    assert not losses.noted
    losses.note(messages(1, 3))
    losses.all_came()
    assert losses.seconds_left() == 0
    assert losses.noted, "it may wait among what has arrived"


def come(losses: Losses, *places: int) -> None:
    for place in places:
        losses.arrived(cast("Any", SimpleNamespace(reply=f"$JS.ACK.MARKET_DATA.reader.2.{place}.1.99.0")))


def test_what_a_reader_before_held_is_waited_for_until_it_must_have_come() -> None:
    """It is delivered for the second time, and a predictor that was killed is missed for five seconds at most."""
    losses = Losses(2.5, Clock())
    assert not losses.noted
    losses.inherit(1, 7)
    assert losses.noted
    assert 2.5 < losses.seconds_left() < 5


def test_what_a_reader_before_held_is_waited_for_no_longer_than_until_all_of_it_has_come() -> None:
    losses = Losses(2.5, Clock())
    losses.inherit(3, 7)
    come(losses, 5, 5, 8, 9, 6)
    whole = losses.seconds_left()
    assert whole > 2.5, "one came twice, and two for the first time"
    come(losses, 7)
    assert losses.seconds_left() == 0
    assert losses.noted, "it may wait among what has arrived"


def test_what_came_before_the_server_said_how_much_there_is_counts() -> None:
    losses = Losses(2.5, Clock())
    assert not losses.inheritance_known
    come(losses, 6, 7, 8)
    losses.inherit(2, 7)
    assert losses.inheritance_known
    assert losses.seconds_left() == 0


def test_an_heir_of_nothing_waits_for_nothing() -> None:
    losses = Losses(2.5, Clock())
    losses.inherit(0, 7)
    assert losses.inheritance_known
    assert not losses.noted


def test_an_inheritance_that_has_come_ends_no_wait_for_other_losses() -> None:
    losses = Losses(2.5, Clock())
    losses.inherit(1, 7)
    losses.note(messages(1, 3))
    come(losses, 7)
    assert losses.seconds_left() == pytest.approx(5.5)
    losses.forget()
    assert losses.seconds_left() == 0


def test_a_loss_is_noted_after_its_time_until_all_was_taken() -> None:
    seconds = Clock()
    losses = Losses(2.5, seconds)
    losses.note(messages(1, 3))
    seconds.now += 100
    assert losses.noted
    losses.forget()
    assert not losses.noted
