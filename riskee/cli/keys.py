"""`riskee keys`: who may call the API."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from riskee.cli.console import Json, console, print_json, print_table
from riskee.cli.runtime import read_settings, with_database
from riskee.errors import PoisonError

if TYPE_CHECKING:
    from datetime import datetime

    from riskee.storage.api_keys import StoredKey

app = typer.Typer(help="Make, list and revoke keys of the API.", no_args_is_help=True)

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
Scopes = Annotated[
    str,
    typer.Option(help="What it allows: `all`, or names like predictions:read with commas between.", show_default=False),
]
Expires = Annotated[str, typer.Option(help="When it ends: 12h, 90d, 52w, or never.")]
Name = Annotated[str, typer.Option(help="Who or what it is for; shown in the list.")]


@app.command()
def create(scopes: Scopes, expires: Expires = "90d", name: Name = "", json: Json = False) -> None:
    """Make a key. It is shown this once: only a hash of it is kept."""
    from riskee.access.api_keys import make_key
    from riskee.access.grants import parse_grants
    from riskee.clock import SystemClock
    from riskee.storage.api_keys import StoredKey, add_key

    settings, now = read_settings(), SystemClock().now()
    grants, life = parse_grants(scopes), life_of(expires)
    pepper = settings.api.guard.key_pepper
    made = make_key("" if pepper is None else pepper.get_secret_value())
    stored = StoredKey(made.key_id, name, made.digest, grants, now, None if life is None else now + life)
    with_database(settings, lambda connection: add_key(connection, stored))
    if json:
        print_json({**_shown(stored, now), "key": made.token})
        return
    typer.echo(made.token)
    ends = "never ends" if stored.expires_at is None else f"ends on {stored.expires_at:%Y-%m-%d %H:%M} UTC"
    console(error=True).print(
        f"[dim]key {made.key_id} {ends}; it is not shown again. Send it as: Authorization: Bearer <key>[/]"
    )


@app.command("list")
def list_(json: Json = False) -> None:
    """List the keys, newest first."""
    from riskee.clock import SystemClock
    from riskee.storage.api_keys import read_keys

    now = SystemClock().now()
    shown = [_shown(key, now) for key in with_database(read_settings(), read_keys)]
    if json:
        print_json(shown)
        return
    print_table(
        "", ("key", "name", "state", "scopes", "made", "ends", "last used"), (list(key.values()) for key in shown)
    )
    if not shown:
        typer.echo("there are no keys: `riskee keys create --scopes predictions:read`")


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its id, as `riskee keys list` names it.", show_default=False)],
    json: Json = False,
) -> None:
    """Let a key be good no more, within seconds and for ever."""
    from riskee.access.api_keys import parse_key
    from riskee.clock import SystemClock
    from riskee.storage.api_keys import revoke_key

    whole = parse_key(key)
    key_id = key if whole is None else whole.key_id
    now = SystemClock().now()
    with_database(read_settings(), lambda connection: revoke_key(connection, key_id, now))
    if json:
        print_json({"key_id": key_id, "revoked_at": now})
        return
    typer.echo(f"key {key_id} is revoked")


def life_of(text: str) -> timedelta | None:
    """`90d` as a time, `never` as None. Raises PoisonError."""
    if text == "never":
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})([hdw])", text)
    if found is None:
        raise PoisonError(f"{text} is no time to live", "say for instance 12h, 90d, 52w, or never")
    return int(found[1]) * _UNITS[found[2]]


def _shown(key: StoredKey, now: datetime) -> dict[str, object]:
    state = "revoked" if key.revoked_at else "expired" if key.ended_at(now) else "live"
    ends = key.revoked_at or key.expires_at
    return {
        "key_id": key.key_id,
        "name": key.name,
        "state": state,
        "scopes": " ".join(sorted(key.grants)),
        "created_at": f"{key.created_at:%Y-%m-%d %H:%M}",
        "ends_at": f"{ends:%Y-%m-%d %H:%M}" if ends else "never",
        "last_used_at": f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
    }
