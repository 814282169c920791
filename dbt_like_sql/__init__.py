"""SQL models: files with a header that become tables and views, in the order of their references, with tests."""

from dbt_like_sql.checks import Check, checks_of
from dbt_like_sql.errors import CheckError, ModelError
from dbt_like_sql.graph import Graph, graph
from dbt_like_sql.model import CustomTest, Model
from dbt_like_sql.runner import ModelRun, run

__all__ = ["Check", "CheckError", "CustomTest", "Graph", "Model", "ModelError", "ModelRun", "checks_of", "graph", "run"]
