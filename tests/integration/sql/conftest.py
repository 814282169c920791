"""A database with four sessions, and small models of them."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from dbt_like_sql import Graph
from tests.integration.sql.models import FEATURES, LATE, SESSIONS, add_sessions, written


@pytest.fixture
def engine(engine: Engine) -> Engine:
    add_sessions(engine)
    return engine


@pytest.fixture
def models(tmp_path: Path) -> Graph:
    return written(tmp_path, SESSIONS, LATE, FEATURES)
