"""docs/sizing.md: what 100, 5,000 and 50,000 tickers need."""

from collections.abc import Iterator
from pathlib import Path

from infra.sizing.measured import RATES, SERVICES, TICKERS, Measured, read_measured
from infra.sizing.need import FOLLOWED, KEPT_DAYS, ROWS_DAYS, SESSION_SECONDS, SHARE, Load, Need, need
from riskee.messaging.streams import GIB, STREAMS

PACES = {"a quote a minute": 1 / 60, "a quote a second": 1.0}
SIZES = {100: 10, 5_000: 500, 50_000: 5_000}
LOADS = tuple((pace, Load(size, each, open_)) for pace, each in PACES.items() for size, open_ in SIZES.items())

_TEMPLATE = Path(__file__).with_name("template.txt")


def render() -> str:
    """The whole page. Raises FatalError where the measured numbers are not where they were."""
    measured = read_measured()
    needs = [(pace, load, need(measured, load)) for pace, load in LOADS]
    tables = {
        "needs": "".join(_need_row(*each) for each in needs),
        "disks": "".join(_disk_row(*each) for each in needs),
        "costs": "".join(_cost_rows(measured)),
    }
    return _TEMPLATE.read_text().format(**_words(measured), **tables)


def _words(measured: Measured) -> dict[str, object]:
    quotes, predictions = measured.tables["quotes"], measured.tables["predictions"]
    return measured.memory_mib | {
        "machine": measured.machine,
        "tickers": TICKERS,
        "most": RATES[-1],
        "kept": KEPT_DAYS,
        "young": ROWS_DAYS,
        "share": SHARE,
        "followed": FOLLOWED,
        "seconds": SESSION_SECONDS,
        "streams": sum(stream.max_bytes for stream in STREAMS) / GIB,
        "bars": round(measured.tables["market_data"].row_bytes),
        "follows": SHARE * 1e6 / measured.cpu_us["api"][-1],
        "predicted": measured.predicted,
        "written": measured.written,
        "eased": measured.late_ms[0],
        "late": measured.late_ms[-1] / 1000,
        "delivery": measured.delivery_us,
        "connection": measured.connection_kib,
        "quotes": quotes.row_bytes,
        "predictions": predictions.row_bytes,
        "quotes_smaller": quotes.smaller,
        "predictions_smaller": predictions.smaller,
        "services": ", ".join(SERVICES),
        "services_row": " | ".join(SERVICES),
        "dashes": "|".join("---" for _ in SERVICES),
    }


def _need_row(pace: str, load: Load, found: Need) -> str:
    cores = (
        f"{_few(found.cores)} to {_few(found.cores_at_ease)}"
        if found.cores_at_ease > found.cores
        else _few(found.cores)
    )
    cells = (
        f"{load.tickers:,}", pace, _few(load.rate), f"{load.connections:,}", f"{found.predictors}",
        f"{found.record_used:.1%}" if found.record_used < 1 else f"**{found.record_used:.0%}**",
        "-" if found.api is None else f"{found.api}", cores, _few(found.memory_gib), _few(found.burst_seconds),
    )  # fmt: skip
    return _line(cells)


def _disk_row(pace: str, load: Load, found: Need) -> str:
    return _line((f"{load.tickers:,}", pace, _few(found.day_gb), _few(found.rows_gb), _few(found.columns_gb)))


def _cost_rows(measured: Measured) -> Iterator[str]:
    for place, rate in enumerate(RATES):
        yield _line((f"{rate:,}", *(f"{measured.cpu_us[name][place]:,.0f}" for name in SERVICES)))


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _few(number: float) -> str:
    """Two figures, and the thousands apart."""
    return f"{float(f'{number:.2g}'):,.0f}" if number >= 10 else f"{float(f'{number:.2g}'):g}"
