"""Environments and targets in the tables: where services may run, and what forbids to change that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.visible import visible
from drystone.l00_kernel.yaml_text.problems import nearest
from drystone.l50_orchestrator.ports import Actor, Environment
from drystone.l50_orchestrator.registry import places, store
from drystone.l50_orchestrator.registry.api import (
    EnvironmentSaid,
    EnvironmentView,
    TargetSaid,
    TargetView,
)
from drystone.l50_orchestrator.registry.errors import (
    EnvironmentInUse,
    EnvironmentNotFound,
    EnvironmentUnfit,
    TargetInUse,
    TargetUnfit,
)
from drystone.l50_orchestrator.registry.places import HERE

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.database import Database, Session
    from drystone.l50_orchestrator.ports import Book


class Grounds:
    """What services run on. Who may change it was asked before.

    Args:
        database: Where the tables are.
        book: The audit log.
        simulated_allowed: Whether targets may be simulated; in tests.
    """

    def __init__(self, database: Database, book: Book, *, simulated_allowed: bool = False) -> None:
        self._database = database
        self._book = book
        self._simulated_allowed = simulated_allowed

    async def environment(self, name: str) -> Environment:
        """Return an environment.

        Raises:
            EnvironmentNotFound: The message lists those that there are.
        """
        name = visible(name)
        found = await store.find_environment(self._database, name)
        if found is not None:
            return found
        known = sorted(await store.environments(self._database))
        near = nearest(name, known)
        if near:
            advice = f"did you mean '{near}'?"
        else:
            advice = f"there are: {', '.join(known[:20])}" if known else "an admin makes the first"
        raise EnvironmentNotFound(f"there is no environment {name[:60]!r}: {advice}")

    async def environments(self) -> list[EnvironmentView]:
        """Return all environments by name."""
        found = await store.environments(self._database)
        return [EnvironmentView(one, services) for one, services in found.values()]

    async def set_environment(
        self, actor: Actor, name: str, said: EnvironmentSaid
    ) -> EnvironmentView:
        """Make an environment, or change it.

        Raises:
            EnvironmentUnfit: It does not fit to the others.
            EnvironmentInUse: It would become another place for what runs there.
        """
        places.check_name("an environment", name, EnvironmentUnfit)
        new = Environment(name, **msgspec.structs.asdict(said))
        async with self._database.session() as session, session.transaction():
            await store.lock_places(session)
            await session.fetch(store.HOLD_ENVIRONMENT, name=new.name)
            found = await store.environments(session)
            before, services = found.get(name, (None, 0))
            targets = {HERE, *await store.targets(session)}
            others = {other: one for other, (one, _) in found.items()}
            places.check_environment(new, others, targets)
            if before == new:
                return EnvironmentView(new, services)
            if before is not None and services:
                await self._check_same_place(session, before, new)
            await session.fetch(store.PUT_ENVIRONMENT, **msgspec.structs.asdict(new))
            action = "environment.made" if before is None else "environment.changed"
            words = msgspec.structs.asdict(said)
            await self._book.note(session, actor, action, f"environment/{name}", **words)
        return EnvironmentView(new, services)

    async def begin(self, actor: Actor, said: Mapping[str, EnvironmentSaid]) -> None:
        """Make the first environments, all or none of them; nothing where there are some.

        Raises:
            EnvironmentUnfit: They do not fit together.
        """
        async with self._database.session() as session, session.transaction():
            await store.lock_places(session)
            if await store.environments(session):
                return
            made = dict[str, Environment]()
            for name, one in said.items():
                words = msgspec.structs.asdict(one)
                new = Environment(name, **words)
                places.check_environment(new, made, {HERE})
                made[name] = new
                await session.fetch(store.PUT_ENVIRONMENT, **msgspec.structs.asdict(new))
                await self._book.note(
                    session, actor, "environment.made", f"environment/{name}", **words
                )

    async def _check_same_place(
        self, session: Session, before: Environment, new: Environment
    ) -> None:
        for what in ("type", "region", "target"):
            if getattr(before, what) != getattr(new, what):
                raise EnvironmentInUse(
                    f"the {what} of environment '{new.name}' cannot change from '{getattr(before, what)}' to"
                    f" '{getattr(new, what)}' while services run there: {await _runs(session, new.name)}; make another"
                    " environment and bring them there, or destroy them here"
                )

    async def remove_environment(self, actor: Actor, name: str) -> None:
        """Remove an environment. Idempotent.

        Raises:
            EnvironmentInUse: Services run there, or another one comes after it.
        """
        async with self._database.session() as session, session.transaction():
            await store.lock_places(session)
            if not await session.fetch(store.HOLD_ENVIRONMENT, name=visible(name)):
                return
            found = await store.environments(session)
            if found[name][1]:
                raise EnvironmentInUse(
                    f"environment '{name}' cannot be removed: {await _runs(session, name)} there; destroy them first"
                )
            after = [other for other, (one, _) in found.items() if one.after == name]
            if after:
                raise EnvironmentInUse(
                    f"environment '{name}' cannot be removed: after it comes {', '.join(after[:5])}; change that first"
                )
            await session.fetch(store.REMOVE_ENVIRONMENT, name=name)
            await self._book.note(session, actor, "environment.removed", f"environment/{name}")

    async def targets(self) -> list[TargetView]:
        """Return all targets by name."""
        async with self._database.session() as session, session.transaction():
            found = await store.targets(session)
            bound = await session.fetch(store.BOUND, name=HERE)
        found[HERE] = TargetView(HERE, "here", "", tuple(row[0] for row in bound))
        return [found[name] for name in sorted(found)]

    async def set_target(self, actor: Actor, name: str, said: TargetSaid) -> TargetView:
        """Make a target, or change it.

        Raises:
            TargetUnfit: It cannot be.
            TargetInUse: Its kind would change, and environments are bound to it.
        """
        async with self._database.session() as session, session.transaction():
            await store.lock_places(session)
            found = await store.targets(session)
            places.check_target(name, said, found, simulated_allowed=self._simulated_allowed)
            before = found.get(name)
            bound = before.environments if before is not None else ()
            view = TargetView(name, said.kind, said.url, bound)
            if before == view:
                return view
            if before is not None and bound and before.kind != said.kind:
                raise TargetInUse(
                    f"target '{name}' cannot become one of kind {said.kind}: {_listed(bound)} is bound to it; make"
                    " another target"
                )
            await session.fetch(store.PUT_TARGET, name=name, kind=said.kind, url=said.url)
            action = "target.made" if before is None else "target.changed"
            await self._book.note(
                session, actor, action, f"target/{name}", kind=said.kind, url=said.url
            )
        return view

    async def remove_target(self, actor: Actor, name: str) -> None:
        """Remove a target. Idempotent.

        Raises:
            TargetInUse: Environments are bound to it.
            TargetUnfit: It is this platform itself.
        """
        if name == HERE:
            raise TargetUnfit(f"'{HERE}' is this platform itself and cannot be removed")
        async with self._database.session() as session, session.transaction():
            await store.lock_places(session)
            view = (await store.targets(session)).get(name)
            if view is None:
                return
            if view.environments:
                raise TargetInUse(
                    f"target '{name}' cannot be removed: {_listed(view.environments)} is bound to it"
                )
            await session.fetch(store.REMOVE_TARGET, name=name)
            await self._book.note(session, actor, "target.removed", f"target/{name}")


async def _runs(session: Session, environment: str) -> str:
    rows = await session.fetch(store.WHO_RUNS, name=environment)
    found = [row[0] for row in rows]
    verb = "runs" if len(found) == 1 else "run"
    return f"{_listed(tuple(found))} {verb}"


def _listed(names: tuple[str, ...]) -> str:
    more = ", …" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
