"""Lists that come in pages."""

from __future__ import annotations

import base64
import binascii
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
