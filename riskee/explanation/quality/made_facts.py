"""Made-up predictions for real tickers and moments: what is measured is what is found and written for them.

No number of theirs is shown to a language model and no measure depends on one.
"""

import random
import uuid
from datetime import datetime

from riskee.explanation.attribution import GROUPS
from riskee.messaging.explanations import Driver
from riskee.messaging.messages import Interval, Prediction

_DRIVERS = 4


def made_facts(ticker: str, at: datetime, draw: random.Random) -> tuple[Prediction, tuple[Driver, ...]]:
    """A prediction of that moment and its drivers, strongest first."""
    price, move = draw.uniform(20, 200), draw.gauss(0, 0.004)
    p_up = min(0.6, max(0.4, 0.5 + 8 * move))
    groups = draw.sample(GROUPS, _DRIVERS)
    drivers = [
        Driver(name=group.name, feature=group.features[0], value=draw.gauss(0, 1), contribution=draw.gauss(0, 0.002))
        for group in groups
    ]
    prediction = Prediction(
        prediction_id=uuid.UUID(int=draw.getrandbits(128), version=4),
        quote_id=uuid.UUID(int=draw.getrandbits(128), version=4),
        ticker=ticker,
        feed="made",
        data_time=at,
        prediction_time=at,
        as_of=at,
        session_date=at.date(),
        horizon="1d",
        model_type="normal",
        model_version="made",
        feature_set="made",
        price=price,
        expected_return=move,
        predicted_price=price * (1 + move),
        p_up=p_up,
        confidence=max(p_up, 1 - p_up),
        interval=Interval(p10=price * 0.98, p50=price * (1 + move), p90=price * 1.02),
    )
    return prediction, tuple(sorted(drivers, key=lambda driver: -abs(driver.contribution)))
