"""SQL models: files with a header that become tables and views, in the order of their references, with tests."""

from dbt_like_sql.checks import Check, checks_of
from dbt_like_sql.docs import render as render_docs
from dbt_like_sql.errors import CheckError, ModelError
from dbt_like_sql.graph import Graph, graph
from dbt_like_sql.lineage import column_lineage
from dbt_like_sql.model import CustomTest, Model
from dbt_like_sql.runner import ModelRun, parameters, run
from dbt_like_sql.state import stored_state
from dbt_like_sql.testing import TestRun, run_tests

__all__ = [
    "Check",
    "CheckError",
    "CustomTest",
    "Graph",
    "Model",
    "ModelError",
    "ModelRun",
    "TestRun",
    "checks_of",
    "column_lineage",
    "graph",
    "parameters",
    "render_docs",
    "run",
    "run_tests",
    "stored_state",
]
