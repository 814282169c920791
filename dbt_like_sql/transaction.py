"""What happens in the transaction of one model: compute, test, merge, remember, tell."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import Connection

from dbt_like_sql import state
from dbt_like_sql.checks import Check, checks_of, wrong_rows
from dbt_like_sql.errors import CheckError
from dbt_like_sql.graph import Graph
from dbt_like_sql.materialize import INCOMING, Merged, compute, exchange, merge
from dbt_like_sql.model import Model
from dbt_like_sql.relations import make_table, make_view
from dbt_like_sql.work import ALL, BEGINNING, EVERYTHING, Part, Window, parts


@dataclass(frozen=True)
class Done:
    """Rows computed, rows written or removed, in words what was computed, and the wrong rows by test that was run."""

    computed: int
    changed: int
    scope: str
    tests: Mapping[str, int]


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
            return Done(0, 0, "view", self._hold(connection, self.checks, self.model.relation, {}))
        anew = make_table(connection, self.model, self.models, self._values)
        if self.model.header.materialized == "incremental":
            done, merged = self._incremental(connection, anew)
        else:
            done, merged = self._make(connection, EVERYTHING)
        after = (check for check in self.checks if check.after)
        tests = self._hold(connection, after, self.model.relation, done.tests)
        changes = {ALL: BEGINNING} if anew else merged.changes
        state.tell(connection, self.model, self.models, changes)
        return replace(done, tests=tests)

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
            return Done(0, 0, "nothing", {}), Merged(0, {})
        computed = compute(connection, self.model, self.models, self._values, todo)
        tests = self._hold(connection, (check for check in self.checks if not check.after), INCOMING, {})
        keyed = self.model.header.unique_key
        merged = merge(connection, self.model, todo) if keyed else exchange(connection, self.model)
        return Done(computed, merged.rows, "; ".join(map(str, todo)), tests), merged

    def _hold(
        self, connection: Connection, checks: Iterable[Check], rows: str, before: Mapping[str, int]
    ) -> dict[str, int]:
        """Run tests, after those of `before`, and answer the wrong rows of all. Raises CheckError."""
        found = {**before, **wrong_rows(connection, checks, rows, self._values)}
        warnings = {check.name for check in self.checks if check.warn}
        broken = {name: count for name, count in found.items() if count and name not in warnings}
        if broken:
            raise CheckError(self.model.name, broken, found)
        return found
