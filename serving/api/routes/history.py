"""Past predictions."""

from datetime import date
from typing import Annotated, Self

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from starlette.responses import Response

from riskee.messaging.messages import ModelType
from riskee.messaging.statuses import gravest
from riskee.storage.history import Each, Outcome, PastPrediction, Place, Wanted
from serving.api.answers import PredictionAnswer, answers, session_of
from serving.api.cursors import cursor_of, place_of
from serving.api.parameters import TickerPath
from serving.api.replies import backend_of, kept

router = APIRouter(tags=["predictions"])


class PastPredictionAnswer(PredictionAnswer, frozen=True, kw_only=True):
    """A prediction as it was published, with the status of its own flags; `for_session` is the session whose close it
    is of, null where the calendar ends before that, and `outcome` null until it is known."""

    for_session: date | None
    outcome: Outcome | None


class HistoryAnswer(msgspec.Struct, frozen=True):
    """A page of predictions, newest first. `next` is the cursor of the page after it, null at the end."""

    predictions: tuple[PastPredictionAnswer, ...]
    next: str | None


def _written_out(value: object) -> object:
    if isinstance(value, str) and "-" not in value[1:]:
        raise ValueError("write it as 2026-11-22T15:00:00Z")
    return value


# Pydantic takes a number for a Unix time, which the document does not offer.
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]


class Choice(BaseModel):
    """Which of a ticker's predictions."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[Moment | None, Field(alias="from", description="made at this moment or after it")] = None
    until: Annotated[Moment | None, Field(alias="to", description="made before this moment")] = None
    model_type: Annotated[ModelType | None, Field(description="of this model type only")] = None
    each: Annotated[Each, Field(description="`session`: of each session the last prediction only")] = "quote"
    limit: Annotated[int, Field(ge=1, le=1000, description="predictions of a page")] = 100
    before: Annotated[str | None, Field(max_length=200, description="`next` of the page before this one")] = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ValueError("`from` is after `to`: swap them")
        return self


@router.get("/predictions/{ticker}", responses=answers(HistoryAnswer, 404, 422))
async def history(
    request: Request,
    ticker: TickerPath,
    chosen: Annotated[Choice, Query()],
) -> Response:
    """What was predicted of a ticker, newest first, and what became of it."""
    backend = backend_of(request)
    name = await backend.directory.predicted(ticker)
    place = None if chosen.before is None else place_of(chosen.before, Place)
    wanted = Wanted(name, chosen.each, chosen.since, chosen.until, chosen.model_type, place)
    limit = chosen.limit
    found = await backend.reader.past(wanted, limit + 1)
    page = found[:limit]
    following = cursor_of(page[-1].place) if len(found) > limit else None
    return kept(request, HistoryAnswer(tuple(map(_answer, page)), following))


def _answer(past: PastPrediction) -> PastPredictionAnswer:
    prediction = past.prediction
    return PastPredictionAnswer(
        **msgspec.structs.asdict(prediction),
        status=gravest(prediction.flags),
        status_since=None,
        session=session_of(prediction),
        for_session=past.for_session,
        outcome=past.outcome,
    )
