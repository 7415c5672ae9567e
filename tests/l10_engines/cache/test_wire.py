"""Whatever a server answers is understood or refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drystone.l00_kernel.errors import Unavailable
from drystone.l10_engines.cache.access import CacheAccess
from drystone.l10_engines.cache.contents import digest
from drystone.l10_engines.cache.moving import CacheEnd
from drystone.l10_engines.cache.resp import Refused
from drystone.l10_engines.cache.wire import Wire

HELLO = b"%1\r\n+server\r\n+some\r\n"


@contextmanager
def answering(*answers: bytes) -> Iterator[CacheAccess]:
    """Let a server give these answers, each to whatever it is sent next, and hang up."""

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield CacheAccess(host="127.0.0.1", port=listener.getsockname()[1], user="", password="")
        listener.close()
        thread.join(20)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"+OK\r\n", b"OK"),
        (b":-7\r\n", -7),
        (b"(12345678901234567890\r\n", 12345678901234567890),
        (b",1.5\r\n", 1.5),
        (b"#t\r\n", True),
        (b"_\r\n", None),
        (b"$-1\r\n", None),
        (b"$4\r\n\r\n\x00\xff\r\n", b"\r\n\x00\xff"),
        (b"=7\r\ntxt:abc\r\n", b"abc"),
        (b"*2\r\n:1\r\n~1\r\n$0\r\n\r\n", [1, [b""]]),
        (b"%1\r\n+a\r\n:1\r\n", [b"a", 1]),
        (b"|1\r\n+ttl\r\n:1\r\n+OK\r\n", b"OK"),
        (b">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n>2\r\n+message\r\n_\r\n+OK\r\n", b"OK"),
    ],
)
def test_every_kind_of_answer_is_understood(written: bytes, meant: object) -> None:
    with answering(HELLO, written) as access, closing(Wire(access)) as wire:
        assert wire.ask("ECHO", "") == meant


def test_what_others_change_is_told_between_answers() -> None:
    pushed = b">2\r\n+invalidate\r\n*2\r\n$1\r\na\r\n$2\r\n\x00\xff\r\n+\r\n"
    emptied = b">2\r\n+invalidate\r\n_\r\n+\r\n"
    with answering(HELLO, pushed, emptied) as access, closing(Wire(access)) as wire:
        first, second = wire.take_changes(), wire.take_changes()
    assert (first.keys, first.is_everything) == ({b"a", b"\x00\xff"}, False)
    assert (second.keys, second.is_everything) == (set(), True)


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$99999999999\r\n",
        b"$-7\r\n",
        b"*999999999\r\n",
        b"*1\r\n" * 100 + b":1\r\n",
        b"$5\r\nab",
        b":one\r\n",
        b"+" + b"x" * 100_000,
    ],
)
def test_what_is_no_answer_is_refused(written: bytes) -> None:
    with (
        answering(HELLO, written) as access,
        closing(Wire(access)) as wire,
        pytest.raises(Unavailable),
    ):
        wire.ask("PING")


pieces = st.sampled_from(
    [b"*", b"$", b"%", b">", b"-", b"+", b":", b"_", b"1", b"2", b"invalidate", b"\r\n", b"\x00"]
)


@settings(max_examples=40, deadline=None)
@given(st.lists(pieces, max_size=12).map(b"".join), st.sampled_from(["digest", "pages", "about"]))
def test_a_server_that_answers_anything_ends_nothing(written: bytes, asked: str) -> None:
    with answering(HELLO, b"+OK\r\n", b"+OK\r\n", written * 4) as access:
        end = CacheEnd(access)
        with closing(end), suppress(Unavailable, Refused):
            match asked:
                case "digest":
                    end.digest(b"key")
                case "pages":
                    list(end.pages())
                case _:
                    end.about()


def test_a_type_that_is_not_known_is_told() -> None:
    with (
        answering(HELLO, b"+ReJSON-RL\r\n") as access,
        closing(Wire(access)) as wire,
        pytest.raises(Refused, match="ReJSON-RL, which is not known"),
    ):
        digest(wire, b"key")
