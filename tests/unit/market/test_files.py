"""Files of bars: good, damaged, and not of bars at all."""

import gzip
import hashlib
import os
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from riskee.errors import NotFoundError, PoisonError
from riskee.market.sources.files import FileSource
from tests.unit.market.frames import bars

CSV = """symbol,date,open,high,low,close,adjusted_close,volume
TRUE,2012-07-02,10,11,9,10.5,5.25,1000
NA,2012-07-02,10,11,9,,5.25,many
"""


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("name", "pack"), [("p.csv", bytes), ("p.CSV", bytes), ("p.csv.gz", gzip.compress)])
def test_a_csv_is_read_as_text_and_as_numbers(tmp_path: Path, name: str, pack: type[bytes]) -> None:
    content = pack(CSV.encode())
    raw = FileSource(write(tmp_path, name, content)).read()
    assert raw.bars["ticker"].tolist() == ["TRUE", "NA"]
    assert raw.bars["adjustment_factor"].iloc[0] == 0.5
    assert raw.bars[["close", "volume"]].iloc[1].isna().all()
    assert raw.rows["volume"].tolist() == ["1000", "many"]
    assert raw.source == f"file:{name}"
    assert raw.content_sha256 == hashlib.sha256(content).hexdigest()


def test_a_parquet_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bars [of] two.parquet"
    frame = bars(("AAPL", "IBM"))
    write_parquet(frame.assign(date=frame["session"].dt.date).drop(columns="session"), path)
    pd.testing.assert_frame_equal(FileSource(path).read().bars, frame)


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    with duckdb.connect() as connection:
        connection.from_df(frame).write_parquet(str(path))


def parquet(folder: Path) -> bytes:
    path = folder / "whole.parquet"
    write_parquet(bars(), path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("empty.csv", b"", "is empty"),
        ("empty.parquet", b"", "is empty"),
        ("header.csv", b"symbol,date,open,high,low,close,volume\n", "has no rows"),
        ("ragged.csv", CSV.encode() + b"a,b,c,d,e,f,g,h,i,j\n", "Expected 8 fields in line 4, saw 10"),
        ("image.csv", b"\x89PNG\r\n\x1a\n\xff\xfe", "cannot be read"),
        ("other.csv", b"name,price\nbread,2\n", "has no column ticker"),
        ("not.csv.gz", CSV.encode(), "cannot be read"),
        ("cut.csv.gz", gzip.compress(CSV.encode())[:-12], "cannot be read"),
        ("not.parquet", CSV.encode(), "cannot be read"),
        ("prices.xlsx", b"PK", "is neither CSV nor Parquet"),
    ],
)
def test_a_file_that_is_no_table_of_bars_is_refused_by_name(
    tmp_path: Path, name: str, content: bytes, cause: str
) -> None:
    path = write(tmp_path, name, content)
    with pytest.raises(PoisonError, match=cause) as caught:
        FileSource(path).read()
    assert str(path) in caught.value.cause
    assert caught.value.remedy


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, kept: float) -> None:
    whole = parquet(tmp_path)
    path = write(tmp_path, "cut.parquet", whole[: int(len(whole) * kept)])
    with pytest.raises(PoisonError, match="cannot be read"):
        FileSource(path).read()


def test_a_damaged_parquet_page_is_refused(tmp_path: Path) -> None:
    whole = bytearray(parquet(tmp_path))
    whole[4:200] = b"\xff" * 196
    with pytest.raises(PoisonError, match="cannot be read"):
        FileSource(write(tmp_path, "damaged.parquet", bytes(whole))).read()


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    for path in (tmp_path / "none.csv", folder):
        with pytest.raises(NotFoundError, match="there is no file"):
            FileSource(path).read()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_it(tmp_path: Path) -> None:
    path = write(tmp_path, "secret.csv", CSV.encode())
    path.chmod(0)
    with pytest.raises(PoisonError, match="may not be read"):
        FileSource(path).read()
