"""Which model predicts: the aliases in `model_metadata`, moved by one at a time, each move a row of `model_events`."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select, text, update
from sqlalchemy.dialects.postgresql import insert

from riskee.ids import model_event_id
from riskee.messaging.messages import ModelType
from riskee.storage.tables import model_events, model_metadata

CHAMPION, CHALLENGER = "champion", "challenger"
# Identifies the movers of aliases among PostgreSQL's advisory locks.
_LOCK = 0x5269736B03


class Action(StrEnum):
    """What was decided about a model."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"


@dataclass(frozen=True)
class ModelEvent:
    """One decision: the model that it is about, and the champion before it."""

    at: datetime
    model_type: ModelType
    model_version: str
    action: Action
    reason: str
    former_champion: str | None = None
    run_id: str | None = None


def lock(connection: Connection) -> None:
    """Let nobody else move aliases until the transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def move(connection: Connection, event: ModelEvent) -> ModelEvent:
    """Make a registered model the champion, or the challenger where it was refused, and write down why.

    Whoever calls holds the lock. Answers the event with the champion before it.
    """
    table = model_metadata.c
    of_type = update(model_metadata).where(table.model_type == event.model_type)
    refused = event.action is Action.REFUSED
    former = champion_version(connection, event.model_type)
    # A new champion ends the challenger's wait too.
    replaced = (CHALLENGER,) if refused else (CHAMPION, CHALLENGER)
    connection.execute(of_type.where(table.alias.in_(replaced)).values(alias=None))
    alias = CHALLENGER if refused else CHAMPION
    connection.execute(of_type.where(table.model_version == event.model_version).values(alias=alias))
    written = {field.name: getattr(event, field.name) for field in fields(event)}
    written |= {"action": event.action.value, "former_champion": former}
    identity = model_event_id(event.model_version, event.action, event.at)
    connection.execute(insert(model_events).values(event_id=identity, **written))
    return ModelEvent(**{**written, "action": event.action})


def champion_version(connection: Connection, model_type: ModelType) -> str | None:
    """The version of the model that predicts, unread."""
    table = model_metadata.c
    statement = select(table.model_version).where(table.model_type == model_type, table.alias == CHAMPION)
    version: str | None = connection.scalar(statement)
    return version


def read_events(connection: Connection, model_type: ModelType) -> list[ModelEvent]:
    """What was decided about the models of a type, latest first."""
    columns = (model_events.c[field.name] for field in fields(ModelEvent))
    latest = select(*columns).where(model_events.c.model_type == model_type).order_by(model_events.c.at.desc())
    return [ModelEvent(**{**row, "action": Action(row["action"])}) for row in connection.execute(latest).mappings()]
