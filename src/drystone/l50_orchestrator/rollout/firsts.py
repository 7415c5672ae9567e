"""The first error of each user, for rollouts in which whoever is on the canary stays there.

One user with a broken account can make a thousand errors. Whether that user is on the canary is chance, and counted by
requests it looks like a thousand independent signs. Counted once, it is one. A user counts as long as there was no error, in
each look with a request, and never again after the first one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from drystone.l50_orchestrator.rollout.looks import Arm, Counted

MOST_REMEMBERED = 200_000


class Request(msgspec.Struct, frozen=True):
    """One request.

    Attributes:
        who: The user, tenant or visitor that it came from.
        is_canary: Which release answered.
        is_bad: Whether the answer was bad.
    """

    who: str
    is_canary: bool
    is_bad: bool


class Firsts(msgspec.Struct, frozen=True):
    """Who had an error already.

    Attributes:
        salt: Of the rollout, so that nobody is recognised from one to the next.
        had: Digests of those who had one.
        skipped: Requests that were not counted since there was no room to remember one more.
    """

    salt: str
    had: frozenset[int] = frozenset()
    skipped: int = 0

    def after(self, requests: Iterable[Request]) -> tuple[Firsts, Counted]:
        """Return who had an error after these requests of one look, in their order, and what they count for."""
        seen: dict[bool, set[int]] = {True: set(), False: set()}
        bad: dict[bool, int] = {True: 0, False: 0}
        now: set[int] = set()
        skipped = self.skipped
        for request in requests:
            who = _digest(self.salt, request.who)
            if who in self.had or who in now:
                continue
            if request.is_bad and len(self.had) + len(now) >= MOST_REMEMBERED:
                skipped += 1
                continue
            seen[request.is_canary].add(who)
            if request.is_bad:
                now.add(who)
                bad[request.is_canary] += 1
        counted = Counted(Arm(len(seen[True]), bad[True]), Arm(len(seen[False]), bad[False]))
        had = self.had | now if now else self.had
        return Firsts(self.salt, had, skipped), counted


def _digest(salt: str, who: str) -> int:
    """Return 53 bits, which every reader of JSON takes for a whole number."""
    given = hashlib.blake2b(who.encode("utf-8", "surrogatepass"), digest_size=8, key=_key(salt))
    return int.from_bytes(given.digest(), "big") >> 11


def _key(salt: str) -> bytes:
    return hashlib.blake2b(salt.encode("utf-8", "surrogatepass"), digest_size=32).digest()
