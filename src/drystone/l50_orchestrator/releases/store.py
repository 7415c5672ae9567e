"""The tables of releases, in the words of the rest."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from drystone.l10_engines.postgres.database import Asked as Statement
from drystone.l10_engines.postgres.database import Database, Row, Session
from drystone.l10_engines.postgres.migrating import migrate, steps_of
from drystone.l50_orchestrator.ports import Actor
from drystone.l50_orchestrator.releases import statements
from drystone.l50_orchestrator.releases.admission import Approval, Interval
from drystone.l50_orchestrator.releases.api import ApprovalView, Happened, State
from drystone.l50_orchestrator.releases.errors import ReleaseUnknown
from drystone.l50_orchestrator.releases.records import Asked, Record
from drystone.l50_orchestrator.rollout.machine import State as Rollout
from drystone.l50_orchestrator.target import Signals

T = TypeVar("T")

MOST_TEXT = 20_000
"""Characters of one event; a failure brings the last lines of a log."""

_MOST_UNPACKED = 64 * 1024 * 1024
_EVENTS = 1000


async def prepare(database: Database) -> list[str]:
    """Make the tables, or bring them to the present version; names of the steps that took."""
    return await migrate(database, "releases", steps_of("drystone.l50_orchestrator.releases"))


def pack(value: object) -> bytes:
    """Write a value as compressed JSON."""
    return zlib.compress(msgspec.json.encode(value), 1)


def unpack(body: bytes, kind: type[T]) -> T:
    """Read what :func:`pack` wrote."""
    whole = zlib.decompressobj().decompress(body, _MOST_UNPACKED)
    return msgspec.json.decode(whole, type=kind)


async def number_for(session: Session, environment: str, service: str) -> int:
    """Return the next number, and hold the place until the transaction ends."""
    where = {"environment": environment, "service": service}
    rows = await session.fetch(statements.NEXT_NUMBER, **where)
    return int(rows[0][0])


async def number_and_find(
    session: Session, environment: str, service: str, id_: str
) -> tuple[int, Record | None]:
    """Return the next number as :func:`number_for` does, and the release of this id if there is one."""
    where = {"environment": environment, "service": service}
    # The second statement sees what was committed while the first waited for the place.
    numbers, found = await session.fetch_each(
        (statements.NEXT_NUMBER, where), (statements.ONE, {"id": id_})
    )
    return int(numbers[0][0]), _record(found[0]) if found else None


async def insert(
    session: Session, asked: Asked, number: int, *, text: str = "", **documents: object
) -> None:
    """Write down what was asked for.

    Args:
        session: In a transaction.
        asked: What is asked for.
        number: The number that it was given.
        text: Its descriptor, which is kept under ``asked.descriptor``; empty where it is on record.
        documents: What is large of it, by name.
    """
    actor = asked.actor
    values = {
        "id": asked.id,
        "environment": asked.environment,
        "service": asked.service,
        "number": number,
        "kind": asked.kind,
        "origin": asked.origin,
        "team": asked.team,
        "version": asked.version,
        "message": asked.message,
        "author": actor.name,
        "behind": actor.behind,
        "kind_of": actor.kind,
        "teams": sorted(actor.teams),
        "roles": sorted(asked.roles),
        "file": asked.file,
        "folder": asked.folder,
        "descriptor": asked.descriptor,
        "confirm": list(asked.confirm),
        "rest": list(asked.rest),
        "expected": asked.expected,
        "returns_to": asked.returns_to,
        "keep": asked.keep,
    }
    several: list[Statement] = [(statements.INSERT, values)]
    if text:
        kept = {"digest": asked.descriptor, "body": pack(text)}
        several.append((statements.KEEP_DESCRIPTOR, kept))
    if documents:
        several.append((statements.PUT_DOCUMENTS, _documents(asked.id, documents)))
    await session.fetch_each(*several)


async def put(session: Session, release: str, **documents: object) -> None:
    """Keep what is large of a release, by name."""
    await session.fetch(statements.PUT_DOCUMENTS, **_documents(release, documents))


def _documents(release: str, documents: Mapping[str, object]) -> dict[str, object]:
    return {
        "release": release,
        "names": list(documents),
        "bodies": [pack(one) for one in documents.values()],
    }


async def descriptor(session: Session, digest: str) -> str:
    """Return a descriptor's text; empty where none is kept."""
    rows = await session.fetch(statements.DESCRIPTOR, digest=digest)
    return unpack(rows[0][0], str) if rows else ""


async def find(session: Session, id_: str) -> Record | None:
    """Return a release; None where there is none."""
    rows = await session.fetch(statements.ONE, id=id_)
    return _record(rows[0]) if rows else None


async def interval(session: Session, record: Record, environment: str) -> tuple[Interval, ...]:
    """Return when the same as a release served in an environment."""
    rows = await session.fetch(
        statements.SERVED_THERE,
        environment=environment,
        service=record.asked.service,
        origin=record.asked.origin,
        descriptor=record.asked.descriptor,
        version=record.asked.version,
    )
    return tuple(Interval(since, until) for since, until in rows)


async def end(
    session: Session, id_: str, state: State, why: str, *, at_target: int, artefact: str
) -> bool:
    """End a release; whether it had not ended."""
    given = {"state": state, "why": why, "at_target": at_target, "artefact": artefact}
    return bool(await session.fetch(statements.END, id=id_, **given))


