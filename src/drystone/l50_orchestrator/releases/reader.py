"""What is recorded of releases, for those who only read."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import msgspec

from drystone.l10_engines.postgres.database import Database
from drystone.l50_orchestrator.releases import statements, store
from drystone.l50_orchestrator.releases.api import ApprovalView, Happened
from drystone.l50_orchestrator.releases.errors import ReleaseUnknown
from drystone.l50_orchestrator.releases.records import Record

T = TypeVar("T")

_EVENTS = 1000


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of a release beside its record.

    Attributes:
        documents: What is large, packed, by name.
        text: Its descriptor; empty where none is kept.
        words: Who said what, and when.
        rollout: None where none was begun.
        events: What happened, the first of it.
        is_kept: Whether somebody can return to it.
    """

    documents: dict[str, bytes]
    text: str
    words: list[ApprovalView]
    rollout: store.Kept | None
    events: list[Happened]
    is_kept: bool

    def document(self, name: str, kind: type[T]) -> T | None:
        """Return something large; None where it has none."""
        body = self.documents.get(name)
        return store.unpack(body, kind) if body is not None else None


class Reader:
    """Reads what is recorded, each time in a session of its own.

    Args:
        database: Where the tables are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def record(self, id_: str) -> Record:
        """Return a release by its id, or by ``<environment>/<service>/<number>``.

        Raises:
            ReleaseUnknown: There is none.
        """
        id_ = id_.replace("\0", "")
        environment, _, rest = id_.partition("/")
        service, _, number = rest.partition("/")
        async with self._database.session() as session:
            if number.isdecimal() and len(number) < 10:
                rows = await session.fetch(
                    statements.BY_NUMBER,
                    environment=environment,
                    service=service,
                    number=int(number),
                )
                id_ = rows[0][0] if rows else id_
            found = await store.find(session, id_)
        if found is None:
            raise _unknown(id_)
        return found

    async def folders(self, service: str) -> frozenset[str]:
        """Return the folders from which releases of a service came that may be brought further."""
        async with self._database.session() as session:
            rows = await session.fetch(statements.FOLDERS, service=service)
        return frozenset(folder for (folder,) in rows)

    async def line(self, id_: str) -> tuple[Record, bool]:
        """Return a release by its id, and whether somebody can return to it.

        Raises:
            ReleaseUnknown: There is none.
        """
        found, kept = await self._database.fetch_each(
            (statements.ONE, {"id": id_}), (statements.IS_KEPT, {"id": id_})
        )
        if not found:
            raise _unknown(id_)
        return store.record_of(found[0]), bool(kept)

    async def whole(self, record: Record) -> Whole:
        """Return all that is kept of a release, as of one moment or nearly so."""
        release = {"release": record.asked.id}
        documents, texts, words, rollouts, events, kept = await self._database.fetch_each(
            (statements.ALL_DOCUMENTS, release),
            (statements.DESCRIPTOR, {"digest": record.asked.descriptor}),
            (statements.WORDS, release),
            (statements.ROLLOUT, release),
            (statements.EVENTS, {**release, "after": 0, "most": _EVENTS}),
            (statements.IS_KEPT, {"id": record.asked.id}),
        )
        return Whole(
            documents={name: bytes(body) for name, body in documents},
            text=store.unpack(texts[0][0], str) if texts else "",
            words=[ApprovalView(by, agrees, said, at) for by, _, agrees, said, at in words],
            rollout=store.kept_of(rollouts[0]) if rollouts else None,
            events=[Happened(*row) for _, *row in events if row[0] is not None],
            is_kept=bool(kept),
        )

    async def history(self, *, below: int, most: int, **chosen: object) -> list[Record]:
        """Return releases, the latest first."""
        rows = await self._database.fetch(statements.HISTORY, below=below, most=most, **chosen)
        return [store.record_of(row) for row in rows]

    async def document(self, release: str, name: str, kind: type[T]) -> T | None:
        """Return something large of a release; None where it has none."""
        rows = await self._database.fetch(statements.DOCUMENT, release=release, name=name)
        return store.unpack(rows[0][0], kind) if rows else None

    async def descriptor(self, digest: str) -> str:
        """Return a descriptor's text; empty where none is kept."""
        async with self._database.session() as session:
            return await store.descriptor(session, digest)

    async def events(self, release: str, after: int) -> tuple[list[Happened], bool]:
        """Return what happened, from behind a number on, at most some of it; and whether that is all that ever will."""
        rows = await self._database.fetch(
            statements.EVENTS, release=release, after=after, most=_EVENTS
        )
        found = [Happened(*row) for _, *row in rows if row[0] is not None]
        return found, bool(rows and rows[0][0]) and len(found) < _EVENTS

    async def serving(self, environment: str, service: str) -> str | None:
        """Return the id of the release that serves."""
        rows = await self._database.fetch(
            statements.SERVES, environment=environment, service=service
        )
        return rows[0][0] if rows else None

    async def all_serving(self, environment: str) -> dict[str, tuple[str, int]]:
        """Return, by service, id and number at the target of what serves."""
        rows = await self._database.fetch(statements.ALL_SERVE, environment=environment)
        return {service: (id_, number) for service, id_, number in rows}

    async def kept(self, places: Collection[tuple[str, str]]) -> list[str]:
        """Return ids of the releases of some environments and services that are kept; of each, the one that serves first.

        As many are kept as the one that serves says. A way back counts as what it returned to.
        """
        rows = await self._database.fetch(
            statements.KEPT,
            environments=[environment for environment, _ in places],
            services=[service for _, service in places],
        )
        return [row[0] for row in rows]

    async def open_of(self, environment: str, service: str) -> list[str]:
        """Return ids of those that have not ended, the earliest first."""
        rows = await self._database.fetch(
            statements.OPEN_OF, environment=environment, service=service
        )
        return [row[0] for row in rows]

    async def known(self, ids: list[str]) -> frozenset[str]:
        """Return those ids that are on record."""
        rows = await self._database.fetch(statements.KNOWN, ids=ids)
        return frozenset(row[0] for row in rows)

    async def rollout(self, release: str) -> store.Kept | None:
        """Return a rollout; None where none was begun."""
        rows = await self._database.fetch(statements.ROLLOUT, release=release)
        return store.kept_of(rows[0]) if rows else None


def _unknown(id_: str) -> ReleaseUnknown:
    return ReleaseUnknown(f"there is no release {id_[:100]!r}; `drystone releases` lists all")
