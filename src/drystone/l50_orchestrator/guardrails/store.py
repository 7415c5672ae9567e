"""Every statement on the tables of guardrails."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec

from drystone.l10_engines.postgres.database import Row, Session
from drystone.l50_orchestrator.guardrails.api import (
    ExceptionSaid,
    FreezeSaid,
    Mode,
    PolicySaid,
    PolicyView,
)
from drystone.l50_orchestrator.guardrails.domain import Asked, Frozen
from drystone.l50_orchestrator.ports import Change, Finding

KEPT = 5
"""Judgements of one service in one environment."""

T = TypeVar("T")

POLICIES = "SELECT name, said, by, at FROM guard_policy ORDER BY name"
MODES = "SELECT name, mode, reason, by, at FROM guard_mode"
VERSION = "SELECT version FROM guard_version"
PUT_POLICY = """
INSERT INTO guard_policy (name, said, by, at) VALUES (%(name)s, %(said)s, %(by)s, %(at)s)
    ON CONFLICT (name) DO UPDATE SET said = excluded.said, by = excluded.by, at = excluded.at
"""
REMOVE_POLICY = "DELETE FROM guard_policy WHERE name = %(name)s RETURNING name"
SET_MODE = """
INSERT INTO guard_mode (name, mode, reason, by, at) VALUES (%(name)s, %(mode)s, %(reason)s, %(by)s, %(at)s)
    ON CONFLICT (name) DO UPDATE
   SET mode = excluded.mode, reason = excluded.reason, by = excluded.by, at = excluded.at
"""
REMOVE_MODE = "DELETE FROM guard_mode WHERE name = %(name)s"
COUNT = "UPDATE guard_version SET version = version + 1"

EXCEPTIONS = """
SELECT name, said, asked_by, asked_behind, asked_at, allowed_by, allowed_at
  FROM guard_exception
 WHERE name > %(after)s
 ORDER BY name
 LIMIT %(most)s
"""
EXCEPTIONS_OF = """
SELECT name, said, asked_by, asked_behind, asked_at, allowed_by, allowed_at
  FROM guard_exception
 WHERE service = %(service)s
 ORDER BY name
"""
EXCEPTION = """
SELECT name, said, asked_by, asked_behind, asked_at, allowed_by, allowed_at
  FROM guard_exception
 WHERE name = %(name)s
   FOR UPDATE
"""
COUNT_EXCEPTIONS = "SELECT count(*) FROM guard_exception"
PUT_EXCEPTION = """
INSERT INTO guard_exception (name, policy, service, said, asked_by, asked_behind, asked_at)
VALUES (%(name)s, %(policy)s, %(service)s, %(said)s, %(by)s, %(behind)s, %(at)s)
    ON CONFLICT (name) DO UPDATE
   SET policy = excluded.policy, service = excluded.service, said = excluded.said, asked_by = excluded.asked_by,
       asked_behind = excluded.asked_behind, asked_at = excluded.asked_at, allowed_by = '', allowed_at = NULL
"""
ALLOW_EXCEPTION = """
UPDATE guard_exception SET allowed_by = %(by)s, allowed_at = %(at)s WHERE name = %(name)s
"""
END_EXCEPTION = "DELETE FROM guard_exception WHERE name = %(name)s"

FREEZES = "SELECT name, said, by FROM guard_freeze ORDER BY name"
PUT_FREEZE = """
INSERT INTO guard_freeze (name, said, by) VALUES (%(name)s, %(said)s, %(by)s)
    ON CONFLICT (name) DO UPDATE SET said = excluded.said, by = excluded.by
"""
LIFT = "DELETE FROM guard_freeze WHERE name = %(name)s RETURNING name"

NOTE_JUDGEMENT = """
INSERT INTO guard_judgement (service, environment, at, change, findings)
VALUES (%(service)s, %(environment)s, %(at)s, %(change)s, %(findings)s)
"""
FORGET_JUDGEMENTS = """
DELETE FROM guard_judgement
 WHERE service = %(service)s AND environment = %(environment)s AND number NOT IN (
       SELECT number FROM guard_judgement
        WHERE service = %(service)s AND environment = %(environment)s
        ORDER BY number DESC
        LIMIT %(most)s
       )
