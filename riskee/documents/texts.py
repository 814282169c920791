"""One line of a user's file of texts: what it must say, and what is wrong where it does not."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from riskee import ids
from riskee.documents.cleaning import clean, likeness, untokenised
from riskee.documents.document import Collection
from riskee.documents.wording import day
from riskee.errors import PoisonError
from riskee.messaging.messages import TICKER_PATTERN

Kind = Literal["calls", "news"]
COLLECTION: dict[Kind, Collection] = {"calls": "earnings_calls", "news": "market_news"}
EXCHANGE = ZoneInfo("America/New_York")
# A long call has 60,000 characters; what is far beyond is no call.
MAX_CHARACTERS = 500_000
# A whole call says more than this; what is shorter is a piece that was cut off.
SHORTEST = {"calls": 500, "news": 12}
_MAX_TITLE = 160
_FIRST_YEAR = 1900
_TICKER = re.compile(TICKER_PATTERN)
_URL = re.compile(r"https?://[!-~]{1,2000}")
_ID = re.compile(r"[ -~]{1,200}")


@dataclass(frozen=True)
class ImportedText:
    """A text from outside, cleaned. `text_id` is the same when its line is imported again, also with other words."""

    text_id: uuid.UUID
    kind: Kind
    ticker: str
    day: date
    title: str
    text: str
    source: str
    published_at: datetime
    known_at: datetime
    url: str | None

    @property
    def twin(self) -> str:
        """The same for every copy of a text about a ticker on a day, such as repeated posts."""
        return f"{self.ticker}:{self.day.isoformat()}:{likeness(self.text)}"


def parse(line: bytes | None, kind: Kind, source: str, now: datetime) -> ImportedText:
    """Read a line of JSON with `symbol` or `ticker`, `date` or `created_at`, `text` or `tokens`.

    `title`, `url` and `id` may be there. A line that was too long to be read is None. Raises PoisonError with the
    reason for which the line is refused.
    """
    fields = _fields(line)
    ticker = _field(fields, ("symbol", "ticker"), str).strip().upper()
    if not _TICKER.fullmatch(ticker):
        raise PoisonError("the ticker is not one")
    published_at, known_at, moment = _moments(_field(fields, ("created_at", "date"), str))
    if known_at > now:
        raise PoisonError("dated in the future")
    if moment.year < _FIRST_YEAR:
        raise PoisonError("dated long before any price")
    text = _text(fields, kind)
    title = clean(_field(fields, ("title",), str, ""))[:_MAX_TITLE]
    # A company has one call a day, so that a mended transcript replaces the old one; news are what they say.
    said = title if kind == "calls" else likeness(text)
    key = _matching(fields, "id", _ID) or f"{ticker}:{moment.isoformat()}:{said}"
    return ImportedText(
        text_id=ids.document_id(COLLECTION[kind], source, key),
        kind=kind,
        ticker=ticker,
        day=moment,
        title=title or f"{ticker}{' earnings call' if kind == 'calls' else ''}, {day(moment)}",
        text=text,
        source=source,
        published_at=published_at,
        known_at=known_at,
        url=_matching(fields, "url", _URL),
    )


def _fields(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise PoisonError("the line is too long")
    try:
        fields = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PoisonError("the line is not JSON") from error
    except RecursionError as error:
        raise PoisonError("the line is nested too deeply") from error
    if not isinstance(fields, dict):
        raise PoisonError("the line is not a JSON object")
    return fields


def _field(fields: dict[str, Any], names: tuple[str, ...], kind: type, default: Any = None) -> Any:
    """The first of the fields that is there."""
    value = next((fields[name] for name in names if fields.get(name) is not None), default)
    if value is None:
        raise PoisonError(f"there is no {' or '.join(names)}")
    if not isinstance(value, kind):
        raise PoisonError(f"{' or '.join(names)} is not a {'list' if kind is list else 'string'}")
    return value


def _matching(fields: dict[str, Any], name: str, form: re.Pattern[str]) -> str | None:
    value = _field(fields, (name,), str, "")
    if value and not form.fullmatch(value):
        raise PoisonError(f"the {name} is not one")
    return value or None


def _text(fields: dict[str, Any], kind: Kind) -> str:
    if fields.get("text") is not None:
        text = clean(_field(fields, ("text",), str)[: MAX_CHARACTERS + 1])
    else:
        tokens = _field(fields, ("text", "tokens"), list)
        if not all(isinstance(token, str) for token in tokens):
            raise PoisonError("tokens are not all strings")
        text = untokenised(clean(" ".join(tokens)).split())
    if len(text) > MAX_CHARACTERS:
        raise PoisonError(f"the text is longer than {MAX_CHARACTERS} characters")
    if len(text) < SHORTEST[kind]:
        raise PoisonError(f"the text is shorter than {SHORTEST[kind]} characters")
    if not any(letter.isalpha() for letter in text):
        raise PoisonError("the text has no words")
    return text


def _moments(text: str) -> tuple[datetime, datetime, date]:
    """When it was published and known (UTC), and its day in New York. A bare date is known when that day is over."""
    try:
        if len(text) == 10:
            moment = date.fromisoformat(text)
            first, after = (datetime.combine(one, time(), EXCHANGE) for one in (moment, moment + timedelta(days=1)))
            return first.astimezone(UTC), after.astimezone(UTC), moment
        if text[:1].isalpha():  # Wed Jan 01 03:59:03 +0000 2014
            found = datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")
        else:
            found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise PoisonError("the time has no zone")
        known_at = found.astimezone(UTC)
        return known_at, known_at, found.astimezone(EXCHANGE).date()
    except (ValueError, OverflowError) as error:
        raise PoisonError("the date is not one") from error
