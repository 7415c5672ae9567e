"""Counting in a store that several limiters share: Valkey or Redis.

One script decides about a call as a whole, by the store's own clock, which is the only one that all see. That clock can be
set: what lies in the future by it counts as now, so that nobody is locked out until a wrong hour has passed again. What was
used is kept as a number of calls and a moment, which mean the same by every rate: a limit that changes goes on from there, in
whatever way it counts from now on. A store that loses its data, or drops some under want of memory, gives back what
was used.

Questions that come while the store works on others go to it together, in one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from importlib import resources
from typing import NamedTuple, NoReturn

from typing_extensions import override

from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.external import parse_url
from drystone.l10_engines.cache.resp import Connection, Refused, connected
from drystone.l35_mesh.limits.counter import Counter, Outcome, microseconds
from drystone.l35_mesh.limits.domain import SLOTS, Verdict
from drystone.l35_mesh.limits.errors import NobodyCounts
from drystone.l35_mesh.limits.memory import Counted, Memory
from drystone.l35_mesh.limits.names import Names, Room
from drystone.l35_mesh.limits.policies import Policies

PATIENCE = 0.25
"""Seconds that the store may take for an answer."""

PAUSE = 0.5
"""Seconds between two attempts to reach a store that is gone."""

MOST_WAITING = 4096
"""Questions that wait for the store at once; more are told that nobody counts."""

_KINDS = {"token-bucket": "b", "gcra": "b", "fixed-window": "f", "sliding-window": "s"}
_BROKEN = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, Refused)


class _Question(NamedTuple):
    """What is asked of the store."""

    words: tuple[str, ...]
    answer: asyncio.Future[str]


class InStore(Counter):
    """Counts in a store; :meth:`working` has to be entered.

    Args:
        url: ``redis://USER:PASSWORD@HOST:PORT/DATABASE``, or ``rediss://``.

    Raises:
        Invalid: The URL cannot be read.
    """

    def __init__(self, url: str) -> None:
        self._access: CacheAccess = parse_url(url)
        self._script = resources.files(__package__).joinpath("decide.lua").read_text()
        self._memory = Memory()
        self._room = Room()
        self._names: dict[tuple[str, str], Names[int]] = {}
        self._questions: list[_Question] = []
        self._asked = asyncio.Event()
        self._is_up = self._told = False

    @override
    def load(self, policies: Policies) -> None:
        self._memory.load(policies, microseconds())
        wanted = {(service, name) for service, limits in policies.items() for name in limits}
        for gone in self._names.keys() - wanted:
            self._names.pop(gone).forget()

    @override
    def limits(self, service: str) -> Mapping[str, Counted] | None:
        return self._memory.limits(service)

    @override
    def all(self) -> Iterable[Counted]:
        return self._memory.all()

    @override
    async def decide(self, limits: Sequence[Counted], names: Sequence[str], cost: int) -> Outcome:
        if not self._is_up or len(self._questions) >= MOST_WAITING:
            raise NobodyCounts
        now = microseconds()
        places = [self._place(limit, name, now) for limit, name in zip(limits, names, strict=True)]
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._questions.append(_Question(_words(limits, places, cost), answer))
        self._asked.set()
        verdicts = _verdicts(await answer)
        passes = all(
            verdict.admitted or limit.policy.shadow
            for limit, verdict in zip(limits, verdicts, strict=True)
        )
        for limit, place, verdict in zip(limits, places, verdicts, strict=True):
            limit.over += not verdict.admitted
            limit.admitted += passes and verdict.admitted
            self._names[limit.service, limit.name].put(place, now + verdict.reset)
        return passes, verdicts

    def _place(self, limit: Counted, name: str, now: int) -> str:
        """Bound the names in the store as those in memory are bounded: by how long each is of any meaning."""
        names = self._names.setdefault(
            (limit.service, limit.name), Names(self._room, lambda until, moment: until <= moment)
        )
        return names.place(name, now)

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Keep a connection to the store while the context lasts."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self._fail(self._questions)

    async def _work(self) -> None:
        while True:
            try:
                async with connected(self._access) as connection:
                    await self._answer_all(connection)
            except _BROKEN as e:
                why = repr(e)
            self._fail(self._questions)
            if self._is_up or not self._told:
                sys.stderr.write(f"the store of limits cannot be asked: {why}; it is tried again\n")
                sys.stderr.flush()
            self._is_up, self._told = False, True
            await asyncio.sleep(PAUSE)

    async def _answer_all(self, connection: Connection) -> NoReturn:
        async with asyncio.timeout(PATIENCE * 4):
            if self._access.database:
                await connection.call("SELECT", str(self._access.database))
            script = str(await connection.call("SCRIPT", "LOAD", self._script))
        self._is_up = True
        while True:
            await self._asked.wait()
            self._asked.clear()
            batch, self._questions = self._questions, []
            try:
                for question in batch:
                    connection.send("EVALSHA", script, *question.words)
                async with asyncio.timeout(PATIENCE):
                    for question in batch:
                        said = str(await connection.reply())
                        if not question.answer.done():  # whoever asked may have gone
                            question.answer.set_result(said)
            finally:
                self._fail(batch)

    def _fail(self, questions: list[_Question]) -> None:
        for question in questions:
            if not question.answer.done():
                question.answer.set_exception(NobodyCounts())
        questions.clear()


def _words(limits: Sequence[Counted], places: Sequence[str], cost: int) -> tuple[str, ...]:
    """Return keys and arguments of the script: all keys of one service lie in one slot of a cluster."""
    keys, arguments = [], [str(cost), str(SLOTS)]
    for limit, place in zip(limits, places, strict=True):
        policy = limit.policy
        kind = _KINDS[policy.algorithm]
        name = f"drystone:limits:{{{limit.service}}}:{limit.name}"
        keys += [f"{name}:{every}:{place}" for every in sorted(set(_KINDS.values()))]
        shadow = "1" if policy.shadow else "0"
        burst = str(policy.burst or policy.count)
        arguments += [kind, str(policy.count), str(policy.period), burst, shadow]
    return (str(len(keys)), *keys, *arguments)


def _verdicts(said: str) -> list[Verdict]:
    """Read what the script says: for each limit whether it admits, remaining, reset and retry (below 0: never)."""
    found = []
    for part in said.split(";"):
        admitted, remaining, reset, retry = map(int, part.split(" "))
        found.append(Verdict(admitted == 1, remaining, reset, retry if retry >= 0 else None))
    return found
