"""A service that wants out of its sandbox, and one that lays traps for the platform."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l00_kernel.removal import remove_tree
from drystone.l10_engines.processes.identity import PROC
from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.logs import DEFAULT_SIZE, MOST_READ, LogFile
from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.runtimes.port import Limits, Mount
from drystone.l10_engines.runtimes.system_calls import Call, filter_program
from drystone.l25_deployer.builds.folder import read_folder
from drystone.l25_deployer.errors import ArtefactRefused
from drystone.testing.bare_image import PYTHON, SHOWN, bare_image
from drystone.testing.conformance import runtime_programs as programs
from drystone.testing.conformance.runtime_bench import MEBIBYTE, Bench, Workbench, says, until
from faults.hostile_program import ATTACK, FORK_BOMB

CLONE = {"x86_64": 56, "aarch64": 220}[platform.machine()]
KERNEL = ["kcore", "keys", "kmsg", "kpageflags", "sched_debug", "timer_list", "vmallocinfo"]


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """An image without programs, which come from the host's folders."""
    with bare_image() as name:
        yield name


@pytest.fixture(params=["bubblewrap", "podman"])
async def work(request: pytest.FixtureRequest) -> AsyncIterator[Workbench]:
    runtime = {"bubblewrap": Bubblewrap, "podman": Podman}[request.param]
    if (reason := await runtime().available()) is not None:
        pytest.skip(reason)
    found = None
    if request.param == "podman":
        found = await Podman().resolve_image(request.getfixturevalue("image"))
    bench = Bench(
        factory=runtime,
        python=str(PYTHON) if found else sys.executable,
        watchers=lambda _: [],
        own_variables=frozenset(),
        image=found,
        mounts=tuple(Mount(path, str(path), read_only=True) for path in SHOWN) if found else (),
    )
    root = Path(tempfile.mkdtemp(prefix="drystone-hostile-", dir="/tmp"))
    work = Workbench(bench, root)
    try:
        yield work
        await work.close()
    finally:
        shutil.rmtree(root)


