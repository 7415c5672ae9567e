"""The tables of releases, in the words of the rest."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from drystone.l10_engines.postgres.database import Asked as Statement
from drystone.l10_engines.postgres.database import Database, Row, Session
from drystone.l10_engines.postgres.migrating import migrate, steps_of
from drystone.l50_orchestrator.ports import Actor
from drystone.l50_orchestrator.releases import statements
from drystone.l50_orchestrator.releases.admission import Approval, Interval
from drystone.l50_orchestrator.releases.api import State
from drystone.l50_orchestrator.releases.records import Asked, Record
from drystone.l50_orchestrator.rollout.machine import State as Rollout
from drystone.l50_orchestrator.target import Signals

T = TypeVar("T")

MOST_TEXT = 20_000
"""Characters of one event; a failure brings the last lines of a log."""

_MOST_UNPACKED = 64 * 1024 * 1024


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
    return int(numbers[0][0]), record_of(found[0]) if found else None


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
    return record_of(rows[0]) if rows else None


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


def kept_of(row: Row) -> Kept:
    """Return a rollout as its row has it."""
    state, seen, taken, at = row
    return Kept(unpack(state, Rollout), unpack(seen, Signals), taken, at)


def record_of(row: Row) -> Record:
    """Return a release as its row has it."""
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
