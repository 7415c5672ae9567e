"""The one statement of configuration: who applies holds a lock, as long as the connection lasts. A test has the server prepare it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drystone.l10_engines.postgres.database import Session

_SPACE = 0x6366  # keeps this advisory lock apart from others

LOCK = "SELECT pg_advisory_lock(%(space)s, hashtext(current_schema()))"
TRY_LOCK = "SELECT pg_try_advisory_lock(%(space)s, hashtext(current_schema()))"


async def is_locked_now(session: Session) -> bool:
    """Take the lock if it is free; whether it was."""
    return bool((await session.fetch(TRY_LOCK, space=_SPACE))[0][0])


async def lock(session: Session) -> None:
    """Wait for the lock, and take it; the end of the connection gives it back."""
    await session.fetch(LOCK, space=_SPACE)
