"""The wire format does not change by accident: each message against its golden file."""

import json
from typing import Any

import msgspec
import pytest

from riskee.errors import PoisonError
from riskee.messaging.envelope import seal
from riskee.messaging.subjects import QUOTE, SUBJECTS, UNSTORED, Subject
from tests.unit.messaging.samples import FOLDER, encoded, golden, sample

by_name = pytest.mark.parametrize("subject", [*SUBJECTS, *UNSTORED], ids=lambda subject: subject.name)


@by_name
def test_message_is_written_as_its_golden_file(subject: Subject[Any]) -> None:
    assert encoded(subject.name, subject.codec) == golden(subject.name).read_text()


@by_name
def test_golden_file_is_read_back(subject: Subject[Any]) -> None:
    assert subject.codec.decode(golden(subject.name).read_bytes()) == sample(subject.name)


@by_name
def test_sealing_an_encoded_payload_gives_the_same_bytes(subject: Subject[Any]) -> None:
    envelope = sample(subject.name)
    assert subject.codec.encode(envelope) == seal(
        msgspec.json.encode(envelope.payload),
        message_id=envelope.message_id,
        correlation_id=envelope.correlation_id,
        source=envelope.source,
        at=envelope.timestamp,
    )


def test_every_golden_file_has_a_subject() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == {subject.name for subject in (*SUBJECTS, *UNSTORED)}


def _broken(**changes: object) -> bytes:
    document = json.loads(golden(QUOTE.name).read_bytes())
    document["payload"].update(changes)
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"not json",
        _broken(price=-1.0),
        _broken(price="high"),
        _broken(volume=-1.0),
        _broken(ticker="aapl"),
        _broken(surprise=1),
    ],
)
def test_what_is_no_such_message_is_poison(data: bytes) -> None:
    with pytest.raises(PoisonError, match="malformed message"):
        QUOTE.codec.decode(data)


def test_another_wire_version_is_poison() -> None:
    document = json.loads(golden(QUOTE.name).read_bytes()) | {"version": 2}
    with pytest.raises(PoisonError, match="version 2"):
        QUOTE.codec.decode(json.dumps(document).encode())
