"""SQL models: files with a header that become tables and views, in the order of their references, with checks."""

from dbt_like_sql.errors import CheckError, ModelError
from dbt_like_sql.graph import Graph, graph
from dbt_like_sql.model import Model
from dbt_like_sql.runner import ModelRun, run

__all__ = ["CheckError", "Graph", "Model", "ModelError", "ModelRun", "graph", "run"]
