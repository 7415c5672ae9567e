"""Who asked which release while one is tried, and who met an error: each user, tenant or visitor counts once.

One user with a broken account can make a thousand errors, all of them on the release on which that user stays. Counted by requests that
looks like a broken release. So a user is *at risk* until the first error, which counts where it happened; what follows of that
user counts nowhere.

Users are remembered by digests, salted anew for each rollout. Up to :data:`MOST` of them every one is followed. Then half of them are let go,
by a bit of the digest, and so on: those that are followed are a sample that no release had a hand in, and what is said of them is as true as
of all. What sums have counted by then stays. Requests that name nobody are parted by chance, each on its own, and count so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Literal

import msgspec

from drystone.l25_deployer.local.attempts import Attempt
from drystone.l25_deployer.local.calls import Calls
from drystone.l25_deployer.local.tally import BOUNDS

MOST = 10_000
"""So many are followed at once, of both releases together."""

MINUTE = 60
"""Seconds for which somebody who asked counts as being there, and after which an answer is timed: the first ones may be slow for
what a release does once for each user, and a user counts once, since some wait longer than others, always."""

LEAST_WELL, LEAST_ILL = 20, 5
"""So many good answers of the release that serves, and then so many bad ones of the other and no good one, and a user has *turned*."""

MOST_TORN = 16
"""Of so many who are torn it is told what became of each."""

Side = Literal["stable", "canary"]
_BITS = 53  # every reader of JSON takes them for a whole number


class Sums(msgspec.Struct):
    """What was counted of one release; it only rises.

    Attributes:
        met: Different users that asked.
        in_error: Those whose first error was here.
        tried: How often somebody at risk asked, once in a reading.
        times: How many answers were in each class of times, one of each user.
        good: How many good answers each user got, as far as that matters, by digest; less than 0 once there was a bad one.
        bad: The same of bad answers; less than 0 once there was a good one.
        untimed: When those came of whom no answer was timed yet, by digest, in whole seconds since 1970.
        seen: Of those who asked and had met no error, when that was last, by digest, in whole seconds since 1970.
        nameless: How many requests named nobody, by second; those of the last minute.
        torn: How many answers those got since who were torn then, by digest.
    """

    met: int = 0
    in_error: int = 0
    tried: int = 0
    times: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    good: dict[int, int] = {}
    bad: dict[int, int] = {}
    untimed: dict[int, int] = {}
    seen: dict[int, int] = {}
    nameless: dict[int, int] = {}
    torn: dict[int, int] = {}


class Users(msgspec.Struct):
    """What is known of the users of one rollout.

    Attributes:
        key: Of what is tried.
        since: When that was up.
        by: Who is told apart.
        salt: Of the digests.
        halved: How often half of them were let go.
        had: When each who met an error met the first one, by digest.
        stable: What was counted of the release that serves.
        canary: Of the one that is tried.
        places: How far the log of attempts was read.
        calls: What the same log had of calls that the releases made themselves.
    """

    key: str
    since: datetime
    by: str
    salt: str
    halved: int = 0
    had: dict[int, int] = {}
    stable: Sums = msgspec.field(default_factory=Sums)
    canary: Sums = msgspec.field(default_factory=Sums)
    places: dict[str, int] = {}
    calls: Calls = msgspec.field(default_factory=Calls)

    def count(self, attempts: Iterable[tuple[Side, Attempt]]) -> None:
        """Count attempts, in their order; those at one reading count a user once."""
        tried: dict[Side, set[int]] = {"stable": set(), "canary": set()}
        for side, one in attempts:
            sums = self._of(side)
            second = int(one.at.timestamp())
            if one.who is None:
                sums.nameless[second] = sums.nameless.get(second, 0) + 1
                sums.tried += 1
                sums.in_error += one.is_bad
                sums.times[_class(one)] += 1
                continue
            who = self.digest(one.who)
            if who % (1 << self.halved):
                continue
            before = sums.seen.get(who)
            if before is None:
                sums.met += 1
                sums.untimed[who] = second
            elif second >= sums.untimed.get(who, second + 1) + MINUTE:
                del sums.untimed[who]
                sums.times[_class(one)] += 1
            sums.seen[who] = max(second, before or 0)
            _note(sums.bad if one.is_bad else sums.good, who)
            (sums.good if one.is_bad else sums.bad)[who] = -1
            if self._is_torn(who):
                sums.torn[who] = sums.torn.get(who, 0) + 1
            if who in self.had:
                continue
            tried[side].add(who)
            if one.is_bad:
                self.had[who] = second
                sums.in_error += 1
        for side, users in tried.items():
            self._of(side).tried += len(users)
        self._bound()

    def at_risk(self, side: Side, now: datetime) -> int:
        """Return how many asked a release within the last minute who had met no error before it."""
        since = int(now.timestamp()) - MINUTE
        sums = self._of(side)
        named = sum(
            last >= since and self.had.get(who, since) >= since for who, last in sums.seen.items()
        )
        return named + sum(n for second, n in sums.nameless.items() if second >= since)

    @property
    def turned(self) -> int:
        """How many were well on the release that serves, and got nothing but errors since they are on the one that is tried."""
        return sum(
            count >= LEAST_ILL and self.stable.good.get(who, 0) >= LEAST_WELL
            for who, count in self.canary.bad.items()
        )

    def torn(self, side: Side) -> dict[str, int]:
        """Return how many answers of a release those got since who are *torn*; of :data:`MOST_TORN` of them, by digest.

        That is who got nothing but errors of the one that is tried, and none of the one that serves, which may never have been asked.
        """
        torn = sorted(who for who in self.canary.bad if self._is_torn(who))
        answers = self._of(side).torn
        return {f"{who:014x}": answers.get(who, 0) for who in torn[:MOST_TORN]}

    def digest(self, who: str) -> int:
        """Return by what a user is remembered."""
        named = who.encode("utf-8", "surrogatepass")
        given = hashlib.blake2b(named, digest_size=8, key=_key(self.salt))
        return int.from_bytes(given.digest(), "big") >> (64 - _BITS)

    def _is_torn(self, who: int) -> bool:
        return self.canary.bad.get(who, 0) >= LEAST_ILL and self.stable.good.get(who, 0) >= 0

    def _of(self, side: Side) -> Sums:
        return self.stable if side == "stable" else self.canary

    def _bound(self) -> None:
        for sums in (self.stable, self.canary):
            since = max(sums.nameless, default=0) - MINUTE
            if min(sums.nameless, default=since) < since:
                sums.nameless = {at: n for at, n in sums.nameless.items() if at >= since}
        while len(self.stable.seen) + len(self.canary.seen) > MOST:
            self.halved += 1
            whole = 1 << self.halved
            for sums in (self.stable, self.canary):
                sums.seen = {who: last for who, last in sums.seen.items() if not who % whole}
                sums.good = {who: n for who, n in sums.good.items() if not who % whole}
                sums.bad = {who: n for who, n in sums.bad.items() if not who % whole}
                sums.untimed = {who: at for who, at in sums.untimed.items() if not who % whole}
                sums.torn = {who: n for who, n in sums.torn.items() if not who % whole}
            self.had = {who: first for who, first in self.had.items() if not who % whole}


def _note(counts: dict[int, int], who: int) -> None:
    """Count one more, unless there was one of the other kind before, or enough."""
    count = counts.get(who, 0)
    counts[who] = count + 1 if 0 <= count < LEAST_WELL else count


@lru_cache(maxsize=64)
def _key(salt: str) -> bytes:
    return hashlib.blake2b(salt.encode(), digest_size=32).digest()


def _class(one: Attempt) -> int:
    seconds = one.took / 1000
    return next((place for place, bound in enumerate(BOUNDS) if seconds <= bound), len(BOUNDS))
