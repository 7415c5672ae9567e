"""A copy of a bucket in two files, and a bucket that is made of them; blocking calls.

``objects`` holds the bytes of all objects, one after the other; ``index.jsonl`` says where each begins, its SHA-256 and what stands beside
its bytes. An object's key is never a file's name, so that no key can lead out of a folder. Each object is as it was when it was read: a
bucket has no moment of which all of it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING, TypeVar, cast

import msgspec
from typing_extensions import override

from drystone.l10_engines.objects.moving import AT_ONCE, Beside, BucketEnd, Listed

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

INDEX, OBJECTS = "index.jsonl", "objects"
_PIECE = 1 << 20
_AHEAD = 4 * AT_ONCE
_A_PAGE = 1000


class Entry(msgspec.Struct, frozen=True):
    """One object of a copy.

    Attributes:
        key: Its key.
        at: Where its bytes begin in ``objects``.
        size: How many there are.
        sha256: Of them, in hexadecimal digits.
        beside: What stands beside them.
    """

    key: str
    at: int
    size: int
    sha256: str
    beside: Beside


class Contents(msgspec.Struct, frozen=True):
    """How many objects there are, and a sum that depends on all of them and not on their order."""

    count: int
    digest: str


class _Adding:
    """Adds objects up, from several threads."""

    def __init__(self) -> None:
        self._count = self._sum = 0
        self._lock = Lock()

    def add(self, entry: Entry) -> None:
        said = msgspec.json.encode([entry.key, entry.sha256, entry.beside], order="sorted")
        with self._lock:
            self._count += 1
            self._sum += int.from_bytes(hashlib.sha256(said).digest()[:8], "big")

    def contents(self) -> Contents:
        return Contents(self._count, str(self._sum))


def size_of(end: BucketEnd) -> int:
    """Return the bytes of all objects, with what an index of them takes."""
    return sum(one.size + len(one.key) + 512 for page in end.pages() for one in page)


def dump(end: BucketEnd, folder: Path) -> Contents:
    """Copy every object of a bucket into the files of a folder.

    Raises:
        Unavailable: The store does not answer.
        OSError: There is no room.
    """
    adding, lock, at = _Adding(), Lock(), 0
    with (folder / OBJECTS).open("xb") as objects, (folder / INDEX).open("xb") as index:

        def copy(one: Listed) -> None:
            nonlocal at
            found = end.read(one.key)
            if found is None:
                return  # it was removed since it was listed
            body, beside = found
            with body:
                ahead = body.read(_PIECE)
                with lock:
                    digest, size = hashlib.sha256(), 0
                    piece = ahead
                    while piece:
                        digest.update(piece)
                        size += objects.write(piece)
                        piece = body.read(_PIECE)
                    entry = Entry(one.key, at, size, digest.hexdigest(), beside)
                    at += size
                    index.write(msgspec.json.encode(entry) + b"\n")
            adding.add(entry)

        _each(copy, (one for page in end.pages() for one in page))
    return adding.contents()


def load(folder: Path, end: BucketEnd) -> None:
    """Write every object of a copy into a bucket.

    Raises:
        Unavailable: The store does not answer.
    """

    def write(entry: Entry) -> None:
        with _Slice(folder / OBJECTS, entry.at, entry.size) as body:
            end.write(entry.key, cast("IO[bytes]", body), entry.beside)

    _each(write, _entries(folder))


def contents(end: BucketEnd) -> Contents:
    """Read every object of a bucket back and add all of them up, as :func:`dump` does.

    Raises:
        Unavailable: The store does not answer.
    """
    adding = _Adding()

    def read(one: Listed) -> None:
        beside = end.beside(one.key)
        if beside is not None:
            _, digest = end.digest(one.key)
            adding.add(Entry(one.key, 0, one.size, digest, beside))

    _each(read, (one for page in end.pages() for one in page))
    return adding.contents()


def take_over(source: BucketEnd, target: BucketEnd) -> None:
    """Let a bucket hold what another one holds, and nothing else; each object is compared byte for byte. Idempotent.

    Raises:
        Unavailable: The store does not answer.
    """
    there = {one.key: one.etag for page in target.pages() for one in page}

    def copy(one: Listed) -> None:
        if there.get(one.key) != one.etag or target.beside(one.key) != source.beside(one.key):
            source.copy(one.key, target)

    wanted = [one for page in source.pages() for one in page]
    _each(copy, wanted)
    surplus = sorted(there.keys() - {one.key for one in wanted})
    for some in _pages(surplus):
        target.remove(some)


def _pages(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(keys), _A_PAGE):
        yield keys[first : first + _A_PAGE]


def _entries(folder: Path) -> Iterator[Entry]:
    with (folder / INDEX).open("rb") as index:
        for line in index:
            yield msgspec.json.decode(line, type=Entry)


def _each(work: Callable[[T], None], items: Iterable[T]) -> None:
    """Do something with each of many, some at the same time; the first failure ends it."""
    left = iter(items)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: set[Future[None]] = set()
        try:
            while True:
                running |= {pool.submit(work, one) for one in islice(left, _AHEAD - len(running))}
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for one in done:
                    one.result()
        finally:
            for one in running:
                one.cancel()


class _Slice:
    """A part of a file that reads as a file of its own."""

    def __init__(self, path: Path, at: int, size: int) -> None:
        self._file = path.open("rb")
        self._file.seek(at)
        self._left = size

    def __enter__(self) -> _Slice:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @override
    def __repr__(self) -> str:
        return f"_Slice({self._left} left)"

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes, all that remain when negative; none at the end."""
        piece = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(piece)
        return piece
