"""Starts workflows: for those who ask from outside, and for workflows that have children."""

from __future__ import annotations

import re

import msgspec

from drystone.l10_engines.postgres.database import Asked, Database, Session
from drystone.l10_engines.workflows import statements, waking
from drystone.l10_engines.workflows.errors import AlreadyStarted, WorkflowRefused

ID = re.compile(r"[\w.:@+-][\w.:@+/-]{0,199}", re.ASCII)
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be started.

    Attributes:
        id: Under which it is known; starting the same again is starting it once.
        kind: Name of the definition.
        version: Version of the definition.
        input: As JSON.
        queue: Of those in one queue one runs at a time, in the order of their starts.
        parent: Whom its end is told.
    """

    id: str
    kind: str
    version: int
    input: str
    queue: str | None = None
    parent: str | None = None


async def start(session: Session, database: Database, what: Start) -> bool:
    """Start a workflow unless it was started already; whether it was not.

    Args:
        session: In a transaction, which the start is a part of.
        database: Where this is.
        what: What to start.

    Raises:
        AlreadyStarted: Another kind, input or queue was started under this id.
        WorkflowRefused: The id or the queue cannot be one, or it would wait for itself.
        DatabaseUnavailable: The server cannot do it now. Starting again is safe.
    """
    check_name(what.kind, "kind")
    if ID.fullmatch(what.id) is None:
        raise WorkflowRefused(
            f"{what.id[:80]!r} is no id of a workflow: 1 to 200 of letters, digits and . _ : @ + / -"
        )
    if what.queue is not None:
        check_name(what.queue, "queue")
    asked = msgspec.structs.asdict(what)
    several: list[Asked] = [(statements.START, asked), waking.notice(database, waking.DUE)]
    if what.queue is not None:
        await _check_parent(session, what)
        several.insert(0, (statements.LOCK_QUEUE, {"queue": what.queue}))
    if (await session.fetch_each(*several))[-2]:
        return True
    found = await session.fetch(statements.STARTED, id=what.id)
    if found != [(what.kind, what.input, what.queue)]:
        raise AlreadyStarted(
            f"{what.id} is a workflow already, of kind {found[0][0] if found else '?'} and with another input or"
            " queue; choose another id",
            workflow=what.id,
        )
    return False


async def _check_parent(session: Session, what: Start) -> None:
    if what.parent is None:
        return
    above = await session.fetch(statements.ANCESTORS_IN_QUEUE, parent=what.parent, queue=what.queue)
    if above:
        raise WorkflowRefused(
            f"{what.id} would wait in the queue {what.queue} for {above[0][0]}, which waits for it; give it another"
            " queue or none",
            workflow=what.id,
        )


def check_name(name: str, what: str) -> None:
    """Refuse what is no name.

    Raises:
        WorkflowRefused: It is empty, has control characters or more than 200 characters.
    """
    if NAME.fullmatch(name) is None:
        raise WorkflowRefused(
            f"{name[:80]!r} is no name of a {what}: 1 to 200 characters, no control characters"
        )
