"""The champion as those meet it who look for its successor: also one that cannot predict any more."""

from sqlalchemy import Connection

from riskee.errors import PoisonError
from riskee.features.definitions import feature_set_hash
from riskee.messaging.messages import ModelType
from riskee.model.aliases import champion_version
from riskee.model.artifact import Incumbent, Unreadable
from riskee.model.predictor import Predictor
from riskee.model.registry import champion


def incumbent(connection: Connection, model_type: ModelType) -> Incumbent:
    """The model that predicts, or should: one that cannot be read must not stop the training of its successor."""
    version = champion_version(connection, model_type)
    try:
        found = champion(connection, model_type)
        if found is not None and found.feature_set == feature_set_hash(model_type):
            Predictor(found)
    except PoisonError as error:
        return Unreadable(version or "", error.cause)
    return found
