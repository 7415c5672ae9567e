"""Stands in for whatever listens at some addresses: ``python stand_ins.py READY ADDRESS …``.

An address is ``tcp:HOST:PORT``, ``udp:HOST:PORT``, ``dns:HOST`` or ``unix:PATH`` (``unix:@NAME`` is an abstract one). Each
answers everybody with ``stand-in``, DNS with the addresses that a name tells, ``at-127-0-0-1-and-203-0-113-7.example.com`` or
``six-2001-db8--7.example.com`` or ``both-203-0-113-7-or-2001-db8--7.example.com``, and for others with one and the same. The file READY is made when all of them listen.
"""

from __future__ import annotations

import selectors
import socket
import struct
import sys
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nstand-in\n"


def listen(address: str) -> tuple[str, socket.socket]:
    kind, _, place = address.partition(":")
    if kind == "unix":
        one = socket.socket(socket.AF_UNIX)
        one.bind("\0" + place[1:] if place.startswith("@") else place)
        one.listen()
        return kind, one
    host, _, port = (f"{place}:53" if kind == "dns" else place).rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind((host, int(port)))
    if kind == "tcp":
        one.listen()
    return kind, one


def answer(kind: str, one: socket.socket) -> None:
    if kind in ("tcp", "unix"):
        connection, _ = one.accept()
        with connection:
            connection.sendall(ANSWER)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
        return
    said, client = one.recvfrom(65536)
    if kind == "udp":
        one.sendto(b"stand-in", client)
    else:
        end = said.index(b"\0", 12) + 5
        found = located(
            said[13 : 13 + said[12]].decode(), struct.unpack_from(">H", said, end - 4)[0]
        )
        head = said[:2] + b"\x81\x80" + struct.pack(">4H", 1, len(found), 0, 0)
        records = [struct.pack(">HHHIH", 0xC00C, *kind, 60, len(at)) + at for kind, at in found]
        one.sendto(head + said[12:end] + b"".join(records), client)


def located(label: str, kind: int) -> list[tuple[tuple[int, int], bytes]]:
    """Return the records of a name, with their kind and class (RFC 1035 section 3.2, RFC 3596)."""
    word, _, rest = label.partition("-")
    if word == "six":
        at = socket.inet_pton(socket.AF_INET6, rest.replace("-", ":"))
        return [((28, 1), at)] if kind == 28 else []
    if word == "both":
        four, _, rest = rest.partition("-or-")
        word, rest = ("at", four) if kind == 1 else ("six", rest)
        return located(f"{word}-{rest}", kind)
    texts = rest.split("-and-") if word == "at" else ["203-0-113-7"]
    return (
        [((1, 1), socket.inet_aton(text.replace("-", "."))) for text in texts] if kind == 1 else []
    )


def main(ready: Path, addresses: list[str]) -> None:
    watched = selectors.DefaultSelector()
    for address in addresses:
        kind, one = listen(address)
        watched.register(one, selectors.EVENT_READ, kind)
    ready.touch()
    while True:
        for key, _ in watched.select():
            assert isinstance(key.fileobj, socket.socket)
            answer(key.data, key.fileobj)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
