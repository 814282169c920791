"""The feature set, declared once. The live kernel and the SQL models compute exactly these, in this order.

Conventions: c, h, l are adjusted prices (raw x adjustment factor), v is traded value in currency (raw close x raw
volume, which no split changes), r is the one-session log return of c, m that of the market ticker. A window of n
covers the n latest sessions including the current one. A feature is NaN until its window is full.
EMA(x, a) is e_1 = x_1, e_t = e_(t-1) + a (x_t - e_(t-1)), from the first bar; gains, losses and true ranges begin at
the second. A gap longer than LONGEST_GAP_DAYS between two bars of a ticker begins a new history: nothing looks
across it, and the bar after it is a first bar again. A quotient by zero is NaN; a deviation below 1e-9 of its mean
counts as zero. A session's place is its number among the exchange's sessions; a report on another day takes the place
of the next session. A report is known in the sessions of days that begin (00:00 UTC) at or after its known_at; its
result from the session after it on, for it may come after the close.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

# Bars from which the live kernel is built: (1 - 1/14)^512 < 1e-16, so an EMA's start no longer matters.
WARM_UP_BARS = 512
# Calendar days between consecutive bars of one history. The exchange's longest closure, of September 2001, took seven.
LONGEST_GAP_DAYS = 10
# The horizon that scales the target and the interval.
SCALE_FEATURE = "volatility_20d"


@dataclass(frozen=True)
class Feature:
    """One feature: its column name, the bars it needs, its unit, its formula, and its name in plain words."""

    name: str
    bars: int
    unit: str
    definition: str
    label: str


def _return(sessions: int, label: str) -> Feature:
    return Feature(f"return_{sessions}d", sessions + 1, "log return", f"ln(c_t / c_(t-{sessions}))", label)


def _volatility(sessions: int, label: str) -> Feature:
    return Feature(f"volatility_{sessions}d", sessions + 1, "log return", f"sample deviation of r, {sessions}", label)


TECHNICAL = (
    _return(1, "the last session's move"),
    _return(5, "the move over a week"),
    _return(20, "the move over a month"),
    _return(60, "the move over a quarter"),
    _return(120, "the move over half a year"),
    _return(252, "the move over a year"),
    _volatility(5, "volatility over a week"),
    _volatility(20, "volatility over a month"),
    _volatility(60, "volatility over a quarter"),
    Feature("volume_ratio_5d", 6, "ratio", "v_t / mean(v_(t-5) .. v_(t-1))", "trading volume against the week"),
    Feature("volume_ratio_20d", 21, "ratio", "v_t / mean(v_(t-20) .. v_(t-1))", "trading volume against the month"),
    Feature("dollar_volume_20d", 20, "log currency", "ln(1 + mean(v), 20)", "the usual traded value"),
    Feature("beta_60d", 61, "ratio", "cov(r, m) / var(m), 60", "sensitivity to the market"),
    Feature("market_return_1d", 2, "log return", "m_t", "the market's last move"),
    Feature("market_volatility_20d", 21, "log return", "sample deviation of m, 20", "the market's volatility"),
    Feature(
        "rsi_14",
        15,
        "0..100",
        "100 g / (g + d), g and d EMA(1/14) of gains and losses of c",
        "the relative strength index",
    ),
    Feature("macd", 26, "ratio", "(EMA(c, 2/13) - EMA(c, 2/27)) / c", "momentum of the moving averages"),
    Feature("sma_50_200", 200, "ratio", "mean(c, 50) / mean(c, 200) - 1", "the medium trend against the long one"),
    Feature(
        "bollinger_20",
        20,
        "deviations",
        "(c - mean(c, 20)) / (2 x sample deviation of c, 20)",
        "the place in the Bollinger band",
    ),
    Feature("atr_14", 15, "ratio", "EMA(1/14) of the true range / c", "the average true range"),
)

EARNINGS = (
    Feature(
        "sessions_to_earnings",
        1,
        "sessions",
        "sessions to the next known report from today on, at most 10",
        "the next report's nearness",
    ),
    Feature(
        "sessions_since_earnings",
        1,
        "sessions",
        "sessions since the last known report before today, at most 63",
        "time since the last report",
    ),
    Feature(
        "earnings_move",
        2,
        "log return",
        "mean of |r| on the sessions after the last four reports, of those within 300 sessions",
        "the usual move on reports",
    ),
    Feature(
        "earnings_surprise",
        1,
        "share of EPS",
        "2 (e - f) / (|e| + |f|) within -1..1, zero where e and f are, e the EPS and f its estimate, of the latest "
        "report with both, of the last four within 300 sessions",
        "the last report's surprise",
    ),
)

NORMAL_FEATURES = tuple(feature.name for feature in TECHNICAL)
EARNINGS_FEATURES = NORMAL_FEATURES + tuple(feature.name for feature in EARNINGS)
FEATURES = TECHNICAL + EARNINGS
BY_NAME = {feature.name: feature for feature in FEATURES}
# How far ahead a report's date counts as known (two weeks), and how long a report counts as recent.
EARNINGS_AHEAD_SESSIONS = 10
EARNINGS_SINCE_SESSIONS = 63
# How many past reports, and how far back, count for the usual move and the surprise.
EARNINGS_PAST_REPORTS = 4
EARNINGS_PAST_SESSIONS = 300


def features_of(model_type: str) -> tuple[str, ...]:
    """The ordered inputs of a model type. Raises KeyError for an unknown type."""
    return {"normal": NORMAL_FEATURES, "earnings": EARNINGS_FEATURES}[model_type]


def feature_set_hash(model_type: str) -> str:
    """Twelve hex digits that change with any definition of a model type's inputs."""
    definitions = [asdict(BY_NAME[name]) for name in features_of(model_type)]
    for definition in definitions:
        del definition["label"]
    rules = {"longest_gap_days": LONGEST_GAP_DAYS, "features": definitions}
    return hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()[:12]
