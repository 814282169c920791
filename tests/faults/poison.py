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


Kind = Callable[[bytes, np.random.Generator], bytes]
# What makes poison of a message of any subject, and what does of a quote.
OF_ANY: tuple[Kind, ...] = (_junk, _cut, _unknown_field, _other_version)
OF_QUOTES: tuple[Kind, ...] = (*OF_ANY, _negative_price, _no_ticker)


@dataclass
class Poisoner:
    """Puts poison between good messages: `share` of their number, every kind, the same for the same seed."""

    share: float
    seed: int
    sent: list[bytes] = field(default_factory=list)
    _rng: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def spoil(self, subject: str, good: bytes) -> list[Outgoing]:
        """Every kind of poison that a message of any subject can be made into."""
        return [self._spoilt(subject, f"{subject}-{place}", kind, good) for place, kind in enumerate(OF_ANY)]

    def mix(self, messages: list[Outgoing]) -> list[Outgoing]:
        """The messages with poison between them."""
        mixed: list[Outgoing] = []
        for message in messages:
            mixed.append(message)
            if self._rng.random() < self.share:
                kind = OF_QUOTES[len(self.sent) % len(OF_QUOTES)]
                mixed.append(self._spoilt(message.subject, message.message_id, kind, message.data))
        return mixed

    def _spoilt(self, subject: str, identity: str, kind: Kind, good: bytes) -> Outgoing:
        body = kind(good, self._rng)
        self.sent.append(body)
        return Outgoing(subject, f"poison-{identity}", body)
