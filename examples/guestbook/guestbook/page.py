"""The page, rendered on the server. Whatever is put into a template is escaped unless it is Html already."""

from __future__ import annotations

import base64
import hashlib
import zlib
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from guestbook.entries import LONGEST_MESSAGE, LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestbook.entries import Entry

HERE = Path(__file__).parent
PAGE = Template((HERE / "page.html").read_text())
ENTRY = Template((HERE / "entry.html").read_text())
PROBLEM = Template('<p class="problem" role="alert">$problem</p>')


class Html(str):
    """Text that is HTML already."""


def fill(template: Template, **values: object) -> Html:
    """Put the values into a template, escaped for text and quoted attributes."""
    safe = {k: v if isinstance(v, Html) else escape(str(v)) for k, v in values.items()}
    return Html(template.substitute(safe))


class Page:
    """The look of one version: each has a colour of its own, so that a switch can be seen."""

    def __init__(self, version: str) -> None:
        self._version = version
        hue = zlib.crc32(version.encode()) % 360
        self._style = Html(f":root {{ --hue: {hue} }}\n" + (HERE / "page.css").read_text())
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self.content_security_policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "base-uri 'none'; frame-ancestors 'none'"
        )

    def render(
        self,
        entries: Sequence[Entry],
        count: int,
        *,
        problem: str = "",
        name: str = "",
        message: str = "",
    ) -> Html:
        """Return the page; name and message fill the form again after a problem."""
        return fill(
            PAGE,
            style=self._style,
            version=self._version,
            problem=fill(PROBLEM, problem=problem) if problem else "",
            name=name,
            message=message,
            longest_name=LONGEST_NAME,
            longest_message=LONGEST_MESSAGE,
            count="1 entry" if count == 1 else f"{count} entries",
            entries=Html("".join(_entry(entry) for entry in entries)),
        )


def _entry(entry: Entry) -> Html:
    through = entry.written_by_version
    return fill(
        ENTRY,
        message=entry.message,
        name=entry.name,
        moment=entry.written_at.isoformat(),
        day=f"{entry.written_at:%-d %B %Y, %H:%M %Z}",
        through=f"through version {through}" if through else "",
    )
