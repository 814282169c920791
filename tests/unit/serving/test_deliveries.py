"""The last hop of a trace: from the hub to the first socket that gets a prediction."""

import uuid

import msgspec

from riskee.tracing import OFF
from riskee.tracing.hops import API_DELIVER, EVENT_PUBLISH
from riskee.tracing.sending import SendingTracer
from serving.api.hub import Hub
from serving.api.streaming.deliveries import Deliveries, deliveries_of
from serving.api.streaming.framing import frames
from serving.api.streaming.listener import Listener
from tests.unit.messaging.samples import PREDICTION
from tests.unit.serving.standings import World
from tests.unit.tracing.ticks import Kept

EVERYTHING = 1 << 30


def made(ratio: float = 1.0) -> tuple[World, Hub, Kept]:
    world, kept = World(), Kept()
    world.beat()
    hub = Hub(world.standings, deliveries=deliveries_of(SendingTracer(kept, world, ratio), world))
    return world, hub, kept


def listening(hub: Hub) -> Listener:
    listener = Listener(lambda: None)
    hub.subscribe(listener, ["*"])
    return listener


def test_the_first_socket_ends_the_hop_and_the_others_add_nothing() -> None:
    world, hub, kept = made()
    one, other = listening(hub), listening(hub)
    began = world.now()
    hub.publish(PREDICTION)
    world.seconds = 2.0
    framing = hub.deliveries.told(frames)
    updates = one.take(EVERYTHING)
    assert framing(updates) == frames(updates)
    framing(other.take(EVERYTHING))
    (span,) = kept.spans
    assert (span.trace, span.name) == (PREDICTION.quote_id, API_DELIVER.name)
    assert span.parent_id == EVENT_PUBLISH.span_id(PREDICTION.quote_id)
    assert (span.began, span.ended) == (began, world.now())


def test_processes_and_repetitions_have_spans_of_their_own() -> None:
    ids = set()
    for _ in range(2):
        _, hub, kept = made()
        listener = listening(hub)
        for _ in range(2):
            hub.publish(PREDICTION)
            hub.deliveries.told(frames)(listener.take(EVERYTHING))
        ids |= {span.span_id for span in kept.spans}
    assert len(ids) == 4


def test_what_nobody_gets_is_kept_no_longer_than_its_turn() -> None:
    _, hub, kept = made()
    for number in range(300):
        hub.publish(msgspec.structs.replace(PREDICTION, quote_id=uuid.UUID(int=number)))
    listener = listening(hub)
    hub.publish(PREDICTION)
    hub.deliveries.told(frames)(listener.take(EVERYTHING))
    assert [span.trace for span in kept.spans] == [PREDICTION.quote_id]
    assert len(vars(hub.deliveries)["_expected"]) < 300


def test_what_is_not_sampled_is_not_told() -> None:
    _, hub, kept = made(ratio=0.0)
    listener = listening(hub)
    hub.publish(PREDICTION)
    hub.deliveries.told(frames)(listener.take(EVERYTHING))
    assert kept.spans == []


def test_off_leaves_the_framing_as_it_is() -> None:
    deliveries = deliveries_of(OFF, World())
    assert type(deliveries) is Deliveries
    assert deliveries.told(frames) is frames
