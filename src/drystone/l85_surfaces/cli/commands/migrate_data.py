"""``drystone migrate data``: the data of a service follows it to another place."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from drystone.l85_surfaces.cli.errors import FileUnreadable, Misuse, MoveFailed
from drystone.l85_surfaces.cli.interrupts import first_interrupt
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Service, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import environment_of, require_answer
from drystone.l85_surfaces.cli.terminal import Terminal

if TYPE_CHECKING:
    from drystone.l35_mesh.migration.brief import Brief


async def data(
    service: Service,
    resource: Annotated[str, Parameter(help="The resource's name in the descriptor.")],
    /,
    *,
    to: Annotated[
        str,
        Parameter(
            name=("--to",),
            metavar="URL|@FILE",
            help="URL of the new place, or @ and a file that holds it, which keeps passwords from others' eyes.",
        ),
    ],
    cut_over: Annotated[
        bool,
        Parameter(
            name=("--cut-over",),
            help="Bring everything over, compare both, and give all requests to the other side.",
        ),
    ] = False,
    give_up: Annotated[
        bool,
        Parameter(name=("--give-up",), help="Leave the data here and keep nothing of the move."),
    ] = False,
    env: Environment = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Copy the data of a resource to another place and follow its changes, until Ctrl-C or the cut-over.

    Whatever interrupts it: the same command goes on where it was. What changes meanwhile is kept, at the cost of disk.
    """
    from drystone.l35_mesh.migration.brief import Brief  # noqa: PLC0415 - only when it is used

    if cut_over and give_up:
        raise Misuse("--cut-over moves the data and --give-up leaves it: say one of them")
    require_answer(shared.folder)
    out = Terminal(json=shared.json)
    brief = Brief(
        home=str(shared.folder),
        environment=environment_of(env, shared.folder),
        service=service,
        resource=resource,
        to=await asyncio.to_thread(_read, to),
        deed="cut-over" if cut_over else "give-up" if give_up else "follow",
    )
    await _carry_out(brief, out)


async def _carry_out(brief: Brief, out: Terminal) -> None:
    """Run the program that moves data, and tell what it tells.

    Raises:
        MoveFailed: It was refused or failed; the message is its own.
    """
    from drystone.l35_mesh.migration.brief import Said  # noqa: PLC0415 - only when it is used

    told = msgspec.json.encode(brief)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "drystone.l35_mesh.migration", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None  # noqa: S101 - asked for above
    assert process.stdout is not None  # noqa: S101 - asked for above
    with first_interrupt() as interrupted:
        passing_on = asyncio.create_task(_pass_on(interrupted, process))
        try:
            process.stdin.write(told)
            process.stdin.write_eof()
            async for line in process.stdout:
                said = msgspec.json.decode(line, type=Said)
                if said.is_error:
                    raise MoveFailed(said.text)
                out.record(said)
                out.line(said.text)
        finally:
            code = await process.wait()
            passing_on.cancel()
    if code:
        raise MoveFailed(
            "the program that moves data ended without a word; the same command goes on"
        )


async def _pass_on(interrupted: asyncio.Event, process: asyncio.subprocess.Process) -> None:
    """Tell the program that somebody has had enough; it finishes what it has begun."""
    await interrupted.wait()
    if process.returncode is None:
        process.send_signal(signal.SIGINT)


def _read(to: str) -> str:
    """Return the URL, which may stand in a file.

    Raises:
        FileUnreadable: It cannot be read.
    """
    if not to.startswith("@"):
        return to
    try:
        return Path(to[1:]).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as e:
        raise FileUnreadable(f"{to[1:]} cannot be read: {e}") from e
