"""The branches of the tree of settings for data: feeds, histories, vendors."""

from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from riskee.settings.section import Listed, Section


class ReplaySettings(Section):
    """The replay of real prices as a live feed."""

    sessions: int = Field(120, ge=2, description="how many of the last sessions are replayed, held out of training")
    first: date | None = Field(None, description="first day to replay, in place of the last `sessions`")
    last: date | None = Field(None, description="last day to replay, where there is a first; the newest if unset")
    minutes: Path | None = Field(None, description="folder with files of minute bars to replay in place of daily bars")
    session_seconds: float = Field(20.0, ge=0, description="wall-clock seconds of a session; 0: as fast as it goes")
    repeat: bool = Field(True, description="start over after the last session, as a new pass")
    lockstep: bool = Field(
        True, description="wait with each moment until the last one is predicted, so that every replay gives the same"
    )

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        if self.last is not None and (self.first is None or self.last < self.first):
            raise ValueError(f"`last` ({self.last}) needs a `first` that is not after it")
        if self.minutes is not None and self.first is None:
            raise ValueError("`minutes` needs a `first` day")
        return self


class FileFeedSettings(Section):
    """A file, or a folder of files, that another program appends ticks or minute bars to."""

    path: Path | None = Field(None, description="file of rows, or folder of *.csv and *.jsonl, that is followed")
    poll_seconds: float = Field(0.25, gt=0, description="pause after nothing new was found")
    settle_seconds: float = Field(
        60.0, gt=0, description="silence after the close, after which a session's bars are final"
    )
    max_age_seconds: float = Field(
        0.0, ge=0, description="a row older than this on arrival is refused; 0: any age, as for past data"
    )


class FeedSettings(Section):
    """Where live quotes come from."""

    kind: Literal["replay", "file", "yahoo", "alpaca"] = Field("replay", description="kind of feed")
    stale_after_seconds: float = Field(60.0, gt=0, description="a ticker silent for longer is stale")
    mute_after_seconds: float = Field(
        30.0,
        gt=0,
        description="a feed silent for longer in an open session is mute; minute bars alone need more than 60",
    )
    replay: ReplaySettings = ReplaySettings()
    file: FileFeedSettings = FileFeedSettings()

    @property
    def held_out_sessions(self) -> int:
        """How many of the last sessions no training knows: those that the replay plays. A live feed plays none."""
        return self.replay.sessions if self.kind == "replay" else 0


class DataSettings(Section):
    """Where price history comes from, besides what is imported by hand."""

    source: Literal["bundled", "yahoo", "alpaca"] = Field(
        "bundled", description="what the nightly run ingests: the bundled history alone, or also `tickers` of a vendor"
    )
    tickers: Listed = Field((), description="tickers to fetch from the vendor, separated by commas")
    first_fetch_years: int = Field(10, ge=1, description="years of history that are fetched of a new ticker")


class VendorSettings(Section):
    """How a vendor is called."""

    timeout_seconds: float = Field(30.0, gt=0, description="longest wait for one answer")
    requests_per_minute: float = Field(60.0, gt=0, description="most requests begun in a minute")
    retries: int = Field(5, ge=0, description="how often a request is repeated that may succeed later")


class YahooPollSettings(Section):
    """Yahoo's charts as a live feed."""

    seconds: float = Field(15.0, gt=0, description="pause between two rounds of polls while the session is open")
    closed_seconds: float = Field(900.0, gt=0, description="pause while it is closed")
    at_once: int = Field(4, ge=1, description="tickers asked for, and published, together")
    settle_seconds: float = Field(
        120.0, ge=0, description="how long after the close its prices are waited for before the bars are final"
    )
    max_age_seconds: float = Field(
        1800.0, gt=0, description="a price that is older while the session is open is not taken"
    )


class YahooSettings(VendorSettings):
    """Yahoo's chart API: histories through yfinance, the live feed without it."""

    url: str | None = Field(
        None, pattern=r"^https?://", description="address to use in place of Yahoo's hosts, such as a proxy of your own"
    )
    poll: YahooPollSettings = YahooPollSettings()


class AlpacaStreamSettings(Section):
    """Alpaca's live feed: minute bars of all tickers, trades of some."""

    url: str = Field("wss://stream.data.alpaca.markets", pattern=r"^wss?://", description="address of the stream")
    tickers: int = Field(0, ge=0, description="most tickers to subscribe to; 0: all, or as many as the plan allows")
    trade_tickers: int = Field(
        30, ge=0, description="tickers whose trades are subscribed to besides their minute bars (free plan: 30)"
    )
    quote_tickers: int = Field(
        0, ge=0, description="tickers whose bids and offers show, while nothing is traded, that the feed is alive"
    )
    publish_seconds: float = Field(
        0.25, gt=0, description="shortest time between two publications; a ticker's news in between are one quote"
    )
    ping_seconds: float = Field(10.0, gt=0, description="how often the connection is tested, and how long for")
    first_pause_seconds: float = Field(
        1.0, gt=0, description="pause before the connection is tried again; it grows up to a minute"
    )
    settle_seconds: float = Field(
        35.0, gt=0, description="how long after a minute its late trades are in the vendor's history"
    )


class AlpacaSettings(VendorSettings):
    """Alpaca's market data API: histories through alpaca-py, the live feed without it."""

    url: str = Field("https://data.alpaca.markets", pattern=r"^https?://", description="address of the data API")
    key_id: SecretStr | None = Field(None, description="API key")
    secret_key: SecretStr | None = Field(None, description="secret of the API key")
    feed: Literal["sip", "iex", "delayed_sip", "otc"] = Field(
        "sip", description="feed: sip is all exchanges, iex one of them with some percent of the volume"
    )
    requests_per_minute: float = Field(180.0, gt=0, description="most requests begun in a minute (free plan: 200)")
    stream: AlpacaStreamSettings = AlpacaStreamSettings()
