"""Brings the tables of a platform service to the present version: forward only, each step once and whole.

Steps are files ``NNNN_words.sql`` beside the code that uses the tables. What was done stands in the table ``migration``
of the schema, with the digest of each step. Processes that start at once wait for each other at an advisory lock.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources

import msgspec

from drystone.l10_engines.postgres.database import Database, Session
from drystone.l10_engines.postgres.errors import MigrationsDiverged

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_SPACE = 0x6D67  # keeps these advisory locks apart from others

_KNOWN = """
CREATE TABLE IF NOT EXISTS migration (
    part       text        NOT NULL,
    number     integer     NOT NULL,
    name       text        NOT NULL,
    digest     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (part, number)
)
"""
_FIND = "SELECT number, name, digest FROM migration WHERE part = %(part)s ORDER BY number"
_NOTE = """
INSERT INTO migration (part, number, name, digest) VALUES (%(part)s, %(number)s, %(name)s, %(digest)s)
"""
_LOCK = "SELECT pg_advisory_xact_lock(%(space)s, hashtext(current_schema()))"


class Step(msgspec.Struct, frozen=True):
    """One step of the way.

    Attributes:
        number: From 1 on, without gaps.
        name: Of its file.
        text: Statements, separated by semicolons.
    """

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the text, as it was applied."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def steps_of(package: str) -> tuple[Step, ...]:
    """Read the steps that lie in the folder ``migrations`` of a package.

    Raises:
        ValueError: A name is not ``NNNN_words.sql``, or a number is missing.
    """
    found = []
    for file in resources.files(package).joinpath("migrations").iterdir():
        name = _NAME.fullmatch(file.name)
        if name is None:
            raise ValueError(f"{file.name} is not NNNN_words.sql")
        found.append(Step(int(name[1]), file.name, file.read_text("utf-8")))
    found.sort(key=lambda step: step.number)
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"the migrations of {package} are not numbered 1, 2, 3, …")
    return tuple(found)


async def migrate(database: Database, part: str, steps: tuple[Step, ...]) -> list[str]:
    """Apply the steps that are missing, each with its mention in one transaction; return their names.

    Args:
        database: The schema, whose owner the role is.
        part: Which tables of the schema these steps make; other parts have steps of their own.
        steps: All of them.

    Raises:
        MigrationsDiverged: What was applied is not what is known here; nothing is changed.
        DatabaseUnavailable: The server cannot do it now; done again, it goes on where it ended.
        StatementRefused: A step does not work; those before it stay.
    """
    async with database.session() as session:
        async with session.transaction():
            await session.fetch(_LOCK, space=_SPACE)
            await session.fetch(_KNOWN)
        return [step.name for step in steps if await _apply(session, part, step, steps)]


async def _apply(session: Session, part: str, step: Step, steps: tuple[Step, ...]) -> bool:
    async with session.transaction():
        await session.fetch(_LOCK, space=_SPACE)
        applied = await session.fetch(_FIND, part=part)
        _compare(part, applied, steps)
        if len(applied) >= step.number:
            return False
        # The text comes from a file of this distribution.
        await session.run_script(step.text)
        await session.fetch(
            _NOTE, part=part, number=step.number, name=step.name, digest=step.digest
        )
    return True


def _compare(part: str, applied: list[tuple[object, ...]], steps: tuple[Step, ...]) -> None:
    if len(applied) > len(steps):
        raise MigrationsDiverged(
            f"the tables of {part} have been through {applied[-1][1]}, which this version does not know;"
            " start the version that made them, or a newer one",
            part=part,
        )
    for (_, name, digest), step in zip(applied, steps, strict=False):
        if digest != step.digest:
            raise MigrationsDiverged(
                f"the tables of {part} were made by another {name} than this version's {step.name}; what was once"
                " applied is never changed: start the version that applied it",
                part=part,
            )
