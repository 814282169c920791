"""Whether Dagster works, as record tells Prometheus: without it nothing is trained, watched, backed up or cleared away.

No prediction waits for it, so nobody else would notice.
"""

import http.client
import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from riskee.errors import RetryableError

PARTS = ("webserver", "daemon", "code")
# Of the 10 s that record gives a look.
_ANSWER_SECONDS = 8.0
# A daemon gives a sign every 30 s. Dagster itself waits half an hour before it calls it ill.
_SILENCE_SECONDS = 300.0
QUERY = """{
  instance { daemonHealth { allDaemonStatuses { required healthy lastHeartbeatTime } } }
  workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } }
}"""


def parts_up(url: str, now: float) -> dict[str, bool]:
    """Which of PARTS work, as the webserver at `url` says at the Unix time `now`; of what it cannot tell, none does."""
    try:
        found = _asked(url)
        return {
            "webserver": True,
            "daemon": _daemon_lives(found["instance"]["daemonHealth"]["allDaemonStatuses"], now),
            "code": _code_is_loaded(found["workspaceOrError"]),
        }
    except (RetryableError, KeyError, TypeError):
        return dict.fromkeys(PARTS, False)


def _asked(url: str) -> dict[str, Any]:
    """The answer to the query. Raises RetryableError where there is none, or one that is not Dagster's."""
    body = json.dumps({"query": QUERY}).encode()
    request = urllib.request.Request(f"{url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 (from the settings)
            return dict(json.load(answer)["data"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise RetryableError(f"Dagster does not answer at {url}: {error}", "it is asked again") from error


def _daemon_lives(daemons: list[Mapping[str, Any]], now: float) -> bool:
    """One process runs them all: a sign of any is a sign of it."""
    newest = max((daemon["lastHeartbeatTime"] or 0.0 for daemon in daemons), default=0.0)
    return now - newest < _SILENCE_SECONDS and all(daemon["healthy"] for daemon in daemons if daemon["required"])


def _code_is_loaded(workspace: Mapping[str, Any]) -> bool:
    """Every location's definitions are there; one that is just loading has neither them nor an error yet."""
    entries = workspace["locationEntries"]
    kinds = [(entry["locationOrLoadError"] or {}).get("__typename") for entry in entries]
    return bool(kinds) and all(kind == "RepositoryLocation" for kind in kinds)
