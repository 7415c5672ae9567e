"""The Redis protocol (RESP3) for whoever moves keys: blocking, keys and values as bytes, and told what others change.

``resp.py`` looks after a server with a few words of text. Here values may be half a gigabyte of any bytes, commands go out by
the hundred, and between the replies the server tells which keys somebody has changed (valkey.io/topics/client-side-caching).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import TypeAlias, Union

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.resp import Refused

Answer: TypeAlias = Union[bytes, int, float, bool, list["Answer"], Refused, None]  # noqa: UP007 - refers to itself
Word: TypeAlias = bytes | str | int

LIMIT = timedelta(seconds=60)
"""How long one answer may take: a server is busy for seconds with a value of hundreds of megabytes."""

LARGEST = (1 << 29) + 1024
"""Bytes of the largest value that a server takes or gives, unless it was told otherwise; an answer is no larger."""

_SMALL = 1 << 16
_LONGEST_LINE = 1 << 16
_OF_AN_ITEM = 64
_DEEPEST = 8


class Changes:
    """What others have changed since it was last asked for.

    Attributes:
        keys: Keys that were changed, in whatever database.
        is_everything: Whether a whole database was emptied.
    """

    def __init__(self) -> None:
        self.keys: set[bytes] = set()
        self.is_everything = False


class Wire:
    """One authenticated connection.

    Args:
        access: Where to, and as whom.

    Raises:
        Refused: The server does not accept the user and password, or is too old for RESP3 (Redis 6).
        Unavailable: It does not answer.
    """

    def __init__(self, access: CacheAccess) -> None:
        self._at = f"{access.host}:{access.port}"
        self._changes = Changes()
        try:
            self._socket = socket.create_connection(
                (access.host, access.port), timeout=LIMIT.total_seconds()
            )
            if access.tls:
                context = ssl.create_default_context()
                self._socket = context.wrap_socket(self._socket, server_hostname=access.host)
        except OSError as e:
            raise self._silent(e) from e
        self._file = self._socket.makefile("rb", buffering=1 << 16)
        who = ("AUTH", access.user or "default", access.password) if access.password else ()
        try:
            self.ask("HELLO", 3, *who)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the connection. Idempotent."""
        self._file.close()
        self._socket.close()

    def ask(self, *words: Word) -> Answer:
        """Send a command and return its answer.

        Raises:
            Refused: The server answered with an error.
            Unavailable: It does not answer, or in another protocol.
        """
        (answer,) = self.ask_all([words])
        if isinstance(answer, Refused):
            raise answer
        return answer

    def ask_all(self, commands: Iterable[Sequence[Word]]) -> list[Answer]:
        """Send commands at once and return an answer for each, which may be a refusal.

        Raises:
            Unavailable: The server does not answer, or in another protocol.
        """
        try:
            count = self._send(commands)
            return [self._answer() for _ in range(count)]
        except OSError as e:
            raise self._silent(e) from e
        except (ValueError, RecursionError) as e:
            raise Unavailable(
                f"what listens at {self._at} does not speak the Redis protocol"
            ) from e

    def _send(self, commands: Iterable[Sequence[Word]]) -> int:
        count, pending = 0, bytearray()
        for words in commands:
            count += 1
            pending += b"*%d\r\n" % len(words)
            for word in words:
                part = word if isinstance(word, bytes) else str(word).encode()
                pending += b"$%d\r\n" % len(part)
                if len(part) > _SMALL:  # of a large value there is no second copy
                    self._socket.sendall(pending)
                    self._socket.sendall(part)
                    pending.clear()
                else:
                    pending += part
                pending += b"\r\n"
        self._socket.sendall(pending)
        return count

    def listen(self) -> None:
        """Hear of every key that others change from now on, and let what is read be no newer for it.

        Raises:
            Refused: The server does not tell.
            Unavailable: It does not answer.
        """
        self.ask("CLIENT", "TRACKING", "ON", "BCAST", "NOLOOP")
        self.ask_all([("CLIENT", "NO-TOUCH", "ON")])  # servers before Redis 7.2 refuse it

    def take_changes(self) -> Changes:
        """Return what others have changed since the last time; it has come by when others have long gone on.

        Raises:
            Unavailable: The server does not answer.
        """
        self.ask("ECHO", "")
        taken, self._changes = self._changes, Changes()
        return taken

    def _answer(self) -> Answer:
        while True:
            self._left = LARGEST
            kind, rest = self._line()
            if kind == b">":
                self._hear(self._items(int(rest), 1))
            elif kind == b"|":  # beside the answer
                self._items(2 * int(rest), 1)
            else:
                return self._rest(kind, rest, 0)

    def _hear(self, told: list[Answer]) -> None:
        if len(told) != 2 or told[0] != b"invalidate":
            return
        if isinstance(told[1], list):
            self._changes.keys.update(key for key in told[1] if isinstance(key, bytes))
        else:
            self._changes.is_everything = True

    def _line(self) -> tuple[bytes, bytes]:
        line = self._file.readline(_LONGEST_LINE)
        if not line:
            raise ConnectionResetError("it closed the connection")
        if not line.endswith(b"\r\n"):
            raise ValueError("a line without an end")
        return line[:1], line[1:-2]

    def _items(self, count: int, depth: int) -> list[Answer]:
        self._take(count * _OF_AN_ITEM)
        if depth > _DEEPEST:
            raise ValueError("an answer that is too deep")
        return [self._rest(*self._line(), depth) for _ in range(count)]

    def _rest(self, kind: bytes, rest: bytes, depth: int) -> Answer:
        if kind in _SHORT:
            return _SHORT[kind](rest)
        if rest == b"-1" and kind in {b"$", b"*"}:
            return None
        if kind in {b"*", b"~"}:
            return self._items(int(rest), depth + 1)
        if kind == b"%":
            return self._items(2 * int(rest), depth + 1)
        if kind in _LONG:
            return _LONG[kind](self._bulk(int(rest)))
        raise ValueError("an answer of an unknown kind")

    def _bulk(self, length: int) -> bytes:
        self._take(length)
        found = bytes(self._file.read(length + 2))
        if len(found) < length + 2:
            raise ConnectionResetError("it closed the connection")
        return found[:-2]

    def _take(self, size: int) -> None:
        """Let an answer have so many bytes more of memory."""
        self._left -= size
        if size < 0 or self._left < 0:
            raise ValueError("an answer that is too large")

    def _silent(self, e: OSError) -> Unavailable:
        return Unavailable(f"the server at {self._at} does not answer ({e}): try again")


