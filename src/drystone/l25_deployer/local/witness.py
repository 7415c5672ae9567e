"""Reads what proxies wrote while a release is tried: who met an error where, which calls of its own failed, and examples of both.

What is known of users lies in a document together with how far the log was read. Whoever goes on after a death reads on from there, and
so counts each attempt once, as long as the proxies have not moved the log away twice since.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from drystone.l20_trust.keys.api import issuer_of
from drystone.l25_deployer.local import calls
from drystone.l25_deployer.local.attempts import Attempt, AttemptLog, read
from drystone.l25_deployer.local.calls import Askers, FailedCall
from drystone.l25_deployer.local.users import Side, Sums, Users

if TYPE_CHECKING:
    from drystone.l25_deployer.held_words import Arm
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.records import Canary

MOST_TOLD = 5
"""Examples of one reading; of more, their number is told."""

_LONGEST = 300
_SECRET = re.compile(
    r"(?i)\b([\w-]*(?:password|passwd|secret|token|authorization|api[_-]?key|cookie|credential)[\w-]*[\"']?\s*[:=]\s*)"
    r"(?:(?:bearer|basic)\s+)?(\"[^\"]*\"|'[^']*'|\S+)"
)
_IN_ADDRESS = re.compile(r"(\w://)[^\s/@]+@")
_CALLED = b'"callee"'
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Seen(msgspec.Struct, frozen=True):
    """One of the releases, as it is known in what proxies write.

    Attributes:
        ports: Of its instances.
        slot: At which addresses it calls others; None where those are not its own.
    """

    ports: frozenset[int]
    slot: int | None = None


class Witness:
    """What is known of the users of one service, and of its calls that failed, while it holds a release.

    Args:
        kept: The service.
    """

    def __init__(self, kept: KeptService) -> None:
        self._kept = kept
        self._log = AttemptLog(kept.machine.edge.attempts)
        self._users: Users | None = None
        self._askers = Askers()
        self._read_from: dict[str, int] | None = None
        """From where the log was read the last time."""

    async def look(self, held: Canary, *, stable: Seen, canary: Seen) -> list[str]:
        """Read what was written since the last time.

        Args:
            held: What is tried.
            stable: The release that serves.
            canary: The one that is tried.

        Returns:
            What went wrong with the one that is tried, in words.
        """
        before, users = self._users, self._begun(held)
        lines, places = await asyncio.to_thread(self._log.since, users.places)
        if not lines and users is before:
            users.places = places
            return []
        self._read_from = users.places
        found = await asyncio.to_thread(self._read, lines, stable, canary)
        called = await asyncio.to_thread(self._called, lines, stable, canary)
        await asyncio.to_thread(users.calls.count, called)
        if users.by != "request":
            apart = [(side, one) for side, one in found if one.by == users.by]
            await asyncio.to_thread(users.count, apart)
            await asyncio.to_thread(self._count_callers, users, apart, called)
        users.places = places
        with suppress(OSError):  # on a full disk it is kept in memory
            await asyncio.to_thread(self._kept.documents.save_users, self._kept.record, users)
        self._users = users
        bad = [one for side, one in found if side == "canary" and one.is_bad]
        return [
            *self._told(bad, users),
            *_told_of_calls([one for side, one in called if side == "canary"]),
        ]

    def with_calls(self, held: Canary, side: Side, arm: Arm) -> Arm:
        """Return what an arm did, with its own calls that failed."""
        users = self._users
        if users is None or (users.key, users.since) != (held.key, held.since):
            return arm
        sums = users.calls.stable if side == "stable" else users.calls.canary
        return msgspec.structs.replace(
            arm,
            calls=arm.calls + sums.failed,
            failed_calls=sums.failed,
            users_in_failed_call=sums.users,
        )

    def with_users(self, held: Canary, side: Side, arm: Arm) -> Arm:
        """Return what an arm did, with its users where they are told apart; then answers are timed by users, too."""
        users = self._users
        if users is None or not _is_of(users, held) or users.by == "request":
            return arm
        sums: Sums = users.stable if side == "stable" else users.canary
        return msgspec.structs.replace(
            arm,
            times=tuple(sums.times),
            users=sums.met,
            users_in_error=sums.in_error,
            users_tried=sums.tried,
            users_at_risk=users.at_risk(side, self._kept.machine.clock.now()),
            users_turned=users.turned if side == "canary" else 0,
            torn=users.torn(side),
        )

    def forget(self) -> None:
        """Forget everything of a rollout that is over."""
        self._users = self._read_from = None
        self._askers = Askers()

    def _begun(self, held: Canary) -> Users:
        users = self._users or self._kept.documents.users(self._kept.record)
        if users is not None and _is_of(users, held):
            return users
        # What was read while others were told apart may have the first attempts of these.
        begun = Users(held.key, held.since, held.by, secrets.token_hex(16))
        begun.calls.salt = begun.salt
        places = self._read_from
        if users is not None and (users.key, users.since) == (held.key, held.since):
            places = places or users.places
            begun.calls = users.calls.without_users()
        begun.places = self._log.end() if places is None else places
        return begun

    def _read(
        self, lines: Sequence[bytes], stable: Seen, canary: Seen
    ) -> list[tuple[Side, Attempt]]:
        found: list[tuple[Side, Attempt]] = []
        for line in lines:
            one = read(line, self._kept.name)
            if one is not None and one.port in stable.ports | canary.ports:
                found.append(("canary" if one.port in canary.ports else "stable", one))
        return found

    def _count_callers(
        self,
        users: Users,
        apart: Sequence[tuple[Side, Attempt]],
        called: Sequence[tuple[Side, FailedCall]],
    ) -> None:
        for _, one in apart:
            who = users.digest(one.who or next(iter(one.requests), ""))
            if not who % (1 << users.halved):
                self._askers.note(map(users.calls.digest, one.requests), who)
        users.calls.count_users(called, self._askers)

    def _called(
        self, lines: Sequence[bytes], stable: Seen, canary: Seen
    ) -> list[tuple[Side, FailedCall]]:
        sides: dict[int | None, Side] = {canary.slot: "canary", stable.slot: "stable"}
        issuer = issuer_of(*self._kept.record.key)
        found = (calls.read(line, issuer) for line in lines if _CALLED in line)
        return [(sides[one.slot], one) for one in found if one is not None and one.slot in sides]

    def _told(self, bad: Sequence[Attempt], users: Users) -> list[str]:
        told = []
        for one in bad[:MOST_TOLD]:
            whose = ""
            if users.by != "request" and one.who is not None:
                whose = f", {users.by} ~{users.digest(one.who) % (1 << 16):04x}"
            told.append(f"{one.told()}{whose}")
        if len(bad) > MOST_TOLD:
            told.append(f"{bad[-1].at:%H:%M:%S} and {len(bad) - MOST_TOLD} more like these")
        return told


def _told_of_calls(bad: Sequence[FailedCall]) -> list[str]:
    told = [one.told() for one in bad[:MOST_TOLD]]
    if len(bad) > MOST_TOLD:
        told.append(f"{bad[-1].at:%H:%M:%S} and {len(bad) - MOST_TOLD} more of its calls failed")
    return told


def without_secrets(line: str) -> str:
    """Return a line of a log so that it may be shown: short, in one line, and without what looks like a secret."""
    shown = _CONTROL.sub(" ", line[: 4 * _LONGEST])
    shown = _IN_ADDRESS.sub(r"\1…@", _SECRET.sub(r"\1…", shown))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def _is_of(users: Users, held: Canary) -> bool:
    return (users.key, users.since, users.by) == (held.key, held.since, held.by)
