"""How one workflow makes others go on, in the transaction of whatever the reason is."""

from __future__ import annotations

import msgspec

from drystone.l10_engines.postgres.database import Asked, Database, Session
from drystone.l10_engines.workflows import statements
from drystone.l10_engines.workflows.payloads import Failure

DUE, ENDED = "due", "ended"
"""Words that are notified: there is something to do, something has ended."""

_NO_BOUND = 2**31 - 1


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a workflow ended.

    Attributes:
        state: ``done``, ``failed`` or ``cancelled``.
        result: When it is done.
        error: When it failed.
    """

    state: str
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: Failure | None = None


class Ended(msgspec.Struct, frozen=True):
    """A workflow that ended, and whom it concerns."""

    id: str
    queue: str | None
    parent: str | None
    outcome: Outcome


def outcome(state: str, result: str | None, error: str | None) -> Outcome:
    """Put an outcome together from what the table has."""
    return Outcome(
        state=state,
        result=msgspec.Raw((result or "null").encode()),
        error=msgspec.json.decode(error, type=Failure) if error else None,
    )


def channel_of(database: Database) -> str:
    """Return the name under which changes of these tables are notified; all schemas of a database share the names."""
    return f"workflows {database.schema}"


def notice(database: Database, word: str) -> Asked:
    """Return what :func:`notify` executes, for whoever executes it with others."""
    return statements.NOTIFY, {"channel": channel_of(database), "word": word}


async def notify(session: Session, database: Database, word: str) -> None:
    """Tell those who listen, when the transaction takes effect; the same word twice in one counts once."""
    await session.fetch(statements.NOTIFY, channel=channel_of(database), word=word)


def end_of(child: str) -> str:
    """Return the name of the signal by which a child tells that it has ended; nobody else can send one like it."""
    return f"end of {child}"


async def let_others_go_on(session: Session, database: Database, ended: Ended) -> None:
    """Let the next one in the queue go, and tell the parent.

    Args:
        session: In the transaction of the end; it holds the lock of the queue.
        database: Where this is.
        ended: What ended.
    """
    several = [notice(database, DUE)]
    if ended.queue is not None:
        several.append((statements.NEXT_IN_QUEUE, {"queue": ended.queue}))
    if ended.parent is not None:
        name = end_of(ended.id)
        payload = msgspec.json.encode(ended.outcome).decode()
        told = {"id": ended.parent, "name": name, "payload": payload, "key": name}
        several.append((statements.SIGNAL, {**told, "most": _NO_BOUND}))
    await session.fetch_each(*several)