"""
JUDGEMENTS = """
SELECT number, change, findings FROM guard_judgement WHERE service = %(service)s ORDER BY number DESC
"""
JUDGEMENT = "SELECT change FROM guard_judgement WHERE number = %(number)s"


class Store:
    """The tables, in one session of the one who asks."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def version(self) -> int:
        """Return a number that is another one after each change of a policy."""
        ((version,),) = await self._session.fetch(VERSION)
        return int(version)

    async def policies(self) -> list[PolicyView]:
        """Return the policies of one's own, without their modes."""
        return [
            PolicyView(name, _read(said, PolicySaid), is_house=False, by=by, at=at)
            for name, said, by, at in await self._session.fetch(POLICIES)
        ]

    async def modes(self) -> dict[str, tuple[Mode, str, str, datetime]]:
        """Return mode, reason, who and when by name of policy."""
        return {
            name: (mode, reason, by, at)
            for name, mode, reason, by, at in await self._session.fetch(MODES)
        }

    async def put_policy(self, name: str, said: PolicySaid, by: str, at: datetime) -> None:
        """Keep a policy."""
        await self._session.fetch(COUNT)  # first: changes of policies wait for each other here
        await self._session.fetch(PUT_POLICY, name=name, said=_text(said), by=by, at=at)

    async def remove_policy(self, name: str) -> bool:
        """Remove a policy and its mode; False when there is none."""
        await self._session.fetch(COUNT)
        await self._session.fetch(REMOVE_MODE, name=name)
        return bool(await self._session.fetch(REMOVE_POLICY, name=name))

    async def set_mode(self, name: str, mode: Mode, reason: str, by: str, at: datetime) -> None:
        """Note what an admin made of a policy."""
        await self._session.fetch(COUNT)
        await self._session.fetch(SET_MODE, name=name, mode=mode, reason=reason, by=by, at=at)

    async def exceptions(self, after: str, most: int) -> list[Asked]:
        """Return exceptions by name."""
        return [
            _asked(row) for row in await self._session.fetch(EXCEPTIONS, after=after, most=most)
        ]

    async def exceptions_of(self, service: str) -> list[Asked]:
        """Return all exceptions of one service."""
        return [_asked(row) for row in await self._session.fetch(EXCEPTIONS_OF, service=service)]

    async def exception(self, name: str) -> Asked | None:
        """Return one, and keep it for this transaction."""
        rows = await self._session.fetch(EXCEPTION, name=name)
        return _asked(rows[0]) if rows else None

    async def count_exceptions(self) -> int:
        """Return how many there are."""
        ((count,),) = await self._session.fetch(COUNT_EXCEPTIONS)
        return int(count)

    async def put_exception(self, asked: Asked) -> None:
        """Keep an exception that nobody has allowed."""
        await self._session.fetch(
            PUT_EXCEPTION,
            name=asked.name,
            policy=asked.said.policy,
            service=asked.said.service,
            said=_text(asked.said),
            by=asked.asked_by,
            behind=asked.asked_behind,
            at=asked.asked_at,
        )

    async def allow_exception(self, name: str, by: str, at: datetime) -> None:
        """Note who allowed it."""
        await self._session.fetch(ALLOW_EXCEPTION, name=name, by=by, at=at)

    async def end_exception(self, name: str) -> None:
        """Forget an exception."""
        await self._session.fetch(END_EXCEPTION, name=name)

    async def freezes(self) -> list[Frozen]:
        """Return all freezes by name."""
        rows = await self._session.fetch(FREEZES)
        return [Frozen(name, _read(said, FreezeSaid), by) for name, said, by in rows]

    async def put_freeze(self, frozen: Frozen) -> None:
        """Keep a freeze."""
        await self._session.fetch(
            PUT_FREEZE, name=frozen.name, said=_text(frozen.said), by=frozen.by
        )

    async def lift(self, name: str) -> bool:
        """Forget a freeze; False when there is none."""
        return bool(await self._session.fetch(LIFT, name=name))

    async def note_judgement(self, change: Change, findings: list[Finding]) -> None:
        """Keep a change with what was said of it, and forget those before the latest."""
        key = {"service": change.service, "environment": change.environment.name}
        await self._session.fetch(
            NOTE_JUDGEMENT, **key, at=change.at, change=_text(change), findings=_text(findings)
        )
        await self._session.fetch(FORGET_JUDGEMENTS, **key, most=KEPT)

    async def judgements(self, service: str) -> list[tuple[int, Change, tuple[Finding, ...]]]:
        """Return those of a service, newest first."""
        rows = await self._session.fetch(JUDGEMENTS, service=service)
        return [
            (number, _read(change, Change), _read(findings, tuple[Finding, ...]))
            for number, change, findings in rows
        ]

    async def judgement(self, number: int) -> Change | None:
        """Return the change that was judged."""
        rows = await self._session.fetch(JUDGEMENT, number=number)
        return _read(rows[0][0], Change) if rows else None


def _asked(row: Row) -> Asked:
    name, said, by, behind, at, allowed_by, allowed_at = row
    return Asked(name, _read(said, ExceptionSaid), by, behind, at, allowed_by, allowed_at)


def _text(value: object) -> str:
    # The database takes no NUL in a text, escaped ones are fine.
    return msgspec.json.encode(value).decode()


def _read(text: str, kind: type[T]) -> T:
    return msgspec.json.decode(text, type=kind)
