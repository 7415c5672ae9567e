"""What a page points at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.figure import packages
from docs.pages import ROOT, Page, anchor, page, pages

PAGES = pages()
PATH = re.compile(r"`((?:src|tests|tools|docs|examples|requirements|l\d\d_\w+)/[\w./{},-]+)`")


def problem(where: Page, link: str) -> str:
    """Say what is wrong with a link; empty if nothing is. Addresses on the network are not asked."""
    if re.match(r"https?://", link):
        return ""
    target, _, heading = link.partition("#")
    file = (ROOT / where.path).parent / target if target else ROOT / where.path
    if not file.exists():
        return f"{where.path}: {link} leads nowhere"
    if heading and heading not in page(file.resolve()).anchors:
        return f"{where.path}: {link} names no heading of {target or 'the page'}"
    return ""


def expanded(path: str) -> list[str]:
    """Write out the braces of a path: ``a/{b,c}.py`` is ``a/b.py`` and ``a/c.py``."""
    match = re.search(r"\{([^}]*)\}", path)
    if not match:
        return [path]
    return [
        one
        for word in match[1].split(",")
        for one in expanded(path[: match.start()] + word + path[match.end() :])
    ]


def is_there(path: str) -> bool:
    """Tell whether a path in the text exists; a name in capitals stands for one of the reader's."""
    start = ROOT / "src" / "drystone" if re.match(r"l\d\d_", path) else ROOT
    if re.search(r"\b[A-Z]{4,}\b", path) or "*" in path:
        return True
    return (start / path.rstrip("/")).exists()


@pytest.mark.parametrize("where", PAGES, ids=lambda where: where.path)
def test_every_link_leads_somewhere(where: Page) -> None:
    assert [found for link in where.links if (found := problem(where, link))] == []


@pytest.mark.parametrize("where", PAGES, ids=lambda where: where.path)
def test_every_file_that_is_named_exists(where: Page) -> None:
    named = [one for path in PATH.findall(where.text) for one in expanded(path)]
    assert [path for path in named if not is_there(path)] == []


def test_every_page_of_the_documentation_can_be_reached_from_the_readme() -> None:
    seen, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        here = waiting.pop().resolve()
        if here in seen or here.suffix != ".md" or not here.exists():
            continue
        seen.add(here)
        waiting += [
            here.parent / link.partition("#")[0] for link in page(here).links if link[0] != "#"
        ]
    every = {ROOT / p.path for p in PAGES if not p.path.startswith("src/")}
    assert every - seen == set()


def test_every_part_of_the_platform_has_a_page() -> None:
    for descriptor in (ROOT / "src").rglob("service.yaml"):
        text = (descriptor.parent / "README.md").read_text("utf-8")
        for word in ("Promises", "Protocol", "How it fails", "How it is recovered"):
            assert f"**{word}.**" in text, descriptor.parent.name


def test_every_layer_is_told_in_the_architecture() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    for layer in packages():
        assert f"\n### {layer[1:3]} {layer[4:]}" in text


def test_what_is_wrong_with_a_link_is_found() -> None:
    where = page(ROOT / "README.md")
    assert problem(where, "docs/nothing.md")
    assert problem(where, "LICENSE") == ""
    assert problem(where, "docs/tutorial.md#no-such-heading")
    assert problem(where, "#use-it") == ""


def test_headings_are_named_as_in_links() -> None:
    assert anchor("What it needs, and `why`") == "what-it-needs-and-why"
    assert expanded("a/{b,c}.py") == ["a/b.py", "a/c.py"]
