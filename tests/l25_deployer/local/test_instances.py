from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from typing_extensions import override

from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.shortage import DiskFull
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.runtimes.port import Instance, InstanceSpec
from drystone.l10_engines.runtimes.processes import Processes
from drystone.l25_deployer.local.instances import Blueprint, KeptInstance, State
from l25_deployer.local.small_instances import (
    Changes,
    FailingProcesses,
    blueprint,
    impatient,
)
from l25_deployer.small_platform import SERVER, until

Keep = Callable[..., KeptInstance]

SILENT_AFTER_A_WHILE = """
import os, signal, socket, sys, threading
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
mute = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: mute.set())
while True:
    connection, _ = listening.accept()
    if mute.is_set():
        threading.Event().wait()
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
    connection.close()
"""
IDLE = "import time\nprint('idle', flush=True)\ntime.sleep(3600)"
STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"no\\n"))
print("up", flush=True)
while True: time.sleep(3600)
"""


@pytest_asyncio.fixture
async def keep() -> AsyncIterator[Keep]:
    """Make kept instances; all of them are ended when the test is over."""
    made: list[KeptInstance] = []

    def make(
        what: Blueprint, runtime: Processes | None = None, changes: Changes | None = None
    ) -> KeptInstance:
        made.append(KeptInstance(what, runtime or Processes(), changes or Changes()))
        return made[-1]

    yield make
    for one in made:
        await one.find()
        await one.end()


async def becomes(one: KeptInstance, state: State) -> None:
    await until(lambda: one.state is state, f"{state} (it is {one.state}, {one.last_problem})")


async def test_an_instance_is_healthy_once_it_answers_at_its_port(
    keep: Keep, tmp_path: Path
) -> None:
    changes = Changes()
    one = keep(blueprint(tmp_path), changes=changes)

    adopted = await one.begin()
    await becomes(one, State.HEALTHY)

    assert not adopted
    assert one.takes_traffic
    assert one.listening_ports() == [one.blueprint.port]
    assert changes.states() == ["starting", "healthy"]
    assert one.pid is not None
    assert one.restarts == 0


async def test_a_worker_without_a_health_check_is_healthy_when_it_goes_on_running(
    keep: Keep, tmp_path: Path
) -> None:
    one = keep(blueprint(tmp_path, IDLE, serves=False))

    await one.begin()
    await becomes(one, State.HEALTHY)

    assert not one.takes_traffic, "nobody can send it requests"


async def test_an_instance_that_ends_by_itself_is_started_again_after_growing_pauses(
    keep: Keep, tmp_path: Path
) -> None:
    changes = Changes()
    one = keep(blueprint(tmp_path, "import sys; sys.exit(7)"), changes=changes)

    await one.begin()
    await until(lambda: one.restarts >= 3, "three restarts")

    pauses = [text for state, text in changes.told if state == "backing-off"]
    assert pauses[:3] == [
        f"ended with exit code 7; next start in {pause} s" for pause in ("0.1", "0.2", "0.4")
    ]
    assert one.last_exit is not None
    assert one.last_exit.code == 7


async def test_a_server_of_somebody_else_does_not_pass_for_the_instance(
    keep: Keep, tmp_path: Path
) -> None:
    one = keep(blueprint(tmp_path, IDLE))
    assert one.blueprint.port is not None

    await one.begin()
    stranger = await asyncio.start_server(_answer, "127.0.0.1", one.blueprint.port)
    async with stranger:
        await until(
            lambda: one.last_probe and "another program" in one.last_probe.text, "the warning"
        )

        assert one.state is State.STARTING
        assert not one.takes_traffic


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()
    await writer.wait_closed()


async def test_an_instance_does_not_start_while_its_port_is_taken(
    keep: Keep, tmp_path: Path
) -> None:
    port = free_port()
    one = keep(blueprint(tmp_path, port=port))

    stranger = await asyncio.start_server(_answer, "127.0.0.1", port)
    async with stranger:
        with pytest.raises(PlatformError, match=f"port {port}, which one was given, is taken"):
            await one.begin()

    assert one.pid is None


async def test_an_instance_that_comes_back_to_a_taken_port_waits_for_it(
    keep: Keep, tmp_path: Path
) -> None:
    one = keep(blueprint(tmp_path))
    await one.begin()
    await becomes(one, State.HEALTHY)
    assert one.pid is not None

    os.kill(one.pid, signal.SIGKILL)
    await becomes(one, State.BACKING_OFF)
    stranger = await asyncio.start_server(_answer, "127.0.0.1", one.blueprint.port)
    async with stranger:
        await until(lambda: "taken by another program" in one.last_problem, "the reason")
    await becomes(one, State.HEALTHY)

    assert one.last_exit is not None
    assert one.last_exit.signal == signal.SIGKILL


async def test_an_instance_that_no_longer_answers_is_unhealthy_and_then_replaced(
    keep: Keep, tmp_path: Path
) -> None:
    changes = Changes()
    one = keep(
        impatient(
            blueprint(tmp_path, SILENT_AFTER_A_WHILE),
            timeout=timedelta(milliseconds=100),
            grace=timedelta(seconds=1),
        ),
        changes=changes,
    )
    await one.begin()
    await becomes(one, State.HEALTHY)
    first = one.pid
    assert first is not None

    os.kill(first, signal.SIGUSR1)
    await until(lambda: "unhealthy" in changes.states(), "unhealthy")
    assert not one.takes_traffic or one.pid != first
    await until(lambda: one.restarts == 1 and one.state is State.HEALTHY, "a healthy successor")

    assert one.pid != first
    assert changes.states() == [
        *("starting", "healthy", "unhealthy", "backing-off", "starting", "healthy")
    ]
    assert "did not become well again" in dict(changes.told[3:4])["backing-off"]


async def test_one_bad_answer_is_no_reason_to_take_the_traffic_away(
    keep: Keep, tmp_path: Path
) -> None:
    every_second = SERVER.replace("while True:\n", "n = 0\nwhile True:\n    n += 1\n", 1).replace(
        'f"HTTP/1.1 {status}', 'f"HTTP/1.1 {status if n % 2 else 500}'
    )
    changes = Changes()
    one = keep(blueprint(tmp_path, every_second), changes=changes)
    await one.begin()
    await becomes(one, State.HEALTHY)

    for _ in range(6):
        await one.until_changed()

    assert changes.states() == ["starting", "healthy"]


async def test_another_agent_adopts_the_same_process(keep: Keep, tmp_path: Path) -> None:
    what = blueprint(tmp_path)
    first = keep(what)
    await first.begin()
    await becomes(first, State.HEALTHY)
    await first.leave()

    second = keep(what)
    adopted = await second.begin()
    await becomes(second, State.HEALTHY)

    assert adopted
    assert second.pid == first.pid
    assert second.restarts == 0


async def test_an_adopted_instance_that_dies_is_started_again(keep: Keep, tmp_path: Path) -> None:
    what = blueprint(tmp_path)
    first = keep(what)
    await first.begin()
    await first.leave()
    second = keep(what)
    assert await second.find()
    await becomes(second, State.HEALTHY)
    before = second.pid
    assert before is not None

    os.kill(before, signal.SIGKILL)
    await until(lambda: second.restarts == 1 and second.state is State.HEALTHY, "back again")

    assert second.pid not in {None, before}


async def test_there_is_nothing_to_find_where_nothing_was_started(
    keep: Keep, tmp_path: Path
) -> None:
    one = keep(blueprint(tmp_path))

    assert not await one.find()

    assert one.state is State.STOPPED


async def test_a_start_that_the_agent_did_not_live_to_record_does_not_keep_the_port(
    keep: Keep, tmp_path: Path
) -> None:
    what = blueprint(tmp_path)
    first = keep(what)
    await first.begin()
    await becomes(first, State.HEALTHY)
    before = first.pid
    await first.leave()
    (tmp_path / "one/instance.json").unlink()  # as if the agent had died before it was written

    second = keep(what)
    adopted = await second.begin()
    await becomes(second, State.HEALTHY)

    assert not adopted
    assert before is not None
    assert not Path(f"/proc/{before}/exe").exists()


async def test_the_end_lets_an_instance_finish_within_its_grace(keep: Keep, tmp_path: Path) -> None:
    polite = "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\nprint('up', flush=True)\ntime.sleep(3600)"
    one = keep(blueprint(tmp_path, polite, serves=False))
    await one.begin()
    await until(lambda: (tmp_path / "one/log").read_text() == "up\n", "its first words")

    await one.end()

    assert one.state is State.STOPPED
    assert one.pid is None
    assert one.last_exit is not None
    assert one.last_exit.code == 3


async def test_the_end_kills_what_does_not_listen(keep: Keep, tmp_path: Path) -> None:
    what = blueprint(tmp_path, STUBBORN, serves=False)
    what = Blueprint(
        what.group,
        what.spec,
        None,
        None,
        type(what.stop)(timedelta(0), timedelta(milliseconds=100), "TERM"),
    )
    one = keep(what)
    await one.begin()
    await until(lambda: (tmp_path / "one/log").read_text() == "up\n", "its first words")

    await one.end()

    assert one.last_exit is not None
    assert one.last_exit.signal == signal.SIGKILL
    assert "up\nno\n" in (tmp_path / "one/log").read_text(), "it was asked first"


async def test_an_ended_instance_is_not_started_again(keep: Keep, tmp_path: Path) -> None:
    runtime = FailingProcesses()
    one = keep(blueprint(tmp_path), runtime)
    await one.begin()
    await becomes(one, State.HEALTHY)

    await one.end()
    assert await runtime.strays(one.blueprint.spec.home_label, frozenset()) == []

    assert runtime.started == ["one"]
    assert one.state is State.STOPPED


async def test_a_start_that_is_given_up_half_way_leaves_no_process(
    keep: Keep, tmp_path: Path
) -> None:
    runtime = FailingProcesses(pause=timedelta(milliseconds=300))
    one = keep(blueprint(tmp_path), runtime)
    beginning = asyncio.create_task(one.begin())
    await until(lambda: runtime.started, "a process")

    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning

    assert await runtime.strays(one.blueprint.spec.home_label, frozenset()) == []


async def test_the_keeper_of_an_instance_goes_on_when_a_restart_fails(
    keep: Keep, tmp_path: Path
) -> None:
    runtime = FailingProcesses()
    one = keep(blueprint(tmp_path), runtime)
    await one.begin()
    await becomes(one, State.HEALTHY)
    assert one.pid is not None

    runtime.refused = ("one",)
    os.kill(one.pid, signal.SIGKILL)
    await until(lambda: "refused by the test" in one.last_problem, "the refusal")
    runtime.refused = ()

    await becomes(one, State.HEALTHY)
    assert one.restarts >= 2


class FullOnce(Processes):
    """A runtime that finds the disk full until somebody makes room."""

    has_room = False

    @override
    async def start(self, spec: InstanceSpec) -> Instance:
        if not self.has_room:
            raise DiskFull("full")
        return await super().start(spec)

    def make_room(self) -> bool:
        """Make room, if nobody has yet."""
        made, self.has_room = not self.has_room, True
        return made


async def test_an_instance_that_finds_no_room_for_its_records_starts_in_the_room_that_is_made(
    tmp_path: Path,
) -> None:
    runtime = FullOnce()
    one = KeptInstance(blueprint(tmp_path), runtime, Changes(), make_room=runtime.make_room)
    try:
        await one.begin()
        await becomes(one, State.HEALTHY)
    finally:
        await one.end()


async def test_an_instance_for_which_no_room_can_be_made_says_so(
    keep: Keep, tmp_path: Path
) -> None:
    with pytest.raises(DiskFull, match="full"):
        await keep(blueprint(tmp_path), FullOnce()).begin()
