"""What was refused, and the line that would allow it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.times import age

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from drystone.l35_mesh.observed.api import Refusals, RefusalView

_WIDTH = 76


def refusals(found: Refusals, *, now: datetime, paint: Paint = PLAIN) -> Iterator[str]:
    """Tell each refusal with what to do about it; a line is never wrapped, since it is copied."""
    for one in found.refusals:
        yield f"{paint(one.what, Style.NAME)}: {counted(one.times)}, last {age(one.last, now)} ago"
        yield from textwrap.wrap(one.do, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        if one.line is not None:
            yield f"  {_where(one)}: {paint(one.line, Style.GOOD)}"
    if found.left_out:
        yield f"{found.left_out:,} more attempts are not told one by one"
    if found.unread:
        yield f"{found.unread:,} bytes of the log could not be read in time, or tell nothing"


def counted(times: int) -> str:
    """Say how often."""
    return "once" if times == 1 else f"{times:,} times"


def _where(one: RefusalView) -> str:
    environment, _, service = one.descriptor.partition("/")
    return f"in the descriptor of {service} ({environment})"
