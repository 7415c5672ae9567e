"""What another user of the machine gets at: programs that run with his numeric id."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

NOBODY = 65534
WITHOUT_ENTRY = 54321
"""A numeric user that no file of the system knows."""

SYSTEM_PYTHON = "/usr/bin/python3"
"""One that every user may execute."""

_TRY_PATHS = """
import json, os, socket, stat, sys
got = []
for path in json.load(sys.stdin):
    try:
        kind = os.lstat(path).st_mode
    except OSError:
        continue
    try:
        if stat.S_ISDIR(kind):
            os.listdir(path)
        elif stat.S_ISSOCK(kind):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
        elif stat.S_ISREG(kind):
            open(path, "rb").close()
        else:
            continue
        got.append(path)
    except OSError:
        pass
    try:
        open(path + ("/planted" if stat.S_ISDIR(kind) else ""), "ab").close()
        got.append("written " + path)
    except OSError:
        pass
print(json.dumps(got))
"""
_TRY_PROCESSES = """
import json, os, sys
got = []
for pid in json.load(sys.stdin):
    for name in ("environ", "mem", "maps", "fd", "cwd"):
        path = f"/proc/{pid}/{name}"
        try:
            if name == "fd":
                os.listdir(path)
            elif name == "cwd":
                os.readlink(path)
            else:
                open(path, "rb").read(1)
            got.append(path)
        except OSError:
            pass
    try:
        os.kill(pid, 0)
        got.append(f"signal {pid}")
    except OSError:
        pass
print(json.dumps(got))
"""


def reached(paths: list[str], user: int) -> list[str]:
    """Return the paths that a user can list, read, connect to or (as ``written PATH``) write."""
    found: list[str] = _run(_TRY_PATHS, paths, user)
    return found


def touched(pids: list[int], user: int) -> list[str]:
    """Return what a user can learn of some processes besides their command lines, or do to them."""
    found: list[str] = _run(_TRY_PROCESSES, pids, user)
    return found


def _run(program: str, given: object, user: int) -> Any:
    done = subprocess.run(
        [SYSTEM_PYTHON, "-I", "-S", "-c", program],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        env={},
    )
    return json.loads(done.stdout)


_WATCH = """
import os, sys, time
seen = set()
while os.getppid() == int(sys.argv[1]):
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    text = file.read()
            except OSError:
                continue
            if text not in seen:
                seen.add(text)
                sys.stdout.buffer.write(text.hex().encode() + b"\\n")
                sys.stdout.buffer.flush()
    time.sleep(0.01)
"""


class CommandLines:
    """Everything that stands in any command line of the machine while the block runs, as others see it."""

    def __init__(self) -> None:
        self.text = b""

    async def __aenter__(self) -> CommandLines:
        """Begin to look."""
        self._watcher = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", _WATCH, str(os.getpid()), stdout=subprocess.PIPE
        )
        assert self._watcher.stdout is not None
        self._reading = asyncio.create_task(self._watcher.stdout.read())
        return self

    async def __aexit__(self, *_: object) -> None:
        """End and keep what was seen."""
        self._watcher.terminate()
        lines = await self._reading
        await self._watcher.wait()
        self.text = b"\n".join(bytes.fromhex(line.decode()) for line in lines.split())