_SHORT: dict[bytes, Callable[[bytes], Answer]] = {
    b"+": lambda rest: rest,
    b"-": lambda rest: Refused(rest.decode(errors="replace")),
    b":": int,
    b"(": int,
    b",": float,
    b"#": lambda rest: rest == b"t",
    b"_": lambda _: None,
}
"""What stands in one line, by its first sign."""

_LONG: dict[bytes, Callable[[bytes], Answer]] = {
    b"$": lambda text: text,
    b"=": lambda text: text[4:],  # behind three letters and a colon, which say what it is
    b"!": lambda text: Refused(text.decode(errors="replace")),
}
"""What stands behind its length."""


def bytes_in(answer: Answer) -> bytes:
    """Return an answer that can only be bytes.

    Raises:
        Refused: It is a refusal.
        Unavailable: It is neither.
    """
    if isinstance(answer, bytes):
        return answer
    raise _strange(answer)


def number_in(answer: Answer) -> int:
    """Return an answer that can only be a whole number.

    Raises:
        Refused: It is a refusal.
        Unavailable: It is neither.
    """
    if isinstance(answer, int):
        return answer
    raise _strange(answer)


def list_in(answer: Answer) -> list[Answer]:
    """Return an answer that can only be a list.

    Raises:
        Refused: It is a refusal.
        Unavailable: It is neither.
    """
    if isinstance(answer, list):
        return answer
    raise _strange(answer)


def page_in(answer: Answer) -> tuple[bytes, list[bytes]]:
    """Return an answer that can only be a part of a listing and where the next one begins.

    Raises:
        Refused: It is a refusal.
        Unavailable: It is neither.
    """
    parts = list_in(answer)
    if len(parts) != 2:
        raise _strange(answer)
    return bytes_in(parts[0]), [bytes_in(one) for one in list_in(parts[1])]


def _strange(answer: Answer) -> Exception:
    if isinstance(answer, Refused):
        return answer
    return Unavailable("a server answers otherwise than a Valkey or Redis does")
