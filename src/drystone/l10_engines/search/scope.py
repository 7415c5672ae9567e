"""What queries are compiled for, what they may cost, and of what they are made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeAlias

import msgspec
from tantivy import Occur, Query

from drystone.l10_engines.search.errors import Refused, illegal, not_offered, unreadable
from drystone.l10_engines.search.live import Snapshot
from drystone.l10_engines.search.mapping import Field

MOST_CLAUSES = 1024
DEEPEST = 20
Compiler: TypeAlias = "Callable[[Scope, Any], Query]"


class Sought(msgspec.Struct, frozen=True):
    """What a query seeks in a field, to mark it where it is found.

    Attributes:
        word: As the analyzer leaves it.
        is_prefix: Whether the word may go on.
    """

    word: str
    is_prefix: bool = False


class Scope:
    """What a query is compiled for.

    Args:
        snapshot: The index.
        now: The time.
        kinds: How each type of query is compiled.
    """

    def __init__(self, snapshot: Snapshot, now: datetime, kinds: dict[str, Compiler]) -> None:
        self.snapshot = snapshot
        self._kinds = kinds
        self.schema = snapshot.schema
        self.fields = snapshot.fields
        self.now = now
        self.sought: dict[str, set[Sought]] = {}
        self._clauses = 0
        self._depth = 0

    def column(self, field: Field) -> str:
        """Return where a field lies."""
        return self.snapshot.record.columns.held[field.path]

    def count(self, clauses: int = 1) -> None:
        """Count clauses, and refuse too many."""
        self._clauses += clauses
        if self._clauses > MOST_CLAUSES:
            raise Refused(
                "too_many_clauses", f"maxClauseCount is set to {MOST_CLAUSES}; ask for less at once"
            )

    def seek(self, field: Field, word: str, *, is_prefix: bool = False) -> None:
        """Note what is sought in a field."""
        self.sought.setdefault(field.path, set()).add(Sought(word, is_prefix))

    def query(self, said: Any) -> Query:
        """Compile a query.

        Args:
            said: An object with one key, its type.

        Raises:
            Refused: It cannot be read, is not offered, or costs too much.
        """
        if not isinstance(said, dict) or len(said) != 1:
            raise unreadable(
                'a query is an object with one key, such as {"match": {"title": "words"}}'
            )
        ((kind, body),) = said.items()
        compile_it = self._kinds.get(kind)
        if compile_it is None:
            raise Refused(
                "parsing_exception",
                f"unknown query [{kind}]; this platform has {', '.join(sorted(self._kinds))}",
            )
        if self._depth >= DEEPEST:
            raise illegal(f"queries lie in each other {DEEPEST} deep at most")
        self.count()
        self._depth += 1
        try:
            return compile_it(self, body)
        finally:
            self._depth -= 1


def everything() -> Query:
    """Return a query that finds all documents."""
    return Query.all_query()


def nothing() -> Query:
    """Return a query that finds none."""
    return Query.empty_query()


def filtered(query: Query) -> Query:
    """Return a query that does not count towards the score."""
    return Query.const_score_query(query, 0.0)


def any_of(queries: list[Query]) -> Query:
    """Return what finds what any of some queries finds."""
    if not queries:
        return nothing()
    return (
        queries[0]
        if len(queries) == 1
        else Query.boolean_query([(Occur.Should, q) for q in queries])
    )


def boosted(query: Query, boost: Any) -> Query:
    """Return a query that counts more, or less."""
    if boost in (None, 1, 1.0):
        return query
    if isinstance(boost, bool) or not isinstance(boost, int | float) or boost < 0:
        raise illegal(f"negative [boost] are not allowed, and it is a number; got [{boost}]")
    return Query.boost_query(query, float(boost))


def options(kind: str, said: Any, known: set[str]) -> dict[str, Any]:
    """Return the keys of a query, of which every one is known.

    Args:
        kind: What the query is called.
        said: Its body.
        known: Keys that it may have beside ``boost`` and ``_name``.
    """
    if not isinstance(said, dict):
        raise unreadable(f"[{kind}] query malformed, it is an object")
    for key in said.keys() - known - {"boost"}:
        raise not_offered(f"[{key}] of the query [{kind}]")
    return said