async def serves(session: Session, environment: str, service: str, release: str) -> None:
    """Note that a release serves from now on."""
    where = {"environment": environment, "service": service}
    await session.fetch_each(
        (statements.SERVES_NO_MORE, where),
        (statements.SERVES_NOW, {"release": release, **where}),
    )


async def note_events(
    session: Session, release: str, events: Sequence[tuple[timedelta, str, str, str]]
) -> None:
    """Write down what happened: how long ago, step, state and text of each."""
    await session.fetch(
        statements.ADD_EVENT,
        release=release,
        ages=[age for age, _, _, _ in events],
        steps=[step for _, step, _, _ in events],
        states=[state for _, _, state, _ in events],
        texts=[text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:MOST_TEXT] for *_, text in events],
    )


async def approvals(session: Session, release: str) -> tuple[Approval, ...]:
    """Return who said what."""
    rows = await session.fetch(statements.WORDS, release=release)
    return tuple(
        Approval(by, frozenset(teams), agrees, said) for by, teams, agrees, said, _ in rows
    )


async def orders(session: Session, release: str, after: int) -> list[tuple[int, str, str]]:
    """Return number, verb and author of the orders behind a number."""
    rows = await session.fetch(statements.ORDERS, release=release, after=after)
    return [(number, verb, author) for number, verb, author in rows]


class Kept(msgspec.Struct, frozen=True):
    """A rollout as it is kept between two looks.

    Attributes:
        state: Of the machine.
        seen: The last reading of the target's counts.
        orders: Number of the last order that was taken.
        at: How long ago it was begun, by the database's clock.
    """

    state: Rollout
    seen: Signals
    orders: int
    at: timedelta


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
    rollout: Kept | None
    events: list[Happened]
    is_kept: bool

    def document(self, name: str, kind: type[T]) -> T | None:
        """Return something large; None where it has none."""
        body = self.documents.get(name)
        return unpack(body, kind) if body is not None else None


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
            found = await find(session, id_)
        if found is None:
            raise ReleaseUnknown(
                f"there is no release {id_[:100]!r}; `drystone releases` lists all"
            )
        return found

    async def line(self, id_: str) -> tuple[Record, bool]:
        """Return a release by its id, and whether somebody can return to it.

        Raises:
            ReleaseUnknown: There is none.
        """
        found, kept = await self._database.fetch_each(
            (statements.ONE, {"id": id_}), (statements.IS_KEPT, {"id": id_})
        )
        if not found:
            raise ReleaseUnknown(f"there is no release {id_[:100]!r}; `history` lists all")
        return _record(found[0]), bool(kept)

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
            text=unpack(texts[0][0], str) if texts else "",
            words=[ApprovalView(by, agrees, said, at) for by, _, agrees, said, at in words],
            rollout=_kept(rollouts[0]) if rollouts else None,
            events=[Happened(*row) for _, *row in events if row[0] is not None],
            is_kept=bool(kept),
        )

    async def history(self, *, below: int, most: int, **chosen: object) -> list[Record]:
        """Return releases, the latest first."""
        rows = await self._database.fetch(statements.HISTORY, below=below, most=most, **chosen)
        return [_record(row) for row in rows]

    async def document(self, release: str, name: str, kind: type[T]) -> T | None:
        """Return something large of a release; None where it has none."""
        rows = await self._database.fetch(statements.DOCUMENT, release=release, name=name)
        return unpack(rows[0][0], kind) if rows else None

    async def descriptor(self, digest: str) -> str:
        """Return a descriptor's text; empty where none is kept."""
        async with self._database.session() as session:
            return await descriptor(session, digest)

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

    async def rollout(self, release: str) -> Kept | None:
        """Return a rollout; None where none was begun."""
        rows = await self._database.fetch(statements.ROLLOUT, release=release)
        return _kept(rows[0]) if rows else None


def _kept(row: Row) -> Kept:
    state, seen, taken, at = row
    return Kept(unpack(state, Rollout), unpack(seen, Signals), taken, at)


def _record(row: Row) -> Record:
    (
        id_,
        environment,
        service,
        kind,
        origin,
        team,
        version,
        message,
        author,
        behind,
        kind_of,
        teams,
        roles,
        *rest,
    ) = row
    file, folder, descriptor, confirm, following, expected, returns_to, keep, *how = rest
    seq, number, state, why, artefact, at_target, before, asked_at, ended_at, is_serving, now = how
    asked = Asked(
        id=id_,
        environment=environment,
        service=service,
        kind=kind,
        origin=origin,
        team=team,
        version=version,
        message=message,
        actor=Actor(author, kind_of, frozenset(teams), behind),
        roles=frozenset(roles),
        file=file,
        folder=folder,
        descriptor=descriptor,
        confirm=tuple(confirm),
        rest=tuple(following),
        expected=expected,
        returns_to=returns_to,
        keep=keep,
    )
    values: dict[str, Any] = {
        "seq": seq,
        "number": number,
        "state": state,
        "why": why,
        "artefact": artefact,
        "at_target": at_target,
        "before": before,
        "asked_at": asked_at,
        "ended_at": ended_at,
        "is_serving": is_serving,
        "now": now,
    }
    return Record(asked=asked, **values)
