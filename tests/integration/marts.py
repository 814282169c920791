"""The marts of the live record in a test's database."""

from sqlalchemy import Engine

from dbt_like_sql import parameters, run
from riskee.settings import Settings


def make_marts(engine: Engine, settings: Settings) -> None:
    """Views: they stay up to date by themselves."""
    run(engine, parameters(settings), ["prediction_outcomes", "accuracy"])
