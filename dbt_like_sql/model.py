"""One model: a file with a header and one SELECT, in which `ref('x')` names a model and `source('x')` a table."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from dbt_like_sql.errors import ModelError
from dbt_like_sql.header import Header, split


@dataclass(frozen=True)
class Call:
    """A `ref` or `source` in the text of a model."""

    kind: str
    target: str
    line: int
    start: int
    end: int


@dataclass(frozen=True)
class Model:
    """A parsed model; `text` is the whole file."""

    path: Path
    header: Header
    text: str
    calls: tuple[Call, ...]
    parameters: frozenset[str]

    @property
    def name(self) -> str:
        return self.header.name

    @property
    def group(self) -> str:
        """The folder that the model lies in."""
        return self.path.parent.name

    @property
    def relation(self) -> str:
        """The qualified name of what the model makes."""
        return f"{self.header.schema or self.group}.{self.name}"

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(call.target for call in self.calls if call.kind == "ref"))

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(call.target for call in self.calls if call.kind == "source"))

    @cached_property
    def sha256(self) -> str:
        """Digest of the file: changes when the model does."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def compiled(self, relations: dict[str, str]) -> str:
        """The SQL with every `ref` and `source` replaced by the relation of that name; lines stay where they are."""
        parts, at = [], 0
        for call in self.calls:
            parts += [self.text[at : call.start], relations[call.target]]
            at = call.end
        return "".join([*parts, self.text[at:]])


def read_model(path: Path) -> Model:
    """Parse one file. Raises ModelError, naming the line, for anything that could not run."""
    text = path.read_text()
    header, _ = split(path, text)
    try:
        statements = sqlglot.parse(text, dialect=Postgres)
        tokens = Postgres().tokenize(text)
    except ParseError as error:
        detail = error.errors[0]
        raise ModelError(path, detail["line"] or 1, f"not valid SQL: {detail['description']}") from error
    except TokenError as error:
        # Its cause ends in "from <line>:<column>".
        cause = str(error.__cause__)
        line = cause.rpartition(" ")[2].partition(":")[0]
        raise ModelError(path, int(line) if line.isdigit() else 1, f"not valid SQL: {cause}") from error
    query = statements[0]
    if len(statements) != 1 or not isinstance(query, exp.Query):
        raise ModelError(path, 1, "a model is one SELECT")
    if query.named_selects != list(header.columns):
        differing = sorted(set(query.named_selects) ^ set(header.columns)) or ["their order"]
        raise ModelError(path, 1, f"the header's columns are not those of the SELECT: {', '.join(differing)}")
    calls = _calls(path, query, tokens)
    parameters = frozenset(str(node.this) for node in query.find_all(exp.Placeholder))
    return Model(path, header, text, calls, parameters)


def _calls(path: Path, query: exp.Query, tokens: list[Token]) -> tuple[Call, ...]:
    position = {token.start: number for number, token in enumerate(tokens)}
    named = {cte.alias for cte in query.find_all(exp.CTE)}
    calls = []
    for table in query.find_all(exp.Table):
        function = table.this
        if isinstance(function, exp.Anonymous):
            calls.append(_call(path, tokens, position[function.meta["start"]]))
        elif isinstance(function, exp.Identifier) and (table.db or table.name not in named):
            line = function.meta.get("line", 1)
            raise ModelError(path, line, f"the table {table.name} is named directly", "use ref('…') or source('…')")
    return tuple(sorted(calls, key=lambda call: call.start))


def _call(path: Path, tokens: list[Token], number: int) -> Call:
    """The call whose name is token `number`: a name, a bracket, one string, a bracket."""
    name, *rest = tokens[number : number + 4]
    shape = [token.token_type for token in rest]
    if name.text not in ("ref", "source") or shape != [TokenType.L_PAREN, TokenType.STRING, TokenType.R_PAREN]:
        raise ModelError(path, name.line, f"{name.text}(…) is not a table", "write ref('name') or source('name')")
    return Call(name.text, rest[1].text, name.line, name.start, rest[2].end + 1)
