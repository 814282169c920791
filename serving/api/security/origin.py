"""By which name the API is called, and from whose page.

A page of another site can make a browser on this machine call loopback: by a name of its own that it points there (DNS
rebinding), with a form, or by a WebSocket. Browsers say so in headers that no page can forge.
"""

from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus

from riskee.access.exposure import is_loopback
from riskee.settings import ApiSettings
from serving.api.problems import ProblemError

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})
# What a browser's own navigation says, or the page that the API itself served.
_NEAR = frozenset({b"same-origin", b"none"})
# What it says of a link that was followed, as the whole of a window.
_FOLLOWED = {b"sec-fetch-mode": b"navigate", b"sec-fetch-dest": b"document"}


class Origins:
    """Judges the headers Host, Origin and Sec-Fetch-*."""

    def __init__(self, settings: ApiSettings) -> None:
        names = {name.lower() for name in settings.allowed_hosts}
        if not names and is_loopback(settings.host):
            names = {*_THIS_MACHINE, settings.host.lower()}
        self._hosts = frozenset(names)
        self._origins = frozenset(origin.lower() for origin in settings.allowed_origins)
        self._known_host = lru_cache(256)(self._is_known_host)

    def refusal(
        self, method: str, headers: Mapping[bytes, bytes], *, page: bool, any_name: bool = False
    ) -> ProblemError | None:
        """Why a request cannot come from who it should, if so.

        `method` is WS for a WebSocket; `page` whether a page is asked for, to which any site may have a link;
        `any_name` whether it may be asked for by any name.
        """
        host = headers.get(b"host", b"")
        if self._hosts and not any_name and not self._known_host(host):
            return ProblemError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "unknown_host",
                "the API is not called by this name",
                "use localhost or 127.0.0.1, or list the name in RISKEE_API__ALLOWED_HOSTS",
            )
        if self._is_foreign(method, headers, host, page=page):
            return ProblemError(
                HTTPStatus.FORBIDDEN,
                "foreign_origin",
                "a page of another site may not do this",
                "list the page's origin in RISKEE_API__ALLOWED_ORIGINS",
            )
        return None

    def _is_known_host(self, host: bytes) -> bool:
        name = host.decode("latin-1").lower()
        bare, _, port = name.rpartition(":")
        return name in self._hosts or (port.isdigit() and bare in self._hosts)

    def _is_foreign(self, method: str, headers: Mapping[bytes, bytes], host: bytes, *, page: bool) -> bool:
        origin = headers.get(b"origin")
        if origin is not None:
            own = origin.partition(b"://")[2] == host
            allowed = own or origin.decode("latin-1").lower() in self._origins
            # The browser would keep an answer from such a page, but what it asks for may cost or change something.
            return not allowed and method != "OPTIONS"
        site = headers.get(b"sec-fetch-site")
        # Without an origin a page can still ask, say for a picture; a frame navigates too, but is no document.
        return site is not None and site not in _NEAR and not (page and _FOLLOWED.items() <= headers.items())
