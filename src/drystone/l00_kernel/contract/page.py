"""Lists that come in pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from drystone.l00_kernel.errors import Invalid

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a longer list.

    Attributes:
        items: In the list's order.
        next: Cursor of the next page; None on the last.
    """

    items: list[T]
    next: str | None = None


async def every(page: Callable[[str | None], Awaitable[Page[T]]]) -> AsyncIterator[T]:
    """Yield the items of all pages.

    Args:
        page: Asks for the page that begins at a cursor; None for the first one.
    """
    cursor: str | None = None
    while True:
        found = await page(cursor)
        for item in found.items:
            yield item
        cursor = found.next
        if cursor is None:
            return


async def first(
    count: int, page: Callable[[str | None, int], Awaitable[Page[T]]], *, largest: int = 100
) -> list[T]:
    """Return so many items from the beginning of a list, or all that there are.

    Args:
        count: How many.
        page: Asks for the page that begins at a cursor, with so many items at most.
        largest: Items that a page may have.
    """
    found: list[T] = []
    cursor: str | None = None
    while len(found) < count:
        asked = await page(cursor, min(count - len(found), largest))
        found += asked.items
        cursor = asked.next
        if cursor is None:
            break
    return found


def make_cursor(position: Any) -> str:
    """Write down where the next page starts; only :func:`read_cursor` makes sense of it.

    Args:
        position: Anything msgspec can write as JSON, mostly the last item's sort key. Not a secret: it is
            encoded, not encrypted.
    """
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode()


def read_cursor(cursor: str, position: type[T]) -> T:
    """Return the position that a cursor stands for.

    Raises:
        Invalid: This is no cursor of this list.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(
            base64.b64decode(padded, altchars=b"-_", validate=True), type=position
        )
    except (ValueError, binascii.Error, RecursionError) as e:
        raise Invalid(
            "the cursor is not one that this list gave out; start again without a cursor"
        ) from e
