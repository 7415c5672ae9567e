"""The key repository: published keys over HTTPS, from files, as every client of ASAP looks them up.

::

    GET /keys/<environment>/<service>/<key>.pem    a public key as PEM
    GET /jwks/<environment>/<service>.json         the keys of those who declare to call this service
    GET /issuers/<environment>/<service>.json      every key of this service, those that sign next among them
    GET /healthz

It runs as a program of its own, with the standard library alone, so that keys can be looked up whatever becomes of the
agent and of what the platform is made of. It reads nothing but what was published. A path is looked up byte for byte
and never decoded: names of keys need no escapes, so whatever has one names no key.

A new certificate is used from the next connection on. When the present one is due, the program has a new one made by a
command that it is given, so that this needs nobody either.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import socket
import ssl
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

MOST_CONNECTIONS = 64
"""At once; further ones wait in the kernel."""

PATIENCE_S = 5.0
"""For a handshake, and for a request."""

LARGEST_REQUEST = 8192
LARGEST_FILE = 1 << 22
LOOK_EVERY_S = 60.0
RENEWAL_LIMIT_S = 60.0
STACK = 256 * 1024

_PART = rb"[a-z][a-z0-9-]{0,39}"
_KEY = re.compile(rb"/keys/(" + _PART + rb")/(" + _PART + rb")/([0-9a-z][0-9a-z-]{0,63}\.pem)")
_SET = re.compile(rb"/jwks/(" + _PART + rb")/(" + _PART + rb"\.json)")
_ISSUER = re.compile(rb"/issuers/(" + _PART + rb")/(" + _PART + rb"\.json)")
_REQUEST = re.compile(rb"([A-Z]{1,16}) ([!-~]{1,4096}) HTTP/1\.[01]")

FRESH = "public, max-age=60"
"""How long clients may go on with a key that was revoked; and how often they ask for each."""

FOLLOWED = "no-store"
"""Other platforms ask again and again what a service proves itself by; what is in between keeps nothing."""

Answer = tuple[str, str, str, bytes]
"""Status, media type, what may be kept of it, and the body."""

_NOTHING: Answer = ("404 Not Found", "text/plain", "no-store", b"no such key\n")
_MALFORMED: Answer = ("400 Bad Request", "text/plain", "no-store", b"not a request\n")
_WRONG_METHOD: Answer = ("405 Method Not Allowed", "text/plain", "no-store", b"only GET and HEAD\n")


class Certificate:
    """What the server shows, as the file has it now.

    Args:
        pair: Private key and certificate in one PEM file.
    """

    def __init__(self, pair: Path) -> None:
        self._pair = pair
        self._read = -1
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """Return what a new connection is made with; a file that cannot be used is as if it had not changed."""
        with suppress(OSError, ssl.SSLError):
            if self._pair.stat().st_mtime_ns != self._read:
                self._context = self._load()
        return self._context

    def _load(self) -> ssl.SSLContext:
        changed = self._pair.stat().st_mtime_ns
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._pair)
        self._read = changed
        return context


class KeyRepository:
    """Answers requests for keys.

    Args:
        public: The folder of what is published.
    """

    def __init__(self, public: Path) -> None:
        self._public = public

    def answer(self, request: bytes) -> tuple[Answer, bool]:
        """Answer a request by its first line; also tells whether the body goes with it."""
        found = _REQUEST.fullmatch(request)
        if found is None:
            return _MALFORMED, True
        method, path = found.groups()
        if method not in {b"GET", b"HEAD"}:
            return _WRONG_METHOD, True
        return self._find(path), method == b"GET"

    def _find(self, path: bytes) -> Answer:
        if path == b"/healthz":
            return "200 OK", "text/plain", "no-store", b"ok\n"
        if found := _KEY.fullmatch(path):
            return self._file("keys", found.groups(), "application/x-pem-file")
        if found := _SET.fullmatch(path):
            return self._file("jwks", found.groups(), "application/json")
        if found := _ISSUER.fullmatch(path):
            return self._file("issuers", found.groups(), "application/json", keep=FOLLOWED)
        return _NOTHING

    def _file(
        self, kind: str, parts: Sequence[bytes], media_type: str, *, keep: str = FRESH
    ) -> Answer:
        path = self._public.joinpath(kind, *(part.decode() for part in parts))
        try:
            # No link is followed, should somebody have put one there.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb") as file:
                return "200 OK", media_type, keep, file.read(LARGEST_FILE)
        except OSError:
            return _NOTHING


class Server:
    """Serves on one port of the loopback address.

    Args:
        repository: Answers.
        certificate: What it shows.
        port: Where it listens.
    """

    def __init__(self, repository: KeyRepository, certificate: Certificate, port: int) -> None:
        self._repository = repository
        self._certificate = certificate
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)

    def serve(self) -> None:
        """Serve for ever."""
        while True:
            self._places.acquire()
            try:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve_one, args=(connection,), daemon=True).start()
            except (OSError, RuntimeError):  # for want of something that comes back
                self._places.release()
                time.sleep(0.05)

    def _serve_one(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(PATIENCE_S)
            with suppress(OSError, ValueError):  # the client's affair
                context = self._certificate.context()
                with context.wrap_socket(connection, server_side=True) as speaking:
                    self._speak(speaking)
        finally:
            connection.close()
            self._places.release()

    def _speak(self, speaking: ssl.SSLSocket) -> None:
        head = _read_head(speaking)
        if not head:
            return
        answer, has_body = self._repository.answer(head.partition(b"\r\n")[0])
        speaking.sendall(_write(answer, has_body=has_body))


def _read_head(speaking: ssl.SSLSocket) -> bytes:
    """Read up to the empty line; nothing where it does not come in time, or is too long."""
    end = time.monotonic() + PATIENCE_S
    head = b""
    while b"\r\n\r\n" not in head:
        left = end - time.monotonic()
        if left <= 0 or len(head) > LARGEST_REQUEST:
            return b""
        speaking.settimeout(left)
        more = speaking.recv(LARGEST_REQUEST)
        if not more:
            return b""
        head += more
    return head


def _write(answer: Answer, *, has_body: bool) -> bytes:
    status, media_type, keep, body = answer
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        f"Cache-Control: {keep}\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if has_body else b"")


def renew_when_due(due: Path, command: Sequence[str]) -> None:
    """Have a new certificate made if the time has come; a failure is told and tried again later."""
    import subprocess  # noqa: PLC0415 - once in ten days

    try:
        if time.time() < int(due.read_text()):
            return
    except (OSError, ValueError):
        pass  # nobody knows when it is due
    try:
        subprocess.run(command, check=True, timeout=RENEWAL_LIMIT_S)  # noqa: S603 - given at the start
    except (OSError, subprocess.SubprocessError) as e:
        sys.stderr.write(f"the certificate is not renewed, and will be tried again: {e}\n")


def _keep_renewing(due: Path, command: Sequence[str]) -> None:
    while True:
        renew_when_due(due, command)
        time.sleep(LOOK_EVERY_S)


def main(words: Sequence[str]) -> None:
    """Serve until this process is ended."""
    parser = argparse.ArgumentParser(prog="key repository")
    parser.add_argument("--public", type=Path, required=True)
    parser.add_argument("--pair", type=Path, required=True)
    parser.add_argument("--due", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("renew", nargs="+")
    given = parser.parse_args(words)
    resource.setrlimit(resource.RLIMIT_DATA, (given.memory, given.memory))
    threading.stack_size(STACK)
    renewing = threading.Thread(target=_keep_renewing, args=(given.due, given.renew), daemon=True)
    server = Server(KeyRepository(given.public), Certificate(given.pair), given.port)
    renewing.start()
    server.serve()


if __name__ == "__main__":
    os.umask(0o077)
    main(sys.argv[1:])
