"""The one thing about blobs that needs the real package index: that it has them, and what happens without it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from riskee.blobs import Blobs
from riskee.errors import RetryableError

pytestmark = pytest.mark.integration


def test_a_small_blob_comes_from_the_index(tmp_path: Path) -> None:
    path = Blobs(tmp_path).ensure("earnings-dates")
    with closing(sqlite3.connect(path)) as database:
        (count,) = database.execute("SELECT count(*) FROM earnings WHERE Ticker = 'AAPL'").fetchone()
    assert count > 50


def test_without_network_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(RetryableError, match="cannot be reached"):
        Blobs(tmp_path).ensure("earnings-dates")
    assert not Blobs(tmp_path).present("earnings-dates")
