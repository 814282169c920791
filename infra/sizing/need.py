"""What a number of tickers needs: processors, processes, memory and disk, from the measured costs."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from infra.sizing.measured import RATES, SERVICES, TICKERS, Measured

# What of a processor, or of a process' measured pace, is planned for; the rest is for bursts.
SHARE = 0.6
SESSION_SECONDS = 6.5 * 3600
KEPT_DAYS, ROWS_DAYS = 90, 7  # of calendar: kept at all, and as rows, before Community makes columns of them
SESSIONS_OF_DAYS = 252 / 365
FOLLOWED = 10  # tickers that each connection listens to
# Waves stay this small where answers within milliseconds are wanted: the load whose cost is planned with then.
_SMALL_WAVES = 1_000
_MICRO, _MIB_KIB, _GB = 1e-6, 1024, 1e9


@dataclass(frozen=True)
class Load:
    """Tickers, quotes of each a second in a session, open connections of the stream."""

    tickers: int
    per_ticker: float
    connections: int

    @property
    def rate(self) -> float:
        """Quotes a second."""
        return self.tickers * self.per_ticker


@dataclass(frozen=True)
class Need:
    """`cores` and `cores_at_ease`: with waves as large as quotes pile up to, and as small as at 1,000 quotes/s.

    `record_used`: share of the pace of the one recorder; `api`: processes, None where one cannot follow all events.
    `burst_seconds` until all tickers that have a quote at once are predicted. Disk in GB.
    """

    predictors: int
    record_used: float
    api: int | None
    cores: float
    cores_at_ease: float
    memory_gib: float
    burst_seconds: float
    day_gb: float
    rows_gb: float
    columns_gb: float


def cores_of(measured: Measured, service: str, rate: float) -> float:
    """Processors that a service keeps busy: linear between the measured loads, beyond them at the cost of the last."""
    points = [(float(at), at * cost * _MICRO) for at, cost in zip(RATES, measured.cpu_us[service], strict=True)]
    for (low, busy_low), (high, busy_high) in pairwise([(0.0, 0.0), *points]):
        if rate <= high:
            return busy_low + (busy_high - busy_low) * (rate - low) / (high - low)
    at, busy = points[-1]
    return busy * rate / at


def need(measured: Measured, load: Load) -> Need:
    """What a load needs."""
    deliveries = load.connections * FOLLOWED * load.per_ticker
    predictors = max(ceil(load.rate / (SHARE * measured.predicted)), ceil(load.tickers / TICKERS))
    api = _api(measured, load.rate, deliveries)
    stream = deliveries * measured.delivery_us * _MICRO
    cores, at_ease = (_cores(busy, api or 1) + stream for busy in _busy(measured, load.rate))
    day, rows, columns = _disk_gb(measured, load.rate)
    return Need(
        predictors=predictors,
        record_used=2 * load.rate / measured.written,
        api=api,
        cores=cores,
        cores_at_ease=at_ease,
        memory_gib=_memory_gib(measured, load, predictors, api or 1),
        burst_seconds=load.tickers / (measured.predicted * predictors),
        day_gb=day,
        rows_gb=rows,
        columns_gb=columns,
    )


def _busy(measured: Measured, rate: float) -> tuple[dict[str, float], dict[str, float]]:
    """Processors by service: as measured at that rate, and with waves no larger than small ones."""
    times = max(1.0, rate / _SMALL_WAVES)
    return (
        {name: cores_of(measured, name, rate) for name in SERVICES},
        {name: times * cores_of(measured, name, rate / times) for name in SERVICES},
    )


def _cores(busy: dict[str, float], api: int) -> float:
    """Of all services, one process of the API each."""
    return sum(busy.values()) + (api - 1) * busy["api"]


def _disk_gb(measured: Measured, rate: float) -> tuple[float, float, float]:
    """A session's rows, those of the days that are kept, and these with the older ones as columns."""
    tables = [measured.tables[name] for name in ("quotes", "predictions")]
    as_rows = sum(table.row_bytes for table in tables)
    as_columns = sum(table.row_bytes / table.smaller for table in tables)
    quotes = rate * SESSION_SECONDS / _GB
    kept, young = KEPT_DAYS * SESSIONS_OF_DAYS, ROWS_DAYS * SESSIONS_OF_DAYS
    return quotes * as_rows, quotes * kept * as_rows, quotes * (young * as_rows + (kept - young) * as_columns)


def _api(measured: Measured, rate: float, deliveries: float) -> int | None:
    """Each process reads every event, and has a share of the connections."""
    left = SHARE - cores_of(measured, "api", rate)
    if left <= 0:
        return None
    return max(1, ceil(deliveries * measured.delivery_us * _MICRO / left))


def _memory_gib(measured: Measured, load: Load, predictors: int, api: int) -> float:
    """Of as many tickers as were measured, or more in proportion; of the language model nothing."""
    times = max(1.0, load.tickers / TICKERS)
    memory = measured.memory_mib
    mib = predictors * memory["predict"] + api * memory["api"] + memory["record"] + memory["nats"] + memory["postgres"]
    mib += times * memory["redis"] + load.connections * measured.connection_kib / _MIB_KIB
    return mib / 1024
