"""One file's SQL: a SELECT in which `ref('x')` names a model and `source('x')` a table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from dbt_like_sql.errors import ModelError


@dataclass(frozen=True)
class Call:
    """A `ref` or `source` in the text of a file; `aliased` says whether the query gives it a name."""

    kind: str
    target: str
    line: int
    start: int
    end: int
    aliased: bool


@dataclass(frozen=True)
class Query:
    """A parsed file: its output columns, what it reads, and the `:names` of its values."""

    columns: tuple[str, ...]
    calls: tuple[Call, ...]
    parameters: frozenset[str]

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(call.target for call in self.calls if call.kind == "ref"))

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(call.target for call in self.calls if call.kind == "source"))


def parse(path: Path, text: str) -> Query:
    """Parse a file's text. Raises ModelError, naming the line, for anything that could not run."""
    try:
        tokens = Postgres().tokenize(text)
        ended = next((token for token in tokens if token.token_type is TokenType.SEMICOLON), None)
        if ended is not None:
            raise ModelError(path, ended.line, "a model is one SELECT without a semicolon")
        statements = sqlglot.parse(text, dialect=Postgres)
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
        raise ModelError(path, tokens[0].line if tokens else 1, "a model is one SELECT")
    parameters = frozenset(str(node.this) for node in query.find_all(exp.Placeholder))
    return Query(tuple(query.named_selects), _calls(path, query, tokens), parameters)


def compiled(text: str, calls: tuple[Call, ...], relations: Mapping[str, str]) -> str:
    """The text with every call replaced by the relation of its name; lines stay where they are."""
    parts, at = [], 0
    for call in calls:
        relation = relations[call.target]
        # A subquery needs a name; the relation itself has one.
        name = f" AS {call.target}" if relation.startswith("(") and not call.aliased else ""
        parts += [text[at : call.start], relation, name]
        at = call.end
    return "".join([*parts, text[at:]])


def _calls(path: Path, query: exp.Query, tokens: list[Token]) -> tuple[Call, ...]:
    position = {token.start: number for number, token in enumerate(tokens)}
    named = {cte.alias for cte in query.find_all(exp.CTE)}
    calls = []
    for table in query.find_all(exp.Table):
        function = table.this
        if isinstance(function, exp.Anonymous):
            calls.append(_call(path, tokens, position[function.meta["start"]], aliased=bool(table.alias)))
        elif isinstance(function, exp.Identifier) and (table.db or table.name not in named):
            line = function.meta.get("line", 1)
            raise ModelError(path, line, f"the table {table.name} is named directly", "use ref('…') or source('…')")
    return tuple(sorted(calls, key=lambda call: call.start))


def _call(path: Path, tokens: list[Token], number: int, *, aliased: bool) -> Call:
    """The call whose name is token `number`: a name, a bracket, one string, a bracket."""
    name, *rest = tokens[number : number + 4]
    shape = [token.token_type for token in rest]
    if name.text not in ("ref", "source") or shape != [TokenType.L_PAREN, TokenType.STRING, TokenType.R_PAREN]:
        raise ModelError(path, name.line, f"{name.text}(…) is not a table", "write ref('name') or source('name')")
    return Call(name.text, rest[1].text, name.line, name.start, rest[2].end + 1, aliased)
