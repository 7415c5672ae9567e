from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l10_engines.runtimes import proc_table


def test_only_sockets_that_listen_count_and_only_ones_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            mine = proc_table.listening_ports([os.getpid()])
            assert port in mine
            assert client.getsockname()[1] not in mine
        assert port not in proc_table.listening_ports([os.getppid()])
    assert port not in proc_table.listening_ports([os.getpid()])


def test_a_port_of_ipv6_is_seen() -> None:
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with server:
        assert server.getsockname()[1] in proc_table.listening_ports([os.getpid()])


def test_a_programs_name_cannot_disturb_the_table(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"], env={"MARK": "yes"}) as child:
        try:
            row = proc_table.row(child.pid)
            assert row is not None
            assert (row.pid, row.parent) == (child.pid, os.getpid())
            # For a moment after the start the kernel shows no environment yet.
            while not proc_table.environment(child.pid):
                time.sleep(0.001)
            rows = proc_table.table()
            assert proc_table.carrying(rows, {"MARK": "yes"}) == {child.pid}
            assert proc_table.carrying(rows, {"MARK": "ye"}) == set()
            assert child.pid in proc_table.with_relatives(rows, {os.getpid()})
            assert proc_table.environment(child.pid) == {"MARK": "yes"}
        finally:
            child.kill()


def test_a_zombie_is_no_process() -> None:
    child = subprocess.Popen(["/bin/true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert proc_table.row(child.pid) is None
    child.wait()


def test_what_is_gone_uses_nothing() -> None:
    usage = proc_table.usage([2**22 + 1])
    assert (usage.memory, usage.cpu, usage.processes) == (0, timedelta(0), 0)
    assert proc_table.usage([os.getpid()]).memory > 1024 * 1024
