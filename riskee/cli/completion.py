"""What the shell completes besides commands and options: what this installation has.

It is silent where that is not known: who presses the tabulator wants no error, and does not wait for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from riskee.errors import RiskeeError

if TYPE_CHECKING:
    from collections.abc import Callable

# Of the API, which answers within milliseconds where it answers.
_SECONDS = 1.0


def tickers(incomplete: str) -> list[tuple[str, str]]:
    """The tickers that begin so, with their companies' names, as the running API knows them."""
    return [(ticker, name) for ticker, name, _ in _tickers(incomplete)]


def predicted(incomplete: str) -> list[tuple[str, str]]:
    """The same without indices, which are not predicted."""
    return [(ticker, name) for ticker, name, is_index in _tickers(incomplete) if not is_index]


def models(incomplete: str) -> list[tuple[str, str]]:
    """The versions of models that begin so, with what was decided on them, as the running API knows them."""
    return [
        (one["model_version"], _plain(one.get("decision") or ""))
        for one in _asked("/v1/models", "model_version", incomplete)
    ]


def model_types(incomplete: str) -> list[str]:
    """The types of models that begin so."""
    from riskee.messaging.messages import MODEL_TYPES

    return [kind for kind in MODEL_TYPES if kind.startswith(incomplete)]


def logs(incomplete: str) -> list[str]:
    """The logs of the embedded stack that begin so."""
    from riskee.cli.logs import log_names
    from riskee.cli.runtime import embedded_stack, read_settings

    try:
        known = log_names(embedded_stack(read_settings()))
    except RiskeeError:
        return []
    return [name for name in known if name.startswith(incomplete)]


def _tickers(incomplete: str) -> list[tuple[str, str, bool]]:
    # What does not begin as it was typed is dropped by the shell.
    case: Callable[[str], str] = str.lower if incomplete.islower() else str
    return [
        (case(one["ticker"]), _plain(one["name"]), one["is_index"])
        for one in _asked("/v1/tickers", "ticker", incomplete.upper(), search=incomplete)
    ]


def _asked(path: str, field: str, begin: str, **query: str) -> list[dict[str, Any]]:
    """What the API has at a path, of which a field begins so; nothing where the API does not say it."""
    from riskee.cli.api import get
    from riskee.cli.runtime import read_settings

    try:
        return [one for one in get(read_settings(), path, _SECONDS, **query) if one[field].startswith(begin)]
    except (RiskeeError, LookupError, TypeError):  # it is away, or something else listens there
        return []


def _plain(text: str) -> str:
    """A text in which Typer finds no markup."""
    from rich.markup import escape

    return escape(text)
