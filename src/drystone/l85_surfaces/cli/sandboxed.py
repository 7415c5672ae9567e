"""Bring a sandbox up as ``drystone sandbox`` does, look after it, and take it down."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from typing_extensions import override

from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import PREFIX
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.processes.identity import ProcessId, is_alive, send
from drystone.l10_engines.processes.spawn import spawn
from drystone.l85_surfaces.cli.bringing_up import bring_up
from drystone.l85_surfaces.cli.configuration import write_settings
from drystone.l85_surfaces.cli.errors import Interrupted, StartFailed
from drystone.l85_surfaces.cli.interrupts import first_interrupt
from drystone.l85_surfaces.cli.options import Shared
from drystone.l85_surfaces.cli.reach import answers, client, is_kept, settings_of, traffic_migration
from drystone.l85_surfaces.cli.stopping import stop_platform
from drystone.l85_surfaces.cli.terminal import Style, Terminal, remark
from drystone.l85_surfaces.cli.views.times import taken
from drystone.l85_surfaces.sandbox import sandbox_file
from drystone.l85_surfaces.sandbox.choices import Choice, Wish, choose, wish_of
from drystone.l85_surfaces.sandbox.errors import NoSandbox, SandboxIncomplete
from drystone.l85_surfaces.sandbox.places import Place, Plan, home_for
from drystone.l85_surfaces.sandbox.running import Came, Running
from drystone.l85_surfaces.sandbox.stand_ins import document_of
from drystone.l85_surfaces.sandbox.watching import Look, looked, watched
from drystone.l85_surfaces.sandbox.workspace import LOCAL, Member, Workspace, workspace

ATTENDANT = "drystone.l90_assembly.sandbox_program"
"""Module of the process that serves the dashboard; started by name, since it stands above this layer."""
ATTENDANT_LIMIT_S = 30.0
GLANCE_S = 0.05


class Wanted:
    """What somebody wants of a sandbox, before anything is touched.

    Args:
        places: Folders and descriptors.
        wishes: As ``--with`` has them.
        shared: Options of every command.

    Raises:
        PlatformError: Nothing is described there, or it cannot be served that way.
    """

    def __init__(self, places: Sequence[str], wishes: Sequence[str], shared: Shared) -> None:
        self.workspace: Workspace = workspace(places)
        base = self.workspace.base
        said: dict[str, Wish] = {**sandbox_file.wishes(base), **dict(map(wish_of, wishes))}
        self.choices: tuple[Choice, ...] = choose(self.workspace, said, self._document)
        self.place = place_of(places, shared, base)

    def _document(self, name: str, near: Sequence[Member]) -> Path | None:
        return document_of(self.workspace.base, name, near)

    def members(self) -> dict[str, Member]:
        """Return the services that are run for real, by name."""
        real = [one.name for one in self.choices if one.way == "real"]
        return {name: self.workspace.members[name] for name in real}

    def plan(self) -> Plan:
        """Return what is remembered of it."""
        real = self.members().values()
        return Plan(
            choices=self.choices,
            resources={one.name: dict(one.resources) for one in real},
            variables={one.name: list(one.variables) for one in real},
            since=datetime.now(UTC),
        )


def place_of(places: Sequence[str], shared: Shared, base: Path | None = None) -> Place:
    """Return where the sandbox of some services lives, whether there is one or not."""
    if shared.home is not None:
        return Place(shared.folder)
    found = base or workspace(places).base
    return Place(home_for(found, os.environ, is_root=os.geteuid() == 0))


def leave_settings_of_others() -> None:
    """Forget variables that override settings: they are meant for the real platform, and could lead to its databases."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]


