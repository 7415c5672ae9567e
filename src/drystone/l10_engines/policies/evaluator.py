"""Judges documents by policies, in a process that is started when first needed and again whenever it dies.

It fails closed: whatever happens, each policy that was asked has an answer, and the answer of one that could not be evaluated is
a problem. One policy that takes too long or kills the process costs the others nothing but the time; the rest is asked again.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import msgspec

from drystone.l10_engines.policies.errors import PolicyUnfit
from drystone.l10_engines.policies.reading import Module, checked, unfit
from drystone.l10_engines.policies.shapes import Shape
from drystone.l10_engines.policies.tokens import Mistake
from drystone.l10_engines.policies.wire import (
    LENGTH,
    MOST,
    TOO_LARGE,
    Compiled,
    Ended,
    Found,
    Judge,
    Load,
    Loaded,
    framed,
)

LIMIT = timedelta(seconds=2)
"""How long one policy may compute over one document: time of a processor, so that a busy machine refuses nothing."""

TOTAL = timedelta(seconds=10)
"""How long all policies together may take over one document, restarts included, by the clock."""

MEMORY = 512 << 20
"""What the process may use, in bytes; it takes some 40 MB to begin with."""

MOST_DOCUMENT = 512 << 10
"""Bytes of the largest document that is judged: taking one in costs about half a second for each megabyte."""

_START = timedelta(seconds=20)
_DEATHS = 2
"""How often a policy may be there when the process dies until it is its fault."""

T = TypeVar("T")


class Answer(msgspec.Struct, frozen=True):
    """What one policy says of a document.

    Attributes:
        policy: Its name.
        rules: What each of its rules holds, as JSON.
        problem: Why it could not be evaluated; empty when it could. It then has no rules.
    """

    policy: str
    rules: dict[str, msgspec.Raw] = {}
    problem: str = ""


class _Died(Exception):
    """The process is gone.

    Attributes:
        why: What the policy did that was evaluated; empty where it may have done nothing.
    """

    def __init__(self, why: str) -> None:
        super().__init__("the process of policies ended")
        self.why = why


class Evaluator:
    """One process that evaluates; who asks while it is busy waits.

    Args:
        known: What documents may hold; see :func:`~drystone.l10_engines.policies.reading.checked`.
        limit: How long one policy may compute.
        total: How long all of them may take over one document.
        memory: Bytes that the process may use.
    """

    def __init__(
        self,
        known: Shape = None,
        *,
        limit: timedelta = LIMIT,
        total: timedelta = TOTAL,
        memory: int = MEMORY,
    ) -> None:
        self._known = known
        self._limit = limit
        self._total = total
        self._memory = memory
        self._busy = asyncio.Lock()
        self._process: _Process | None = None
        self._read: dict[Module, tuple[str, ...] | PolicyUnfit] = {}

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.pid if self._process is not None else None

    async def check(self, module: Module) -> None:
        """Let a policy pass that can be evaluated.

        Raises:
            PolicyUnfit: It has mistakes; the message tells each with its line.
        """
        rules = checked(module, self._known)
        loaded = Loaded(module.name, module.package, module.text, rules)
        try:
            async with self._busy:
                process = await self._running()
                problems = await self._within(process.load((loaded,)))
        except _Died as e:
            why = e.why or "the process that evaluates it ended"
            raise unfit(module.name, [Mistake(1, 1, f"it cannot be compiled: {why}")]) from e
        if found := problems.get(module.name):
            raise unfit(module.name, [Mistake(line or 1, 1, said) for line, said in found])

    async def judge(self, modules: Sequence[Module], document: bytes) -> list[Answer]:
        """Evaluate policies over one document; one answer for each, in their order. Never raises for a policy.

        Args:
            modules: The policies; no two have the same name.
            document: A JSON object: their ``input``.
        """
        if len(document) > MOST_DOCUMENT:
            why = f"what it is to judge has {len(document)} bytes, and {MOST_DOCUMENT} are the most"
            return [Answer(module.name, problem=why) for module in modules]
        fit, answers = self._sorted(modules)
        if fit:
            async with self._busy:
                await self._judge(fit, document, answers)
        return [answers[module.name] for module in modules]

    def _sorted(self, modules: Sequence[Module]) -> tuple[tuple[Loaded, ...], dict[str, Answer]]:
        """Part those that can be asked from those that cannot; what was read once is not read again."""
        fit, unfit_ones, kept = [], {}, {}
        for module in modules:
            if module not in self._read:
                try:
                    self._read[module] = checked(module, self._known)
                except PolicyUnfit as e:
                    self._read[module] = e
            kept[module] = read = self._read[module]
            if isinstance(read, PolicyUnfit):
                unfit_ones[module.name] = Answer(module.name, problem=read.message)
            else:
                fit.append(Loaded(module.name, module.package, module.text, read))
        if len(self._read) > 4 * len(kept) + 100:
            self._read = kept
        return tuple(fit), unfit_ones

    async def _judge(
        self, fit: tuple[Loaded, ...], document: bytes, answers: dict[str, Answer]
    ) -> None:
        ends = time.monotonic() + self._total.total_seconds()
        deaths: dict[str, int] = {}
        left = [one.name for one in fit]
        while left and time.monotonic() < ends:
            try:
                await self._round(fit, left, document, answers, ends - time.monotonic())
                left = []
            except _Died as e:
                left = [name for name in left if name not in answers]
                if not left or time.monotonic() >= ends:
                    break
                # Policies answer in order, so the first that has not is the one that was evaluated.
                guilty = left[0]
                deaths[guilty] = deaths.get(guilty, 0) + 1
                why = e.why
                if not why and deaths[guilty] < _DEATHS:
                    continue
                why = why or f"the process that evaluates it ended, {_DEATHS} times"
                answers[guilty] = Answer(guilty, problem=why)
                left = left[1:]
        for name in left:
            if name not in answers:
                spent = f"all policies together took longer than {self._total.total_seconds():g} s"
                answers[name] = Answer(name, problem=spent)

    async def _round(
        self,
        fit: tuple[Loaded, ...],
        names: Sequence[str],
        document: bytes,
        answers: dict[str, Answer],
        seconds: float,
    ) -> None:
        process = await self._running()
        await self._within(self._ask(process, fit, names, document, answers), seconds)
        for name in names:
            answers.setdefault(name, Answer(name, problem="it gave no answer"))

    async def _ask(
        self,
        process: _Process,
        fit: tuple[Loaded, ...],
        names: Sequence[str],
        document: bytes,
        answers: dict[str, Answer],
    ) -> None:
        name = _digest(fit)
        if name not in process.known:
            for policy, found in (await process.load(fit)).items():
                answers[policy] = Answer(policy, problem="; ".join(said for _, said in found))
        wanted = tuple(one for one in names if one not in answers)
        if not await process.judge(name, wanted, document, answers):
            process.known.discard(name)
            await self._ask(process, fit, names, document, answers)

    async def _running(self) -> _Process:
        if self._process is None or self._process.has_ended:
            await self.stop()
            process = _Process(self._limit, self._memory)
            try:
                await process.open()
            except BaseException:
                await asyncio.shield(process.end())
                raise
            self._process = process
        return self._process

    async def _within(self, work: Awaitable[T], seconds: float = _START.total_seconds()) -> T:
        """Wait for an answer; whatever else happens ends the process, which would answer the next one otherwise.

        Raises:
            _Died: It is gone.
        """
        is_over = False
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            is_over = True
        except (OSError, EOFError, msgspec.MsgspecError):
            pass
        except BaseException:
            await asyncio.shield(self.stop())
            raise
        code = await self.stop()
        if is_over or code == -signal.SIGPROF:
            raise _Died(f"it took longer than {self._limit.total_seconds():g} s")
        too_large = f"it used more than {self._memory >> 20} MiB of memory"
        raise _Died(too_large if code == TOO_LARGE else "")

    async def stop(self) -> int | None:
        """End the process; the next who asks starts another. Returns how it ended."""
        process, self._process = self._process, None
        return await process.end() if process is not None else None


def _digest(fit: Sequence[Loaded]) -> str:
    return hashlib.sha256(msgspec.json.encode(fit)).hexdigest()


_UNBOUND = 'ulimit -S -d unlimited 2>/dev/null; exec "$@"'
"""Its allocator reserves far more than it uses: a bound of this process's data would be one of its addresses."""


