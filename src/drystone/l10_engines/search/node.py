"""What requests are answered with: the indices by their names, the threads that search, and the searches that go on."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import msgspec

from drystone.l10_engines.search.drafts import Draft
from drystone.l10_engines.search.errors import Refused, illegal, no_index, unreadable
from drystone.l10_engines.search.keeper import Keeper
from drystone.l10_engines.search.live import Snapshot
from drystone.l10_engines.search.records import Record

T = TypeVar("T")

SEARCHES = 2
"""Searches that run at once."""

_WAITING = 200
_SCROLLS = 20
_LONGEST_SCROLL = 3600.0


class Request(msgspec.Struct, frozen=True):
    """A request, understood as far as its path.

    Attributes:
        method: Of HTTP.
        names: Parts of the path.
        options: After the question mark.
        body: As it came.
    """

    method: str
    names: dict[str, str]
    options: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body; None when it is empty.

        Raises:
            Refused: It is not JSON.
        """
        if not self.body.strip():
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
            raise unreadable(f"the body is not JSON: {e}") from e

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return an option that is true or false."""
        said = self.options.get(name)
        if said is None:
            return default
        if said not in ("", "true", "false"):
            raise illegal(
                f"Failed to parse value [{said}] of [{name}] as only [true] or [false] are allowed."
            )
        return said != "false"

    def number(self, name: str) -> int | None:
        """Return an option that is a number."""
        said = self.options.get(name)
        if said is None:
            return None
        if not said.isdigit() or len(said) > 18:
            raise illegal(f"Failed to parse int parameter [{name}] with value [{said}]")
        return int(said)


class Answer(msgspec.Struct, frozen=True):
    """What is answered: an object, or a text."""

    body: Any
    status: int = 200


class Scroll(msgspec.Struct):
    """A search whose pages are fetched one after the other.

    Attributes:
        pages: Makes the next page; an empty one at the end.
        until: When it ends unless it is asked for more (``time.monotonic``).
    """

    pages: Callable[[], dict[str, Any]]
    until: float


class Node:
    """The indices of one resource.

    Args:
        keeper: Writes.
    """

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self._threads = ThreadPoolExecutor(SEARCHES, thread_name_prefix="search")
        self._running = 0
        self._scrolls: dict[str, Scroll] = {}

    def close(self) -> None:
        """End everything; what was answered stays."""
        self._threads.shutdown(cancel_futures=True)
        self.keeper.close()

    async def change(
        self, work: Callable[[Draft], T], *, visible: bool = False, grows: bool = True
    ) -> T:
        """Have something written; see :meth:`Keeper.submit`."""
        return await asyncio.wrap_future(self.keeper.submit(work, visible=visible, grows=grows))

    async def compute(self, work: Callable[[], T]) -> T:
        """Have something done that takes a while.

        Raises:
            Refused: Too much is being done.
        """
        if self._running >= _WAITING:
            raise Refused(
                "rejected_execution_exception",
                "too many searches wait; come back in a moment",
                status=429,
            )
        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._running -= 1

    def resolve(self, names: str, *, must: bool = True) -> list[Record]:
        """Return the indices that names mean, in order.

        Args:
            names: With commas between them and ``*``; all of them when empty or ``_all``.
            must: Whether a name without ``*`` that means none is refused.

        Raises:
            Refused: A name means no index.
        """
        catalog = self.keeper.catalog
        by_name = {record.name: record for record in catalog.records.values()}
        found: dict[int, Record] = {}
        for name in (names or "_all").split(","):
            if name.startswith("-"):
                without = [n for n, r in found.items() if fnmatchcase(r.name, name[1:])]
                for number in without:
                    del found[number]
                continue
            pattern = "*" if name == "_all" else name
            some = [by_name[name]] if name in by_name else []
            some += [
                catalog.records[alias.number] for alias in catalog.aliases if alias.name == name
            ]
            if "*" in pattern:
                some = [record for record in by_name.values() if fnmatchcase(record.name, pattern)]
                some += [
                    catalog.records[a.number]
                    for a in catalog.aliases
                    if fnmatchcase(a.name, pattern)
                ]
            elif not some and must:
                raise no_index(name[:255])
            found |= {record.number: record for record in some}
        return sorted(found.values(), key=lambda record: record.name)

    def one(self, name: str) -> Record:
        """Return the one index that a name means.

        Raises:
            Refused: It means none, or several.
        """
        found = self.resolve(name)
        if len(found) != 1 or "*" in name or "," in name:
            raise illegal(
                f"[{name[:80]}] has more than one index associated with it, can't execute a single index op"
            )
        return found[0]

    async def snapshots(self, names: str, *, must: bool = True) -> list[Snapshot]:
        """Return the indices that names mean, as searches see them now."""
        found = []
        for record in self.resolve(names, must=must):
            live = self.keeper.opened(record.number)
            if live is None:
                try:
                    live = await asyncio.wrap_future(self.keeper.open(record.number))
                except KeyError as e:
                    raise no_index(record.name) from e
            found.append(live.snapshot)
        return found

    def begin_scroll(self, pages: Callable[[], dict[str, Any]], span: float) -> str:
        """Keep a search going; return its name.

        Args:
            pages: Makes the next page.
            span: Seconds until it ends, unless it is asked for more.
        """
        self._forget_old()
        if len(self._scrolls) >= _SCROLLS:
            raise Refused(
                "rejected_execution_exception",
                f"{_SCROLLS} scrolls are open, as many as there may be; clear one, or wait for it to end",
                status=429,
            )
        name = secrets.token_urlsafe(24)
        self._scrolls[name] = Scroll(pages, time.monotonic() + min(span, _LONGEST_SCROLL))
        self.keeper.words.held = len(self._scrolls)
        return name

    def scroll(self, name: str, span: float | None) -> Scroll:
        """Return a search that goes on.

        Raises:
            Refused: It ended.
        """
        self._forget_old()
        found = self._scrolls.get(name)
        if found is None:
            raise Refused(
                "search_context_missing_exception",
                f"No search context found for id [{name[:80]}]",
                status=404,
            )
        if span is not None:
            found.until = time.monotonic() + min(span, _LONGEST_SCROLL)
        return found

    def end_scrolls(self, names: list[str] | None) -> int:
        """End searches, all of them when no names are given; return how many there were."""
        names = list(self._scrolls) if names is None else names
        count = sum(self._scrolls.pop(name, None) is not None for name in names)
        self.keeper.words.held = len(self._scrolls)
        return count

    def _forget_old(self) -> None:
        now = time.monotonic()
        self._scrolls = {name: one for name, one in self._scrolls.items() if one.until > now}
        self.keeper.words.held = len(self._scrolls)
