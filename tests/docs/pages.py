"""The pages of the documentation, and the blocks of code in them.

How a block is written says what is done with it:

* ``console``: lines that start with ``$`` are run in one shell per page, with a platform behind them; the lines below a
  command are parts of what it prints, in this order, and ``…`` in them is anything (see :func:`docs.shell.missing`);
* a block with ``title="NAME"`` is the file NAME, written when the page is run;
* ``yaml`` is a descriptor, or a part of one;
* ``toml`` is the settings of a home;
* ``text``, ``mermaid`` and ``json`` are for reading.

A comment in the line before a block says what is different: ``<!-- exit 1 -->`` for a block whose last command ends with 1,
``<!-- not run: REASON -->`` for one that cannot be run or checked here.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(
    r"(?:^<!-- (?P<note>.*?) -->\n)?^```(?P<language>[a-z]+)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)


class Block(msgspec.Struct, frozen=True):
    """One fenced block.

    Attributes:
        language: The word behind the fence.
        title: Name of the file that it is; empty when it is none.
        text: What stands in it.
        line: Line of the page at which it begins.
        exit_code: With which the last command must end.
        not_run: Why it is not run or checked; empty when it is.
    """

    language: str
    title: str
    text: str
    line: int
    exit_code: int = 0
    not_run: str = ""


class Page(msgspec.Struct, frozen=True):
    """One page.

    Attributes:
        path: From the root of the project.
        text: What stands in it.
        blocks: Its blocks, in order.
    """

    path: str
    text: str
    blocks: tuple[Block, ...]

    @property
    def is_made(self) -> bool:
        """Whether the page is made from the code."""
        return "<!-- Made from " in self.text[:300]

    @property
    def links(self) -> list[str]:
        """Where its links lead, those in blocks left out."""
        return _LINK.findall(_FENCE.sub("", self.text))

    @property
    def anchors(self) -> set[str]:
        """Names of its headings, as links name them."""
        return {anchor(heading) for heading in _HEADING.findall(_FENCE.sub("", self.text))}


def anchor(heading: str) -> str:
    """Return the name that a heading has in links: lower case, hyphens for spaces, no punctuation."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).strip().replace(" ", "-")


def pages() -> list[Page]:
    """Read every page: the README, those under ``docs``, and the READMEs beside code and examples."""
    found = [ROOT / "README.md", ROOT / "examples" / "README.md"]
    found += sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "src").rglob("README.md"))
    return [page(path) for path in found]


def page(path: Path) -> Page:
    """Read one page."""
    text = path.read_text("utf-8")
    return Page(str(path.relative_to(ROOT)), text, blocks_of(text))


def blocks_of(text: str) -> tuple[Block, ...]:
    """Find the blocks of a page."""
    return tuple(_block(text, match) for match in _FENCE.finditer(text))


def _block(text: str, match: re.Match[str]) -> Block:
    what, _, reason = (match["note"] or "").partition(":")
    return Block(
        language=match["language"],
        title=match["title"] or "",
        text=match["text"],
        line=text.count("\n", 0, match.start("language")) + 1,
        exit_code=int(what.removeprefix("exit ")) if what.startswith("exit ") else 0,
        not_run=reason.strip() if what == "not run" else "",
    )
