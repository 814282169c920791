"""Whether the API asks who calls: not on this machine alone, always elsewhere."""

from riskee.access.exposure import is_loopback, is_open
from riskee.clock import Clock
from riskee.errors import FatalError, RetryableError
from riskee.logs import get_logger
from riskee.settings import Settings
from riskee.storage.api_keys import read_keys
from riskee.storage.database import database_errors, make_engine

_log = get_logger(__name__)


def check_opening(settings: Settings, clock: Clock) -> None:
    """Say who may call. Raises FatalError where others can reach the API and nobody could prove who they are."""
    if is_open(settings):
        _log.warning("open to everybody on this machine: no key is asked for", address=settings.api.host)
        return
    keys = _live_keys(settings, clock)
    if keys == 0 and not settings.api.jwt.keys:
        _refuse_or_warn(settings)
    _log.info("credentials are required", keys=keys, tokens=bool(settings.api.jwt.keys))


def _refuse_or_warn(settings: Settings) -> None:
    cause = f"the API would listen on {settings.api.host}, and there is neither an API key nor a key for tokens"
    step = "make one, `riskee keys create --scopes all`, or set RISKEE_API__JWT__KEYS, then start it again"
    if not is_loopback(settings.api.host):
        raise FatalError(cause, step)
    _log.warning(cause, next_step=step)


def _live_keys(settings: Settings, clock: Clock) -> int | None:
    """How many keys there are; None where the database is away: then nobody gets in until it is back."""
    engine = make_engine(settings.database.url, 1)
    try:
        with database_errors(), engine.begin() as connection:
            now = clock.now()
            return sum(not key.ended_at(now) for key in read_keys(connection))
    except RetryableError as error:
        _log.warning("the API keys cannot be read yet", cause=str(error))
        return None
    finally:
        engine.dispose()
