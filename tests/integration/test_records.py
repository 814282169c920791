"""The track record of an explanation: what was known when the prediction's session began, however late it is asked."""

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import Engine

from riskee.model.live_record import standings
from serving.consumers.lookups import Lookups
from serving.consumers.records import Records
from tests.integration.test_marts import FIRST, hit, made_record, stored
from tests.unit.messaging import samples

pytestmark = pytest.mark.integration


async def test_an_old_prediction_is_explained_with_the_outcomes_of_its_time(engine: Engine) -> None:
    rows = stored(engine, made_record())
    records = Records(engine, Lookups(1))
    for days in (0, 1, 2, 20, 39, 90):
        session = FIRST + timedelta(days)
        prediction = msgspec.structs.replace(
            samples.PREDICTION, ticker="AAPL", model_version="normal-1", session_date=session
        )
        known = [
            row
            for row in rows
            if (row["ticker"], row["model_version"]) == ("AAPL", "normal-1") and row["outcome_session"] < session
        ]
        found = await records.of(prediction)
        if not known:
            assert found is None
            continue
        assert found is not None
        assert (found.outcomes, found.sessions) == (len(known), len(known) // 2)
        assert found.hit_rate == pytest.approx(sum(map(hit, known)) / len(known))
    # Others on the same connections see all of it.
    with engine.connect() as connection:
        assert standings(connection)[0].outcomes == len(rows)
