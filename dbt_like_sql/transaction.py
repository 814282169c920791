"""What happens in the transaction of one model: compute, test, merge, remember, tell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from dbt_like_sql import state
from dbt_like_sql.checks import Check, checks_of, failures
from dbt_like_sql.errors import CheckError
from dbt_like_sql.graph import Graph
from dbt_like_sql.materialize import INCOMING, Merged, compute, make_table, make_view, merge, replace
from dbt_like_sql.model import Model
from dbt_like_sql.work import ALL, BEGINNING, EVERYTHING, Part, Window, parts


@dataclass(frozen=True)
class Done:
    """Rows computed, rows written or removed, and in words what was computed."""

    computed: int
    changed: int
    scope: str


@dataclass(frozen=True)
class Transaction:
    """One run of one model, to be done in a transaction of its own."""

    model: Model
    models: Graph
    parameters: Mapping[str, Any]
    window: Window
    full: bool

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        return checks_of(self.model, self.models)

    @cached_property
    def _values(self) -> dict[str, Any]:
        return {**self.parameters, "since": None, "until": None}

    def run(self, connection: Connection) -> Done:
        """Bring the model up to date. Raises CheckError; then the transaction must be taken back."""
        if self.model.header.materialized == "view":
            make_view(connection, self.model, self.models)
            self._hold(connection, self.checks, self.model.relation)
            return Done(0, 0, "view")
        anew = make_table(connection, self.model, self.models, self._values)
        if self.model.header.materialized == "incremental":
            done, merged = self._incremental(connection, anew)
        else:
            done, merged = self._make(connection, EVERYTHING)
        self._hold(connection, (check for check in self.checks if check.after), self.model.relation)
        changes = {ALL: BEGINNING} if anew else merged.changes
        state.tell(connection, self.model, self.models, changes)
        return done

    def _incremental(self, connection: Connection, anew: bool) -> tuple[Done, Merged]:
        digest = state.digest(self.model, self.models, self.parameters)
        former = state.begin(connection, self.model, self.models, digest)
        stale = anew or self.full or not former.fresh
        todo = EVERYTHING if stale else parts(former.changes, self.window, self.model.header.looks_ahead)
        done = self._make(connection, todo)
        state.finish(connection, self.model, digest, former.seen)
        return done

    def _make(self, connection: Connection, todo: tuple[Part, ...]) -> tuple[Done, Merged]:
        if not todo:
            return Done(0, 0, "nothing"), Merged(0, {})
        computed = compute(connection, self.model, self.models, self._values, todo)
        self._hold(connection, (check for check in self.checks if not check.after), INCOMING)
        merged = (
            merge(connection, self.model, todo) if self.model.header.unique_key else replace(connection, self.model)
        )
        return Done(computed, merged.rows, "; ".join(map(str, todo))), merged

    def _hold(self, connection: Connection, checks: Iterable[Check], rows: str) -> None:
        broken = failures(connection, checks, rows, self._values)
        if broken:
            raise CheckError(self.model.name, broken)
