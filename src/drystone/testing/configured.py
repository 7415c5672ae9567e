"""Kinds of configuration that are kept in memory: stand-ins for those that the parts of the orchestrator have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from typing_extensions import override

from drystone.l00_kernel.context import Context
from drystone.l00_kernel.errors import Conflict
from drystone.l25_deployer.descriptor.block import Block, Rule
from drystone.l25_deployer.descriptor.words import Name, Words
from drystone.l50_orchestrator.configured import B, Configured, Reference


class TeamBlock(Block, frozen=True, kw_only=True):
    """A team, for tests."""

    SHORT: ClassVar[tuple[str, ...]] = ("members",)
    members: Annotated[tuple[Name, ...], "Who is in it."]


class GrantBlock(Block, frozen=True, kw_only=True):
    """A right of a team on a service, for tests."""

    team: Annotated[Name, "Whose."]
    service: Annotated[Name | None, "On which; on all of the platform where it is left out."] = None
    unless: Annotated[Name | None, "A grant in whose place this one is."] = None
    reason: Annotated[Words, "Why."] = ""

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.service is None and not self.reason:
            yield Rule("reason", "a grant on all of the platform needs a reason")


class InMemory(Configured[B]):
    """Items of one kind.

    It refuses, as a part would, an item whose needs are not there, and to remove one that others need.

    Args:
        everything: All kinds that belong together, itself included once it is made.
    """

    def __init__(self, everything: dict[str, InMemory[Block]]) -> None:
        self.items: dict[str, B] = {}
        self.changes: list[tuple[str, str]] = []
        """What was done: ``put`` or ``remove``, and the name."""
        self.refuses: set[str] = set()
        """Names that it refuses for no reason."""
        self._everything = everything
        everything[self.kind] = self  # type: ignore[assignment]

    @override
    async def present(self, ctx: Context) -> Mapping[str, B]:
        return dict(self.items)

    @override
    async def put(self, ctx: Context, name: str, item: B) -> None:
        self._check(name)
        for ref in self.references(name, item):
            if ref.kind in self._everything and ref.name not in self._everything[ref.kind].items:
                raise Conflict(f"{self.kind}/{name} needs {ref.kind}/{ref.name}")
        if self.items.get(name) != item:
            self.items[name] = item
            self.changes.append(("put", name))

    @override
    async def remove(self, ctx: Context, name: str) -> None:
        self._check(name)
        for kind in self._everything.values():
            for other, item in kind.items.items():
                if (self.kind, name) in [
                    (ref.kind, ref.name) for ref in kind.references(other, item)
                ]:
                    raise Conflict(f"{kind.kind}/{other} needs {self.kind}/{name}")
        if self.items.pop(name, None) is not None:
            self.changes.append(("remove", name))

    def _check(self, name: str) -> None:
        if name in self.refuses:
            raise Conflict(f"{name} is refused")


class TeamsInMemory(InMemory[TeamBlock]):
    """Teams."""

    kind = "teams"
    schema = TeamBlock


class GrantsInMemory(InMemory[GrantBlock]):
    """Grants, which need teams, services where there is such a kind, and perhaps each other."""

    kind = "grants"
    schema = GrantBlock

    @override
    def references(self, name: str, item: GrantBlock) -> tuple[Reference, ...]:
        found = [Reference("teams", item.team, ("team",))]
        if item.service is not None:
            found.append(Reference("services", item.service, ("service",)))
        if item.unless is not None:
            found.append(Reference("grants", item.unless, ("unless",)))
        return tuple(found)
