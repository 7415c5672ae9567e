"""What a service does that wants out: source for ``python -c``, which prints as JSON all that succeeded."""

from __future__ import annotations

ATTACK = """
import ctypes, errno, json, os, signal, socket, sys
given = json.loads(sys.argv[1])
got = []
libc = ctypes.CDLL(None, use_errno=True)

def attempt(name, work):
    try:
        work()
        got.append(name)
    except OSError:
        pass

def enter(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)

for path in given["hidden"]:
    attempt("read " + path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
    attempt("connect " + path, lambda: enter(path))
    attempt("write " + path, lambda: os.close(os.open(path, os.O_WRONLY)))
for folder in given["closed"]:
    try:
        open(folder + "/" + given["name"], "wb").close()  # the caller looks for it outside
    except OSError:
        pass
for path in given["kernel"]:
    attempt("open " + path, lambda: open(path, "rb").read(1))
attempt("write /proc/sys", lambda: open("/proc/sys/kernel/domainname", "w").close())
attempt("write a device", lambda: os.close(os.open("/dev/kmsg", os.O_WRONLY)))
attempt("make a device", lambda: os.mknod("/tmp/d", 0o20666, os.makedev(1, 1)))
attempt("raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close())
attempt("packet socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
for pid in given["pids"]:
    attempt(f"signal {pid}", lambda: os.kill(pid, 0))
own = {os.getpid(), os.getppid(), 1}
got += ["sees process " + n for n in os.listdir("/proc") if n.isdecimal() and int(n) not in own]

# The errors that a filter gives; a call that reached the kernel's own code mostly fails in another way.
for name, (number, error) in given["calls"].items():
    ctypes.set_errno(0)
    result = libc.syscall(number, 0, 0, 0, 0, 0, 0)
    if result != -1 or ctypes.get_errno() != error:
        got.append(f"call {name}: {result} {errno.errorcode.get(ctypes.get_errno())}")
for flag in (0x00020000, 0x10000000, 0x40000000):
    child = libc.syscall(given["clone"], flag | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(0)
    if child != -1:
        got.append(f"namespace {flag:#x}")
        os.waitpid(child, 0)
lines = [line.split() for line in open("/proc/self/status") if ":" in line]
status = {line[0][:-1]: line[1] for line in lines if len(line) > 1}
for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):  # without new rights the bounding set grants none
    if int(status[name], 16):
        got.append(f"{name} {status[name]}")
if status["NoNewPrivs"] != "1" or status["Seccomp"] != "2":
    got.append("may gain rights: " + str((status["NoNewPrivs"], status["Seccomp"])))

# What every program needs still works.
import subprocess, tempfile, threading
subprocess.run([sys.executable, "-S", "-c", ""], check=True)
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
tempfile.TemporaryFile().close()
socket.create_server(("127.0.0.1", 0)).close()
socket.if_nameindex()
print(json.dumps(got), flush=True)
"""

FORK_BOMB = """
import os, time
print("begun", flush=True)
end = time.monotonic() + 20
while time.monotonic() < end:
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
    except OSError:
        time.sleep(0.01)
"""
"""Doubles itself and leaves its parents, for at most 20 seconds."""