async def bring_sandbox_up(wanted: Wanted, out: Terminal, *, detach: bool, watch: bool) -> int:
    """Bring a sandbox up and, unless detached, look after it until Ctrl-C takes it down.

    Args:
        wanted: What it is made of.
        out: Where to show it.
        detach: Return when it is up, and leave it running.
        watch: Bring services up again when their files change.

    Returns:
        The exit code.

    Raises:
        SandboxIncomplete: Some services did not come up, and it is detached; the others run on.
        Interrupted: Ctrl-C was pressed before it was up.
        PlatformError: The platform did not come up.
    """
    began = time.monotonic()
    place = wanted.place
    looks = looked(wanted.members()) if watch else {}
    try:
        await _platform(place, wanted.workspace.base, out)
    except Interrupted:
        if not detach:
            await _until_it_can_be_told(place)
            await take_down(place, out)
        raise
    with first_interrupt() as pressed:
        attendant = await _attended(place, detach=detach)
        working = asyncio.create_task(_serve(wanted, out, began, stays=not detach))
        waiting = asyncio.create_task(pressed.wait())
        ending = asyncio.create_task(_until_ended(attendant))
        try:
            await asyncio.wait({working, waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if working.done() and not waiting.done():
                await working
                if detach:
                    return 0
                if not attendant.is_mine:
                    remark("another terminal looks after this sandbox; it goes on there")
                    return 0
                working = asyncio.create_task(_watch(wanted, out, looks) if watch else _forever())
                await asyncio.wait({working, waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if detach:
                raise Interrupted("left; what came up goes on: `drystone sandbox down` ends it")
        finally:
            for task in (working, waiting, ending):
                task.cancel()
            await asyncio.wait({working, waiting, ending})
        if attendant.is_mine:
            if not ending.done() or ending.cancelled():
                remark("taking the sandbox down; its data stays")
            await take_down(place, out)
    return 0


async def take_down(place: Place, out: Terminal) -> bool:
    """Stop a sandbox: the dashboard, every service and every engine; data stays.

    Returns:
        Whether anything ran.
    """
    attendant = place.attendant()
    if attendant is not None:
        send(attendant.process, signal.SIGTERM)
    if answers(place.home):
        await stop_platform(place.home, _Quiet(out))
        return True
    return attendant is not None


def require_up(place: Place) -> set[str]:
    """Make sure that a sandbox is up, and return the names of the services that are real in it.

    Raises:
        NoSandbox: There is none, or it is down.
    """
    name = place.require().name
    plan = place.plan()
    if plan is None or not answers(place.home):
        raise NoSandbox(f"the sandbox {name} is down; start it with `drystone sandbox`")
    return {one.name for one in plan.choices if one.way == "real"}


class _Attended:
    """The process that serves the dashboard, and whether it ends with this one."""

    def __init__(self, process: ProcessId, lifeline: int | None) -> None:
        self.process = process
        self.is_mine = lifeline is not None
        self._lifeline = lifeline  # stays open as long as this process lives


async def _platform(place: Place, base: Path, out: Terminal) -> None:
    """Bring the platform of a sandbox up; one that an earlier sandbox left behind goes on."""
    place.claim(base)
    wanted: dict[str, str | int] = {}
    if not answers(place.home) and not is_kept(place.home):
        settings = settings_of(place.home)
        if "port" not in settings.sources or not _is_free(settings.port):
            wanted["port"] = free_port()
        write_settings(Home(place.home).settings_file, {"default_environment": LOCAL})
    await bring_up(place.home, wanted, _Quiet(out), detach=True)


class _Quiet(Terminal):
    """Shows nothing of the platform's own parts to people: whoever starts a sandbox asks for services."""

    def __init__(self, out: Terminal) -> None:
        super().__init__(json=out.json)
        self.live = False

    @override
    def line(self, text: str = "") -> None:
        """Leave it out."""


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _attended(place: Place, *, detach: bool) -> _Attended:
    """Start what serves the dashboard, or find it."""
    running = place.attendant()
    if running is not None and (detach or running.is_attached):
        return _Attended(running.process, None)
    if running is not None:  # left behind by --detach: from now on it belongs to this terminal
        send(running.process, signal.SIGTERM)
        while is_alive(running.process):  # noqa: ASYNC110 - another process
            await asyncio.sleep(GLANCE_S)
    command = [sys.executable, "-P", "-m", ATTENDANT, "--home", str(place.home)]
    log = place.home / "run/sandbox.log"
    if detach:
        process, lifeline = spawn(command, output=log), None
    else:
        its, lifeline = os.pipe()
        process = spawn([*command, "--lifeline", str(its)], output=log, hand_over=[its])
        os.close(its)
    end = time.monotonic() + ATTENDANT_LIMIT_S
    while (found := place.attendant()) is None or found.process != process:
        if not is_alive(process) or time.monotonic() > end:
            raise StartFailed(f"the dashboard of the sandbox does not come up; see {log}")
        await asyncio.sleep(GLANCE_S)
    return _Attended(process, lifeline)


async def _serve(wanted: Wanted, out: Terminal, began: float, *, stays: bool) -> None:
    """Bring the services up and say where they are."""
    place = wanted.place
    place.keep(wanted.plan())
    async with client(place.home) as api, traffic_migration(place.home) as migrations:
        running = Running(api, migrations, place, teller(out))
        try:
            await running.bring_up(wanted.workspace, wanted.choices)
        except SandboxIncomplete as e:
            if not stays:
                raise
            remark(
                f"{out.paint('error:', Style.BAD)} {e.message}\nthe rest runs; mend it, or press Ctrl-C"
            )
            return
    for one in wanted.choices:
        if one.way == "absent":
            out.line(f"- {one.name}  absent  {one.why}; needed by {', '.join(one.needed_by)}")
    word = out.paint("ready", Style.GOOD)
    out.line(f"{word} in {taken(time.monotonic() - began)}   {place.dashboard() or ''}")
    out.record({"state": "ready", "dashboard": place.dashboard()})
    if stays:
        out.line("Ctrl-C takes the sandbox down; its data stays")


def teller(out: Terminal) -> Callable[[Came], None]:
    """Return what shows what becomes of each service."""
    signs: Mapping[str, tuple[str, Style]] = {
        "up": ("✓", Style.GOOD),
        "unchanged": ("✓", Style.GOOD),
        "removed": ("-", Style.QUIET),
        "failed": ("✗", Style.BAD),
    }

    def tell(one: Came) -> None:
        out.record(one)
        if one.state in signs:
            sign, style = signs[one.state]
            length = "" if one.seconds is None else taken(one.seconds)
            said = one.text if one.state != "removed" else "taken away; its data stays"
            out.line(
                f"{out.paint(sign, style)} {one.service}  {one.way}  {length}  {said}".rstrip()
            )

    return tell


async def _watch(wanted: Wanted, out: Terminal, looks: Mapping[str, Look]) -> None:
    async with client(wanted.place.home) as api, traffic_migration(wanted.place.home) as moves:
        running = Running(api, moves, wanted.place, teller(out))
        out.line("watching the folders of the services")
        await watched(wanted.members(), running, looks)


async def _until_it_can_be_told(place: Place) -> None:
    """Wait until the agent that was started answers, or nobody keeps it."""
    while is_kept(place.home) and not answers(place.home):  # noqa: ASYNC110 - another process
        await asyncio.sleep(GLANCE_S)


async def _forever() -> None:
    await asyncio.Event().wait()


async def _until_ended(attendant: _Attended) -> None:
    """Wait until somebody else has taken the sandbox down."""
    while is_alive(attendant.process):  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.5)


def remove_home(home: Path) -> None:
    """Remove all that a sandbox has kept."""
    import shutil  # noqa: PLC0415 - for this alone

    sockets = Home(home).agent_socket.parent  # elsewhere, where the home's path is long
    with suppress(FileNotFoundError):
        shutil.rmtree(home)
    if not sockets.is_relative_to(home):
        shutil.rmtree(sockets, ignore_errors=True)
