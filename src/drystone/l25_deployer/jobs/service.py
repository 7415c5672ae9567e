"""Runs jobs on this machine."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from typing_extensions import override

from drystone.l00_kernel.contract import Context
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.removal import remove_tree
from drystone.l00_kernel.shortage import DiskFull
from drystone.l10_engines.runtimes.logs import LogFile
from drystone.l10_engines.runtimes.port import LOG_NAME
from drystone.l25_deployer.jobs import domain
from drystone.l25_deployer.jobs.api import JobsApi, RunOutput, RunView
from drystone.l25_deployer.jobs.attempting import Attempting, End
from drystone.l25_deployer.jobs.domain import Run, view
from drystone.l25_deployer.jobs.errors import JobNotFound, RunNotFound, RunRefused, TooManyRuns
from drystone.l25_deployer.stacks.provided import BatchJob

if TYPE_CHECKING:
    from drystone.l25_deployer.jobs.store import RunStore
    from drystone.l25_deployer.local.kept_service import KeptService
    from drystone.l25_deployer.local.services import Services

_LOOK_EVERY_S = 0.2
_LINES = 100_000


class Jobs(JobsApi):
    """The jobs of all services of a home.

    Args:
        services: What is deployed.
        store: Remembers the runs.
    """

    def __init__(self, services: Services, store: RunStore) -> None:
        self._services = services
        self._store = store
        self._runs: dict[tuple[str, str, str], Run] = {}
        self._attempts: dict[tuple[str, str, str], tuple[Attempting, asyncio.Task[None]]] = {}
        self._is_open = False

    def load(self) -> None:
        """Read what is remembered, before strays are looked for; nothing begins yet."""
        for run in self._store.read():
            self._runs[_key(run)] = run
            self._note(run)

    def begin(self) -> None:
        """Go on with what runs, and begin what waits, from now on."""
        self._is_open = True
        for run in list(self._runs.values()):
            if run.state == "running":
                self._follow(run)
        self._begin_all()

    async def leave(self) -> None:
        """Stop looking after the runs; they go on."""
        self._is_open = False
        tasks = [task for _, task in self._attempts.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._attempts.clear()

    async def halt(self, environment: str, service: str, job: str) -> None:
        """End the runs of a job, since the platform stops; an attempt that is ended so has failed."""
        chosen = [
            attempt
            for key, attempt in self._attempts.items()
            if key[:2] == (environment, service) and self._runs[key].job == job
        ]
        for attempting, _ in chosen:
            attempting.stop(halted=True)
        await asyncio.gather(*(task for _, task in chosen), return_exceptions=True)

    async def forget(self, environment: str, service: str, job: str) -> None:
        """Remove the runs of a job, which is gone; their logs go with them."""
        for run in self._of(environment, service):
            if run.job == job:
                await self._forget(run)

    # What is asked

    @override
    async def run(
        self,
        ctx: Context,
        *,
        environment: str,
        service: str,
        job: str,
        arguments: list[str] | None = None,
    ) -> RunView:
        found = self.job(environment, service, job)
        command = (*found.command, *(arguments or ()))
        return view(self.submit(environment, service, job, command, by=ctx.caller.name))

    def job(self, environment: str, service: str, job: str) -> BatchJob:
        """Return a job of the release that serves.

        Raises:
            ServiceNotFound: The service is not deployed there.
            JobNotFound: It has no such job.
        """
        release = self._services.existing(environment, service).active_release()
        resources = release.stacks.eternal.resources if release is not None else {}
        found = resources.get(job)
        if not isinstance(found, BatchJob):
            names = sorted(n for n, one in resources.items() if isinstance(one, BatchJob))
            raise JobNotFound(
                f"{service} in {environment} has no job '{job}'; its jobs: {', '.join(names) or 'none'}"
            )
        return found

    def submit(
        self,
        environment: str,
        service: str,
        job: str,
        command: tuple[str, ...],
        *,
        by: str,
        title: str = "",
        variables: dict[str, str] | None = None,
        limits: BatchJob | None = None,
    ) -> Run:
        """Take a run; it is on disk when this returns.

        Args:
            environment: Where.
            service: Whose.
            job: Which.
            command: What is to run.
            by: Who asks.
            title: What whoever asks calls it.
            variables: In addition to those of the service.
            limits: In place of what the descriptor says.

        Raises:
            ServiceNotFound: The service is not deployed there.
            JobNotFound: It has no such job.
            TooManyRuns: As many wait as may wait.
            RunRefused: There is no command, or it is too long.
        """
        found = self.job(environment, service, job)
        kept = self._services.existing(environment, service)
        variables = variables or {}
        length = domain.words_of(command, variables)
        if not command or length > domain.MOST_WORDS or any("\0" in word for word in command):
            raise RunRefused(
                f"a command and its variables have {domain.MOST_WORDS} bytes at most, and this {length}"
                if command
                else "there is no command to run"
            )
        every = [run for run in self._of(environment, service) if run.job == job]
        if sum(run.state == "waiting" for run in every) >= domain.MOST_WAITING:
            raise TooManyRuns(
                f"{domain.MOST_WAITING} runs of '{job}' wait already; try again when some have begun"
            )
        now = kept.machine.clock.now()
        run = Run(
            id=f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(3)}",
            environment=environment,
            service=service,
            job=job,
            title=title or job,
            command=command,
            variables=variables,
            by=by,
            asked=now,
            limits=limits or found,
        )
        self._write(run)
        kept.write_history("job asked for", f"{job} {run.id}", by=by)
        self._begin(environment, service, job)
        return self._runs[_key(run)]

    @override
    async def runs(self, ctx: Context, *, environment: str, service: str) -> list[RunView]:
        self._services.existing(environment, service)
        every = sorted(self._of(environment, service), key=lambda run: (run.asked, run.id))
        return [view(run) for run in reversed(every)]

    def all(self, environment: str, service: str) -> list[Run]:
        """Return the runs of a service, in the order in which they were asked for."""
        return sorted(self._of(environment, service), key=lambda run: (run.asked, run.id))

    def find(self, environment: str, service: str, run: str) -> Run:
        """Return a run.

        Raises:
            RunNotFound: It is not remembered.
        """
        found = self._runs.get((environment, service, run))
        if found is None:
            raise RunNotFound(
                f"{service} in {environment} has no run '{run}'; `drystone jobs list {service}` lists them"
            )
        return found

    @override
    async def stop(
        self, ctx: Context, *, environment: str, service: str, run: str, reason: str = ""
    ) -> RunView:
        self._services.existing(environment, service)
        return view(self.end(environment, service, run, reason, by=ctx.caller.name))

    def end(self, environment: str, service: str, run: str, reason: str, *, by: str) -> Run:
        """Have a run stop; see :meth:`stop`.

        Raises:
            RunNotFound: It is not remembered.
        """
        found = self.find(environment, service, run)
        if found.has_ended:
            return found
        why = reason[:500] or f"stopped by {by}"
        self._write(domain.stopping(found, why))
        self._services.existing(environment, service).write_history(
            "job stopped", f"{found.job} {run}", by=by
        )
        attempt = self._attempts.get(_key(found))
        if attempt is not None:
            attempt[0].stop()
        return self._runs[_key(found)]

    @override
    async def output(
        self, ctx: Context, *, environment: str, service: str, run: str, follow: bool = False
    ) -> AsyncIterator[RunOutput]:
        kept = self._services.existing(environment, service)
        found = self.find(environment, service, run)
        told = 0 if follow else max(0, len(found.attempts) - 1)
        offset = 0
        while True:
            found = self.find(environment, service, run)
            # How it stands was looked at first, so that nothing is written after the last look.
            while told < len(found.attempts):
                log = LogFile(kept.machine.instances / found.attempts[told].instance / LOG_NAME)
                for line in await asyncio.to_thread(log.tail, _LINES):
                    if line.offset >= offset and (line.is_complete or found.has_ended):
                        offset = line.end
                        yield RunOutput(f"{line.text}\n")
                if found.attempts[told].ended is None:
                    break
                told, offset = told + 1, 0
            if found.has_ended or not follow:
                break
            await asyncio.sleep(_LOOK_EVERY_S)
        yield RunOutput(run=view(found))

    # What happens

    def _of(self, environment: str, service: str) -> list[Run]:
        return [run for key, run in self._runs.items() if key[:2] == (environment, service)]

    def _write(self, run: Run) -> None:
        self._store.write(run)
        self._runs[_key(run)] = run
        self._note(run)

    def _note(self, run: Run) -> None:
        """Let the service know which instances are a job's, and which releases they need."""
        try:
            kept = self._services.find(run.environment, run.service)
        except PlatformError:  # its records cannot be read: then nothing is taken for a stray
            return
        if kept is None:
            return
        for attempt in run.attempts:
            if attempt is run.current:
                kept.beside[attempt.instance] = attempt.release
            else:
                kept.beside.pop(attempt.instance, None)

    def _begin_all(self) -> None:
        for environment, service, job in {
            (r.environment, r.service, r.job) for r in self._runs.values()
        }:
            self._begin(environment, service, job)

    def _begin(self, environment: str, service: str, job: str) -> None:
        if not self._is_open:
            return
        every = [run for run in self._of(environment, service) if run.job == job]
        parallel = every[-1].limits.parallel if every else 1
        with suppress(PlatformError):
            parallel = self.job(environment, service, job).parallel
        beginning = {_key(run) for run in every if run.state == "waiting"} & self._attempts.keys()
        others = [run for run in every if _key(run) not in beginning]
        for run in domain.next_up(others, parallel - len(beginning)):
            self._follow(run)

    def _follow(self, run: Run) -> None:
        kept = self._services.find(run.environment, run.service)
        if kept is None:
            return
        attempting = Attempting(kept, run)
        task = asyncio.create_task(self._drive(kept, run, attempting), name=f"job {run.id}")
        self._attempts[_key(run)] = attempting, task

    async def _drive(self, kept: KeptService, run: Run, attempting: Attempting) -> None:
        try:
            end = await self._attempt(kept, run, attempting)
        except PlatformError as e:
            end = None
            kept.machine.log.warning("a job waits", error=e, run=run.id)
            await asyncio.sleep(1)
        finally:
            self._attempts.pop(_key(run), None)
        now = self._runs.get(_key(run))
        if now is not None and end is not None and now.state == "running":
            await self._over(kept, now, end)
        if now is not None and not attempting.is_halted:
            self._begin(run.environment, run.service, run.job)

    async def _attempt(self, kept: KeptService, run: Run, attempting: Attempting) -> End | None:
        if run.current is not None:
            if run.stop is not None:
                attempting.stop()
            end = await attempting.resume(run.current)
            if end is not None:
                return end
            await kept.recovered.wait()
            return await attempting.begin(run.current)
        await kept.recovered.wait()
        attempt = attempting.next()
        now = self._runs[_key(run)]
        if now.has_ended:  # stopped meanwhile
            return None
        attempting.mark(attempt)
        self._write(domain.begun(now, attempt))
        return await attempting.begin(attempt)

    async def _over(self, kept: KeptService, run: Run, end: End) -> None:
        over = domain.attempt_over(run, code=end.code, reason=end.reason, at=end.at)
        while True:
            try:
                self._write(over)
                break
            except DiskFull:  # how it ended is written when there is room
                await asyncio.sleep(1)
        if over.has_ended:
            kept.write_history(f"job {over.state}", f"{over.job} {over.id}: {end.reason}")
        every = [one for one in self._of(run.environment, run.service) if one.job == run.job]
        for old in domain.forgettable(every, run.limits.keep):
            self._drop(old)

    def _drop(self, run: Run) -> None:
        self._runs.pop(_key(run), None)
        self._store.remove(run)
        for attempt in run.attempts:
            with suppress(OSError):
                remove_tree(self._services.machine.instances / attempt.instance)

    async def _forget(self, run: Run) -> None:
        attempt = self._attempts.get(_key(run))
        if attempt is not None:
            attempt[0].stop(halted=True)
            await asyncio.gather(attempt[1], return_exceptions=True)
        self._drop(self._runs.get(_key(run), run))


def _key(run: Run) -> tuple[str, str, str]:
    return run.environment, run.service, run.id
