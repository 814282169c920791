"""One model, and one test: a file with a header and one SELECT."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dbt_like_sql.errors import ModelError
from dbt_like_sql.header import Header, TestHeader, line_of, query_of, split
from dbt_like_sql.parsing import Query, compiled, parse


@dataclass(frozen=True)
class Model:
    """A parsed model; `text` is the whole file."""

    path: Path
    header: Header
    text: str
    query: Query

    @property
    def name(self) -> str:
        return self.header.name

    @property
    def group(self) -> str:
        """The folder that the model lies in."""
        return self.path.parent.name

    @property
    def schema(self) -> str:
        """Where in the database it is made."""
        return self.header.schema or self.group

    @property
    def relation(self) -> str:
        """The qualified name of what the model makes."""
        return f"{self.schema}.{self.name}"

    @property
    def refs(self) -> tuple[str, ...]:
        return self.query.refs

    @property
    def sources(self) -> tuple[str, ...]:
        return self.query.sources

    @property
    def parameters(self) -> frozenset[str]:
        return self.query.parameters

    @property
    def sql(self) -> str:
        """The SQL as it was written, without the header."""
        return query_of(self.text)

    @cached_property
    def sha256(self) -> str:
        """Digest of the file: changes when the model does."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def compiled(self, relations: Mapping[str, str]) -> str:
        """The file with every `ref` and `source` replaced by the relation of that name; lines stay where they are."""
        return compiled(self.text, self.query.calls, relations)

    def compiled_sql(self, relations: Mapping[str, str]) -> str:
        """The same without the header, to be read."""
        return query_of(self.compiled(relations))


@dataclass(frozen=True)
class CustomTest:
    """A test of its own: each row that its SELECT returns is a failure."""

    path: Path
    header: TestHeader
    text: str
    query: Query

    @property
    def name(self) -> str:
        return self.header.name

    def compiled(self, relations: Mapping[str, str]) -> str:
        """The file with every `ref` and `source` replaced by the relation of that name."""
        return compiled(self.text, self.query.calls, relations)


def read_model(path: Path) -> Model:
    """Parse one model. Raises ModelError, naming the line, for anything that could not run."""
    text = path.read_text()
    header = split(path, text, Header)
    query = parse(path, text)
    if list(query.columns) != list(header.columns):
        differing = sorted(set(query.columns) ^ set(header.columns)) or ["their order"]
        line = line_of(text, "columns")
        raise ModelError(path, line, f"the header's columns are not those of the SELECT: {', '.join(differing)}")
    return Model(path, header, text, query)


def read_test(path: Path) -> CustomTest:
    """Parse one test. Raises ModelError, naming the line, for anything that could not run."""
    text = path.read_text()
    header = split(path, text, TestHeader)
    query = parse(path, text)
    if not query.refs:
        raise ModelError(path, 1, "a test refers to at least one model", "write ref('…')")
    return CustomTest(path, header, text, query)
