"""What a consumption refuses to be."""

from collections.abc import Sequence
from typing import Any

import pytest

from riskee.errors import FatalError
from riskee.messaging.envelope import Envelope
from riskee.messaging.messages import Quote
from riskee.messaging.subjects import QUOTE
from riskee.storage.bus import codec_of
from riskee.storage.inbox import Durable
from serving.consumers.consumption import Consumption

DURABLE = Durable("test", QUOTE.name)


async def handle(_batch: Sequence[Envelope[Quote]]) -> None:
    pass


@pytest.mark.parametrize(
    "otherwise", [{"max_batch": 2}, {"max_batch": 1, "chapter": lambda quote: quote.session_date}, {}]
)
def test_side_by_side_are_batches_of_one_message_without_chapters(otherwise: dict[str, Any]) -> None:
    with pytest.raises(FatalError, match="test: only batches of one message"):
        Consumption(DURABLE, codec_of(QUOTE), handle, side_by_side=True, **otherwise)


def test_one_after_the_other_any_are_handled() -> None:
    Consumption(DURABLE, codec_of(QUOTE), handle, max_batch=2, chapter=lambda quote: quote.session_date)
    Consumption(DURABLE, codec_of(QUOTE), handle, max_batch=1, side_by_side=True)