class _Process:
    """The process and the socket to it."""

    def __init__(self, limit: timedelta, memory: int) -> None:
        ours, theirs = socket.socketpair()
        self._lifeline, end = os.pipe()[::-1]
        command = ["/bin/sh", "-c", _UNBOUND, "policies"]
        command += [sys.executable, "-m", "drystone.l10_engines.policies.worker"]
        command += [f"--limit={limit.total_seconds()}", f"--memory={memory}", f"--lifeline={end}"]
        self._popen: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.DEVNULL,
            pass_fds=[end],
            cwd="/",
            env={"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            start_new_session=True,
        )
        theirs.close()
        os.close(end)
        ours.setblocking(False)
        self._socket = ours
        self._writer: asyncio.StreamWriter | None = None
        self.known: set[str] = set()

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket, limit=MOST)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def has_ended(self) -> bool:
        return self._popen.poll() is not None

    async def load(self, policies: tuple[Loaded, ...]) -> dict[str, list[tuple[int, str]]]:
        name = _digest(policies)
        await self._say(Load(name, policies))
        said = msgspec.json.decode(await self._hear(), type=Compiled)
        self.known.add(name)
        return said.problems

    async def judge(
        self, name: str, wanted: tuple[str, ...], document: bytes, answers: dict[str, Answer]
    ) -> bool:
        """Ask, and note each answer as it comes; False when the process does not know the set."""
        await self._say(Judge(name, wanted, msgspec.Raw(document)))
        while True:
            said = msgspec.json.decode(await self._hear(), type=Found | Ended)
            if isinstance(said, Ended):
                return said.is_known
            rules = {rule: msgspec.Raw(bytes(value)) for rule, value in said.rules.items()}
            answers[said.name] = Answer(said.name, rules, said.problem)

    async def _say(self, message: msgspec.Struct) -> None:
        if self._writer is None:
            raise EOFError
        self._writer.write(framed(message))
        await self._writer.drain()

    async def _hear(self) -> bytes:
        head = await self._reader.readexactly(LENGTH.size)
        return await self._reader.readexactly(LENGTH.unpack(head)[0])

    async def end(self) -> int:
        if self._writer is not None:
            self._writer.close()
        else:
            self._socket.close()
        # A timer that has rung says so by the code; what still runs is killed.
        with suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._popen.wait, 0.05 if self.has_ended else 0.2)
        if not self.has_ended:
            self._popen.kill()
        code = await asyncio.to_thread(self._popen.wait)
        os.close(self._lifeline)
        if self._writer is not None:
            with suppress(OSError):
                await self._writer.wait_closed()
        return code
