"""Messages that no consumer can process, made from good ones."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from riskee.storage.bus import Outgoing


def _junk(good: bytes, rng: np.random.Generator) -> bytes:
    return rng.bytes(len(good) // 4)


def _cut(good: bytes, rng: np.random.Generator) -> bytes:
    return good[: int(rng.integers(1, len(good) - 1))]


def _unknown_field(good: bytes, rng: np.random.Generator) -> bytes:
    return good.replace(b'"payload":{', b'"payload":{"bid":1.5,')


def _other_version(good: bytes, rng: np.random.Generator) -> bytes:
    return good.replace(b'"version":1', b'"version":99')


def _negative_price(good: bytes, rng: np.random.Generator) -> bytes:
    return good.replace(b'"price":', b'"price":-')


def _no_ticker(good: bytes, rng: np.random.Generator) -> bytes:
    return good.replace(b'"ticker":"', b'"ticker":"not a ticker ')


KINDS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    _junk,
    _cut,
    _unknown_field,
    _other_version,
    _negative_price,
    _no_ticker,
)


@dataclass
class Poisoner:
    """Puts poison between good messages: `share` of their number, every kind, the same for the same seed."""

    share: float
    seed: int
    sent: list[bytes] = field(default_factory=list)
    _rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def mix(self, messages: list[Outgoing]) -> list[Outgoing]:
        """The messages with poison between them."""
        mixed: list[Outgoing] = []
        for message in messages:
            mixed.append(message)
            if self._rng.random() < self.share:
                body = KINDS[len(self.sent) % len(KINDS)](message.data, self._rng)
                self.sent.append(body)
                mixed.append(Outgoing(message.subject, f"poison-{message.message_id}", body))
        return mixed
