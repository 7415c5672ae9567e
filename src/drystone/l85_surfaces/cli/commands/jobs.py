"""``drystone jobs``: commands of a service that run to their end."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from drystone.l85_surfaces.cli.operating import job_runner
from drystone.l85_surfaces.cli.options import NOWHERE_SAID, Anywhere, Environment, Service
from drystone.l85_surfaces.cli.orchestrated import environment_at
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context
from drystone.l85_surfaces.cli.terminal import Terminal
from drystone.l85_surfaces.cli.views import jobs as views

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from drystone.l25_deployer.jobs.api import RunOutput

Run = Annotated[str, Parameter(help="Id of the run, as `drystone jobs list` tells it.")]


async def list_runs(
    service: Service, /, *, env: Environment = None, shared: Anywhere = NOWHERE_SAID
) -> None:
    """List the runs of a service's jobs, the latest first.

    How each stands, how long it took, how it ended, and in which release. With --json, one document.
    """
    out = Terminal(json=shared.json)
    environment = environment_at(env, shared)
    async with job_runner(shared) as api:
        found = await api.runs(context(), environment=environment, service=service)
    out.document(found)
    out.lines(views.runs(found, datetime.now(UTC), paint=out.paint))


async def run(
    service: Service,
    job: Annotated[str, Parameter(help="Name of the job.")],
    /,
    *arguments: Annotated[
        str, Parameter(passed_on=True, help="What follows its command, after `--`.")
    ],
    detach: Annotated[
        bool,
        Parameter(
            name=("--detach",), show_default=False, help="Tell its id, and do not wait for its end."
        ),
    ] = False,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> int:
    """Run a job of a service, and wait for its end.

    It gets the code, settings and resources of the release that serves. What it writes is passed on, and its exit code becomes the exit code here. It goes on when this command
    is left. With --json, one object per piece of output.
    """
    out = Terminal(json=shared.json)
    environment = environment_at(env, shared)
    async with job_runner(shared) as api:
        begun = await api.run(
            context(),
            environment=environment,
            service=service,
            job=job,
            arguments=list(arguments),
        )
        if detach:
            out.document(begun)
            out.line(begun.id)
            return 0
        print(f"run {begun.id}", file=sys.stderr)
        stream = api.output(
            context(), environment=environment, service=service, run=begun.id, follow=True
        )
        return await _pass_on(stream, out)


async def stop(
    service: Service,
    run: Run,
    /,
    *,
    reason: Annotated[str, Parameter(help="Why, for the record.", show_default=False)] = "",
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Stop a run, which is not tried again.

    It is asked to end, and ended after ten seconds. With --json, one document.
    """
    out = Terminal(json=shared.json)
    async with job_runner(shared) as api:
        found = await api.stop(
            context(),
            environment=environment_at(env, shared),
            service=service,
            run=run,
            reason=reason,
        )
    out.document(found)
    out.line(views.standing(found))


async def logs(
    service: Service,
    run: Run,
    /,
    *,
    follow: Annotated[
        bool, Parameter(name=("--follow", "-f"), help="Go on until it has ended.")
    ] = False,
    env: Environment = None,
    shared: Anywhere = NOWHERE_SAID,
) -> None:
    """Print what a run has written; of its last attempt, or with -f of all.

    With --json, one object per piece of output, and last how it stands.
    """
    out = Terminal(json=shared.json)
    async with job_runner(shared) as api:
        stream = api.output(
            context(),
            environment=environment_at(env, shared),
            service=service,
            run=run,
            follow=follow,
        )
        await _pass_on(stream, out)


async def _pass_on(stream: AsyncIterator[RunOutput], out: Terminal) -> int:
    """Pass on what a run writes, and return the exit code that tells how it ended."""
    code = 1
    async for piece in stream:
        out.record(piece)
        if piece.text and not out.json:
            sys.stdout.write(piece.text)
            sys.stdout.flush()
        if piece.run is not None:
            last = piece.run.attempts[-1].code if piece.run.attempts else None
            code = 0 if piece.run.state == "succeeded" else last or 1
            if piece.run.state != "succeeded":
                print(views.standing(piece.run), file=sys.stderr)
    return code