async def test_a_hostile_service_gets_nowhere(work: Workbench) -> None:
    """All attempts at once: they are many, and a sandbox takes a while to make."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(work.root / "agent.sock"))
    listener.listen()
    volume, own, code = (work.root / name for name in ("volume-of-other", "own", "code"))
    for folder in (volume, own, code):
        folder.mkdir()
    (volume / "data").write_text("private")
    other = await work.start(
        work.program(
            programs.SLEEP,
            name="other",
            environment={"TOKEN": "s3cret"},
            mounts=(*work.bench.mounts, Mount(volume, str(volume))),
        )
    )
    await until(says(other, "ready"))
    calls = {call.name: number_of(call) for call in Call}
    closed = ["/etc", "/usr", "/usr/bin", "/sys", "/sys/fs/cgroup", "/proc", str(code)]
    given = {
        "hidden": [
            *(str(path) for path in (work.root / "agent.sock", volume, volume / "data")),
            *(str(path) for path in (other.state, other.log, other.state / "instance.json")),
            *("/etc/shadow", str(Path.home() / ".profile"), "/run/systemd", "/var/log", "/boot"),
        ],
        "closed": closed,
        "name": work.label,
        "kernel": [str(PROC / name) for name in KERNEL],
        "pids": [other.pid, os.getpid()],
        "calls": {name: both for name, both in calls.items() if both[0] is not None},
        "clone": CLONE,
    }
    mounts = (
        *work.bench.mounts,
        Mount(own, str(own)),
        Mount(code, str(code), read_only=True),
    )
    instance = await work.start(
        work.program(ATTACK, json.dumps(given), name="hostile", mounts=mounts)
    )
    try:
        assert (await instance.wait()).is_success, instance.log.read_text()
    finally:
        listener.close()
    assert empty_in_containers(json.loads(instance.log.read_text()), work) == []
    assert [path for path in closed if Path(path, work.label).exists()] == []
    assert work.runtime.isolation().calls


def number_of(call: Call) -> tuple[int | None, int]:
    number = call.x86_64 if platform.machine() == "x86_64" else call.aarch64
    return number, call.error


def empty_in_containers(got: list[str], work: Workbench) -> list[str]:
    """Leave out folders that exist in an image and are its own, and files that podman masks by an empty one."""
    if work.bench.image is None:
        return got
    private = ("read /root", "read /var/log", "read /run", "read /boot")
    masked = tuple(f"open {PROC / name}" for name in KERNEL)
    return [one for one in got if not one.startswith((*private, *masked))]


async def test_a_fork_bomb_stays_in_its_sandbox_and_ends_with_it(work: Workbench) -> None:
    if not work.runtime.isolation().pids:
        pytest.skip("this machine enforces no limit of processes")
    limits = Limits(memory=128 * MEBIBYTE, cpu=0.3, pids=24)
    instance = await work.start(work.program(FORK_BOMB, limits=limits))
    await until(says(instance, "begun"))
    await until(lambda: len(instance.processes()) >= 12)
    for _ in range(20):
        assert (
            len(instance.processes()) <= 24 + 3
        )  # those of the sandbox itself are outside the group
        await asyncio.sleep(0.01)
    await instance.stop(grace=timedelta(0))
    assert instance.processes() == []


LENGTHEN = """
import os
print("before", flush=True)
os.ftruncate(1, 2**42)
print("\\nafter", flush=True)
"""


async def test_a_log_that_its_writer_made_huge_can_be_read_and_is_bounded(work: Workbench) -> None:
    instance = await work.start(work.program(LENGTHEN))
    await instance.wait()
    assert instance.log.stat().st_size > 2**42
    log = LogFile(instance.log)
    assert (await asyncio.to_thread(log.tail, 5))[-1].text.endswith("after")
    first, end = log.span()
    assert end - first <= MOST_READ
    await asyncio.to_thread(log.bound)
    assert instance.log.stat().st_blocks * 512 < 2 * DEFAULT_SIZE
    assert (await asyncio.to_thread(log.tail, 5))[-1].text.endswith("after")


def test_a_folder_with_traps_is_refused_before_anything_is_copied(tmp_path: Path) -> None:
    for number, trap in enumerate((deep, pipe, device, sparse, odd_name)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "file").write_text("")
        trap(folder)
        with pytest.raises(ArtefactRefused):
            read_folder(folder)
        remove_tree(folder)
    assert list(tmp_path.iterdir()) == []


def deep(folder: Path) -> None:
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


def device(folder: Path) -> None:
    (folder / "null").symlink_to("/dev/zero")


def sparse(folder: Path) -> None:
    with (folder / "huge").open("wb") as file:
        file.truncate(2**40)


def odd_name(folder: Path) -> None:
    (folder / os.fsdecode(b"\xff")).write_text("")


def test_machines_whose_calls_are_not_known_get_no_filter() -> None:
    assert filter_program("riscv64") is None


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_filter_ends_with_a_decision_on_every_way(machine: str) -> None:
    """The kernel refuses programs that jump behind their end; this finds it for both kinds of machine."""
    program = filter_program(machine)
    assert program is not None
    steps = [program[place : place + 8] for place in range(0, len(program), 8)]
    for place, step in enumerate(steps):
        code, yes, no = int.from_bytes(step[:2], sys.byteorder), step[2], step[3]
        if code & 7 == 5:
            assert place + 1 + max(yes, no) < len(steps)
    assert int.from_bytes(steps[-1][:2], sys.byteorder) == 6
    assert len(steps) < 4096


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_a_filter_decides_as_its_table_says(machine: str) -> None:
    program = filter_program(machine)
    assert program is not None
    for call in Call:
        number = call.x86_64 if machine == "x86_64" else call.aarch64
        if number is not None:
            assert decide(program, machine, number) == 0x50000 | call.error, call
    allow, clone = 0x7FFF0000, {"x86_64": 56, "aarch64": 220}[machine]
    read, sock = {"x86_64": (0, 41), "aarch64": (63, 198)}[machine]
    assert decide(program, machine, read) == allow
    assert decide(program, machine, clone, 17) == allow
    assert decide(program, machine, clone, 0x10000011) == 0x50000 | errno.EPERM
    assert decide(program, machine, sock, 2) == allow
    assert decide(program, machine, sock, 38) == 0x50000 | errno.EAFNOSUPPORT
    assert decide(program, "another", read) == 0x50000 | errno.ENOSYS


def decide(program: bytes, machine: str, number: int, first: int = 0, second: int = 0) -> int:
    """Run a filter as the kernel does, on the data of one call."""
    words = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
    data = {0: number, 4: words.get(machine, 1), 16: first, 24: second}
    place, value = 0, 0
    while True:
        step = program[place * 8 : place * 8 + 8]
        code, yes, no = int.from_bytes(step[:2], sys.byteorder), step[2], step[3]
        k = int.from_bytes(step[4:], sys.byteorder)
        place += 1
        if code == 0x20:
            value = data[k]
        elif code == 0x06:
            return k
        else:
            holds = {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code]
            place += yes if holds else no
