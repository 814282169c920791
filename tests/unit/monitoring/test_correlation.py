"""The id that leads from a message to the lines of the log that it caused."""

import pytest

from riskee.messaging.envelope import correlation_of
from tests.unit.messaging.samples import golden, sample


def test_a_message_that_cannot_be_read_still_tells_its_id() -> None:
    whole = golden("data.market.quote").read_text()
    assert correlation_of(whole.replace("AAPL", "no ticker").encode()) == str(
        sample("data.market.quote").correlation_id
    )


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"correlation_id": 5}', b"[1]", b'{"correlation_id": "x"}'])
def test_one_without_an_id_has_none(data: bytes) -> None:
    assert correlation_of(data) == ""
