"""The services that the suite of runtimes starts, as Python source for ``python -c``.

Those that act on a signal sleep in short pieces: one that came just before ``pause()`` would not wake them.
"""

from __future__ import annotations

SERVE = """
import socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].sendall(b"hello")
"""
ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
ARGUMENTS = "import json, sys; print(json.dumps(sys.argv[1:]))"
DESCRIPTORS = """
import json, os
found = []
for number in map(int, os.listdir("/proc/self/fd")):
    try:
        os.fstat(number)
    except OSError:
        continue
    found.append(number)
print(json.dumps(sorted(found)))
"""
SLEEP = """
import signal
print("ready", flush=True)
while True:
    signal.pause()
"""
EXIT_9_ON_USR1 = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: exit(9))
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
FINISH_ON_TERM = """
import os, signal, time
def finish(*_):
    time.sleep(0.2)
    os.write(1, b"finished\\n")  # the signal may come amid the other print
    raise SystemExit(3)
signal.signal(signal.SIGTERM, finish)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
FINISH_ON_INT = """
import signal, time
def finish(*_):
    raise SystemExit(4)
signal.signal(signal.SIGINT, finish)
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
IGNORE_TERM = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
# The classic two forks with a session between them; "unmarked" also drops the environment.
DAEMON = f"""
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        environment = dict(os.environ) if sys.argv[2] == "marked" else {{}}
        os.execve(sys.executable, [sys.executable, "-c", {SERVE!r}, sys.argv[1]], environment)
    os._exit(0)
os.wait()
signal.signal(signal.SIGTERM, lambda *_: exit(0))
print("ready", flush=True)
while True:
    time.sleep(0.05)
"""
LEAVE_A_CHILD = f"""
import socket, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {SERVE!r}, sys.argv[1]])
while True:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        break
    except OSError:
        time.sleep(0.01)
"""
EAT_MEMORY = """
import time
time.sleep(0.5)  # with cgroup v1, what dies before it is watched is known by its signal alone
pieces = []
while True:
    pieces.append(bytearray(8 * 1024 * 1024))
"""
FORK = """
import os, signal, sys, time
count = 0
try:
    while count < 200:
        if os.fork() == 0:
            signal.pause()
            os._exit(0)
        count += 1
except BlockingIOError:
    pass
print("forked", count, flush=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True:
    time.sleep(0.05)
"""
# Its own relatives are not others; inside a sandbox pid 1 may be the sandbox's own.
PEEK = """
import json, os, sys
from pathlib import Path
seen = {"files": [], "environment": 0, "processes": 0, "capabilities": 0}
for name in sys.argv[2:]:
    try:
        Path(name).read_bytes()
        seen["files"].append(name)
    except OSError:
        pass
own = {os.getpid(), os.getppid(), 1}
for entry in os.listdir("/proc"):
    if entry.isdecimal() and int(entry) not in own:
        seen["processes"] += 1
        try:
            content = Path("/proc", entry, "environ").read_bytes()
            seen["environment"] += sys.argv[1].encode() in content
        except OSError:
            pass
for line in Path("/proc/self/status").read_text().splitlines():
    if line.startswith("CapEff:"):
        seen["capabilities"] = int(line.split()[1], 16)
print(json.dumps(seen))
"""
# Opens for writing and writes nothing.
OPEN_KERNEL_SETTINGS = """
import json, os
opened = []
paths = [os.path.join(folder, name) for folder, _, names in os.walk("/proc/sys/kernel") for name in names]
for path in [*paths, "/proc/sysrq-trigger", "/proc/mtrr"]:
    try:
        os.close(os.open(path, os.O_WRONLY))
        opened.append(path)
    except OSError:
        pass
print(json.dumps(opened))
"""
USE_MOUNTS = """
import sys
from pathlib import Path
volume, artefact = map(Path, sys.argv[1:])
(volume / "written").write_text((artefact / "app").read_text())
try:
    (artefact / "app").write_text("changed")
except OSError:
    print("refused")
"""
STARTER = """
import asyncio, runpy, sys
import msgspec
from pathlib import Path
from drystone.l10_engines.runtimes.port import InstanceSpec

async def start():
    runtime = runpy.run_path(sys.argv[1])[sys.argv[2]]()
    decoder = msgspec.json.Decoder(InstanceSpec, dec_hook=lambda kind, text: kind(text))
    instance = await runtime.start(decoder.decode(sys.argv[3]))
    print(instance.pid, flush=True)
    await instance.wait()

asyncio.run(start())
"""
LEAVE_NETWORK = """
import ctypes, json, os, socket
libc = ctypes.CDLL(None)
def own(kind=socket.AF_INET):
    with socket.socket(kind):
        return sorted(name for _, name in socket.if_nameindex())
def leave():
    with open("/proc/1/ns/net") as first:
        return libc.setns(first.fileno(), 0x40000000) == 0
before = own()
with open("/proc/self/ns/net") as mine:
    inode = os.fstat(mine.fileno()).st_ino
try:
    left = leave()
except OSError:
    left = False
print(json.dumps({"devices": before, "inode": inode, "left": left and own() != before}))
"""
