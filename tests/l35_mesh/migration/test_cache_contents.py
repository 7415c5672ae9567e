"""What may be among keys that move, what is refused, and what is found while they do; two real servers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest

from drystone.l10_engines.cache.wire import Wire
from drystone.l35_mesh.migration.errors import DataDiverged, DataUnfit, NotesUnreadable
from drystone.l35_mesh.migration.noted_moves import Times
from drystone.l35_mesh.migration.notes import opened
from l35_mesh.migration.cache_rig import SHORT, Caches, Writer, content

pytestmark = pytest.mark.timeout(120)


def fill(wire: Wire) -> None:
    """Make keys of every type, small and large, in several databases."""
    wire.ask("SET", b"binary \x00\r\n\xff", bytes(range(256)))
    wire.ask("SET", "", "the empty key")
    wire.ask("SET", "empty", "")
    wire.ask("SET", "passes", "1", "PX", 86_400_000)
    wire.ask("SETBIT", "bits", 100_000, 1)
    wire.ask("PFADD", "some", *range(100))
    wire.ask("RPUSH", "list", *range(3000))
    wire.ask("SADD", "numbers", *range(10))
    wire.ask("SADD", "set", *(f"member {n}" for n in range(3000)))
    wire.ask("HSET", "hash", *(word for n in range(3000) for word in (f"field {n}", n)))
    wire.ask("HSET", "fields that pass", "a", 1, "b", 2)
    wire.ask("HPEXPIRE", "fields that pass", 86_400_000, "FIELDS", 1, "a")
    wire.ask("ZADD", "sorted", *(word for n in range(3000) for word in (str(n / 7), f"member {n}")))
    wire.ask("ZADD", "ends", "-inf", "a", "+inf", "b", "0.1", "c")
    wire.ask("GEOADD", "places", "13.361389", "38.115556", "Palermo")
    for number in range(1, 50):
        wire.ask("XADD", "stream", f"{number}-1", "field", number)
    wire.ask("XGROUP", "CREATE", "stream", "readers", "0")
    wire.ask("XREADGROUP", "GROUP", "readers", "me", "COUNT", 5, "STREAMS", "stream", ">")
    wire.ask("XDEL", "stream", "3-1")
    wire.ask("SELECT", 7)
    wire.ask("SET", "elsewhere", "7")
    wire.ask("SELECT", 0)


def test_every_type_comes_over_with_its_moments_and_its_database(caches: Caches) -> None:
    fill(caches.to_old)
    with closing(caches.move()) as move:
        move.begin()
        # Of none of these the server tells.
        caches.to_old.ask(
            "XREADGROUP", "GROUP", "readers", "you", "COUNT", 5, "STREAMS", "stream", ">"
        )
        caches.to_old.ask("XACK", "stream", "readers", "1-1")
        caches.to_old.ask("SWAPDB", 7, 8)
        move.follow(lambda _: True)
        move.cut_over(lambda: None)
    assert caches.told[-2:] == [
        "both servers hold the same 16 keys",
        "the new side has everything; the old server is left as it is",
    ]
    for asked in (
        ("GET", b"binary \x00\r\n\xff"),
        ("GET", ""),
        ("STRLEN", "empty"),
        ("PEXPIRETIME", "passes"),
        ("BITPOS", "bits", 1),
        ("PFCOUNT", "some"),
        ("LRANGE", "list", 0, -1),
        ("SCARD", "set"),
        ("SISMEMBER", "set", "member 2999"),
        ("HLEN", "hash"),
        ("HGET", "hash", "field 2999"),
        ("HPEXPIRETIME", "fields that pass", "FIELDS", 2, "a", "b"),
        ("ZRANGE", "sorted", 0, -1, "WITHSCORES"),
        ("ZRANGE", "ends", 0, -1, "WITHSCORES"),
        ("GEOPOS", "places", "Palermo"),
        ("XRANGE", "stream", "-", "+"),
        ("XPENDING", "stream", "readers"),
        ("XINFO", "STREAM", "stream"),
    ):
        assert caches.to_new.ask(*asked) == caches.to_old.ask(*asked) is not None
    caches.to_new.ask("SELECT", 8)
    assert caches.to_new.ask("GET", "elsewhere") == b"7"


def test_keys_that_expire_are_at_neither_end_afterwards(caches: Caches) -> None:
    for number in range(300):
        caches.to_old.ask("SET", f"key {number}", "1", "PX", 10 + number * 2)
    caches.carry_through()
    caches.to_old.ask("ECHO", "")
    deadline = time.monotonic() + 20
    while content(caches.to_new):
        assert time.monotonic() < deadline
    assert content(caches.to_old) == {}


def test_what_is_removed_while_nobody_follows_is_removed_there_too(caches: Caches) -> None:
    for number in range(20):
        caches.to_old.ask("SET", f"key {number}", "1")
    with closing(caches.move()) as move:
        move.begin()
    caches.to_old.ask("UNLINK", "key 3")
    with closing(caches.move()) as move:
        move.begin()
        move.follow(lambda _: True)
        assert caches.to_new.ask("EXISTS", "key 3") == 0
        caches.to_old.ask("FLUSHALL")
        move.follow(lambda _: True)
        assert content(caches.to_new) == {}
        caches.to_new.ask("SET", "somebody else's", "1")
        move.follow(lambda _: True)
    assert content(caches.to_new) == {}


def test_values_of_many_megabytes_come_over_in_pieces(caches: Caches) -> None:
    old = caches.to_old
    large = os.urandom(1 << 20) * 9
    old.ask("SET", "large", large)
    old.ask("PEXPIRE", "large", 86_400_000)
    members = [os.urandom(900) for _ in range(5000)]
    for at in range(0, len(members), 1000):
        part = members[at : at + 1000]
        old.ask("RPUSH", "list", *part)
        old.ask("SADD", "set", *part)
        old.ask("ZADD", "sorted", *(w for n, one in enumerate(part, at) for w in (str(n / 7), one)))
        old.ask("HSET", "hash", *(word for one in part for word in (one, one)))
    old.ask("HPEXPIRE", "hash", 86_400_000, "FIELDS", 1, members[7])
    with closing(caches.move()) as move:
        move.begin()
        old.ask("RPUSH", "list", "one more")
        move.follow(lambda _: True)
        move.cut_over(lambda: None)
    assert caches.to_new.ask("GET", "large") == large
    for asked in (
        ("PEXPIRETIME", "large"),
        ("LRANGE", "list", 4500, -1),
        ("SMISMEMBER", "set", *members[:1000]),
        ("ZRANGE", "sorted", 4000, -1, "WITHSCORES"),
        ("HMGET", "hash", *members[:1000]),
        ("HPEXPIRETIME", "hash", "FIELDS", 2, members[7], members[8]),
        ("DBSIZE",),
    ):
        assert caches.to_new.ask(*asked) == old.ask(*asked) is not None


def test_a_new_server_that_has_keys_already_is_refused(caches: Caches) -> None:
    caches.to_new.ask("SET", "mine", "1")
    with closing(caches.move()) as move, pytest.raises(DataUnfit, match="has keys already"):
        move.begin()
    assert caches.to_new.ask("GET", "mine") == b"1"


def test_a_server_does_not_move_into_itself(caches: Caches) -> None:
    with (
        closing(caches.move(to=caches.old.access())) as move,
        pytest.raises(DataUnfit, match="old one"),
    ):
        move.begin()


def test_a_wrong_password_is_told_without_it(caches: Caches) -> None:
    wrong = msgspec.structs.replace(caches.new.access(), password="secret")
    with (
        closing(caches.move(to=wrong)) as move,
        pytest.raises(DataUnfit, match="check the URL") as e,
    ):
        move.begin()
    assert "secret" not in str(e.value)


def test_whoever_writes_on_where_users_are_not_ours_keeps_the_traffic_here(caches: Caches) -> None:
    impatient = Times(SHORT.pause, SHORT.quiet, timedelta(milliseconds=300))
    move = caches.move(hold=lambda _: False, times=impatient)
    with Writer(caches.old.access()), closing(move):
        move.begin()
        with pytest.raises(DataDiverged, match="still writes"):
            move.cut_over(lambda: pytest.fail("nothing may move"))
    assert any("not ours to change" in one for one in caches.told)


def test_a_new_server_without_room_is_told(caches: Caches) -> None:
    with closing(Wire(caches.new._admin())) as admin:
        admin.ask("CONFIG", "SET", "maxmemory", 3 << 20, "maxmemory-policy", "noeviction")
        try:
            for number in range(100):
                caches.to_old.ask("SET", f"key {number}", os.urandom(50_000))
            with closing(caches.move()) as move, pytest.raises(DataUnfit, match="is full"):
                move.begin()
        finally:
            admin.ask("CONFIG", "SET", "maxmemory", 64 << 20, "maxmemory-policy", "allkeys-lru")


def test_a_new_server_that_drops_keys_to_make_room_keeps_the_traffic_here(caches: Caches) -> None:
    with closing(Wire(caches.new._admin())) as admin:
        admin.ask("CONFIG", "SET", "maxmemory", 3 << 20)
        try:
            for number in range(100):
                caches.to_old.ask("SET", f"key {number}", os.urandom(50_000))
            impatient = Times(SHORT.pause, SHORT.quiet, timedelta(milliseconds=300))
            with closing(caches.move(times=impatient)) as move:
                move.begin()
                with pytest.raises(DataDiverged):
                    move.cut_over(lambda: pytest.fail("nothing may move"))
        finally:
            admin.ask("CONFIG", "SET", "maxmemory", 64 << 20)
    assert caches.may_write()


def test_two_movers_do_not_get_into_each_others_way(caches: Caches) -> None:
    with closing(caches.move()) as move, closing(caches.move()) as other:
        move.begin()

        def again(_: int) -> bool:
            with pytest.raises(NotesUnreadable, match="nobody else"):
                other.begin()
            return True

        move.follow(again)


def test_a_server_that_has_forgotten_everything_does_not_empty_the_new_one(caches: Caches) -> None:
    caches.to_old.ask("SET", "kept", "1")
    with closing(caches.move()) as move:
        move.begin()
    with opened(caches.folder / "notes") as notes:
        assert notes.ends is not None
        notes.begin(*notes.ends, life="an earlier one")
    caches.to_old.ask("FLUSHALL")
    with closing(caches.move()) as move, pytest.raises(DataUnfit, match="lost what it held"):
        move.begin()
    assert content(caches.to_new) == {b"kept": b"1"}


def test_a_server_that_forgets_everything_when_it_is_held_does_not_empty_the_new_one(
    caches: Caches,
) -> None:
    caches.to_old.ask("SET", "kept", "1")

    def hold_anew(is_held: bool) -> bool:
        async def once() -> None:
            await caches.old.stop()
            await caches.old.start()

        asyncio.run(once())
        return caches.hold(is_held)

    with closing(caches.move(hold=hold_anew)) as move:
        move.begin()
        with pytest.raises(DataUnfit, match="lost what it held"):
            move.cut_over(lambda: pytest.fail("nothing may move"))
    assert content(caches.to_new) == {b"kept": b"1"}


def test_somebody_who_has_had_enough_goes_on_later(caches: Caches) -> None:
    for number in range(2000):
        caches.to_old.ask("SET", f"key {number}", number)
    looks: Iterator[bool] = iter([False, True, False, True])
    with closing(caches.move(is_enough=lambda: next(looks, True))) as move:
        move.begin()
        move.follow(lambda _: False)
    assert 0 < len(content(caches.to_new)) < 2000
    caches.carry_through()
    assert content(caches.to_new) == content(caches.to_old)
