"""What somebody tries who wants out, with the standard library alone.

``python -c <this> ATTEMPTS`` takes attempts as JSON, ``[[kind, argument …], …]``, and prints what became of each, as JSON:
``answered``, with what was said; ``refused``, with how; ``silence``, when nothing came for ten seconds.
"""

from __future__ import annotations

import ctypes
import errno
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 10.0
STAND_IN = b"stand-in"
NEW_NETWORK = 0x40000000
OWN = Path("/proc/self/ns/net")


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def tcp(host: str, port: int) -> str:
    """Ask by HTTP, in words that any server answers."""
    with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: " + host.encode() + b"\r\n\r\n")
        return judged(connection.recv(65536))


def silent(host: str, port: int) -> str:
    """Connect and say nothing: some servers speak first."""
    with socket.create_connection((host, port), timeout=PATIENCE_S) as connection:
        return judged(connection.recv(65536))


def judged(said: bytes) -> str:
    if STAND_IN in said:
        return "answered " + said.decode(errors="replace").splitlines()[-1]
    return "refused " + (said[:40].decode(errors="replace").splitlines() or ["closed"])[0]


def udp(host: str, port: int) -> str:
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as one:
        one.settimeout(PATIENCE_S)
        one.connect((host, port))
        one.send(b"hello?")
        return judged(one.recv(65536))


def dns(server: str, name: str) -> str:
    """Ask a server for a name's address (RFC 1035 section 4)."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    question = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + struct.pack(">BHH", 0, 1, 1)
    with socket.socket(family_of(server), socket.SOCK_DGRAM) as one:
        one.settimeout(PATIENCE_S)
        one.connect((server, 53))
        one.send(question)
        said = one.recv(65536)
    code, answers = said[3] & 15, struct.unpack_from(">H", said, 6)[0]
    return f"answered {socket.inet_ntoa(said[-4:])}" if answers else f"refused {code}"


def named(name: str, port: int) -> str:
    """Reach a host as a program does that knows its name alone."""
    return tcp(socket.gethostbyname(name), port)


def ping(host: str) -> str:
    number = 58 if ":" in host else 1
    kind = 128 if ":" in host else 8
    packet = struct.pack(">BBHHH", kind, 0, 0, 1, 1)
    if number == 1:
        packet = struct.pack(">BBHHH", kind, 0, 0xFFFF - (kind << 8) - 2, 1, 1)
    with socket.socket(family_of(host), socket.SOCK_RAW, number) as one:
        one.settimeout(PATIENCE_S)
        one.sendto(packet, (host, 0))
        one.recv(65536)
    return "answered"


def raw(host: str) -> str:
    """Send a packet that names its own protocol."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, 253) as one:
        one.sendto(b"anything", (host, 0))
    return "answered sent"


def frames() -> str:
    """Write to a device, below all addresses."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as one:
        devices = [name for _, name in socket.if_nameindex() if name != "lo"]
        one.bind((devices[0] if devices else "lo", 0))
        one.send(bytes(64))
    return f"answered {devices}"


def unix(path: str) -> str:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(PATIENCE_S)
        one.connect("\0" + path[1:] if path.startswith("@") else path)
        one.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return judged(one.recv(65536))


def call(number: int, what: str) -> str:
    if number != 0:
        raise OSError(ctypes.get_errno(), what)
    return f"answered {what}"


def enter(path: str) -> str:
    """Go to the network of somebody else."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(path).open() as other:
        before = OWN.readlink()
        call(libc.setns(other.fileno(), NEW_NETWORK), "setns")
    return "refused same" if OWN.readlink() == before else "answered entered"


def unshare(flags: int) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    return call(libc.unshare(flags), "unshare")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE_S)
    reason = done.stderr.decode(errors="replace").strip().splitlines()[:1]
    return f"refused {reason}" if done.returncode else "answered done"


def write(path: str, text: str) -> str:
    with Path(path).open("w") as file:
        file.write(text)
    return "answered written"


def seen(path: str, needle: str) -> str:
    """Look for a port or name of others in what the kernel shows."""
    return "answered" if needle in Path(path).read_text() else "refused unseen"


KINDS: dict[str, Callable[..., str]] = {
    one.__name__: one
    for one in (tcp, silent, udp, dns, named, ping, raw, frames, unix, enter, unshare, run, write)
} | {"seen": seen}


def outcome(kind: str, *arguments: str | int) -> str:
    try:
        return KINDS[kind](*arguments)
    except (TimeoutError, subprocess.TimeoutExpired):
        return "silence"
    except OSError as e:
        return f"refused {errno.errorcode.get(e.errno or 0, type(e).__name__)}"


if __name__ == "__main__":
    json.dump([outcome(*attempt) for attempt in json.loads(sys.argv[1])], sys.stdout)
