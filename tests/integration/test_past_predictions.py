"""Past predictions, read from the track record for the documents that tell of them."""

import uuid
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine

from riskee.documents.prediction_context import PastPrediction
from riskee.documents.records import published_predictions
from riskee.storage.tables import track_record
from tests.integration.stored_documents import NOW

pytestmark = pytest.mark.integration


def test_of_published_predictions_the_last_of_a_session_is_told(engine: Engine) -> None:
    def row(sequence: int, hour: int, session: date) -> dict[str, object]:
        return {
            "sequence": sequence, "prediction_id": uuid.UUID(int=sequence), "ticker": "IBM", "model_type": "normal",
            "model_version": "m", "feed": "replay", "data_time": datetime(2014, 3, session.day, hour, tzinfo=UTC),
            "session_date": session, "outcome_session": session, "expected_return": sequence / 100, "p_up": 0.6,
            "interval_low": -0.1, "interval_high": 0.1, "realised_return": 0.02, "scored_at": NOW,
            "previous_sha256": "", "sha256": "",
        }  # fmt: skip

    rows = [row(1, 15, date(2014, 3, 3)), row(2, 19, date(2014, 3, 3)), row(3, 15, date(2014, 3, 4))]
    with engine.begin() as connection:
        connection.execute(track_record.insert(), rows)
        found = published_predictions(connection, date(2014, 3, 1))
        later = published_predictions(connection, date(2014, 3, 4))
    made_at = datetime(2014, 3, 3, 19, tzinfo=UTC)
    assert found[0] == PastPrediction("IBM", date(2014, 3, 3), "normal", 0.02, 0.6, 0.02, made_at)
    assert later == found[1:]
