"""Every example of the documentation works as it is written."""

from __future__ import annotations

import re
import tomllib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from docs.pages import ROOT, Block, Page, blocks_of, pages
from docs.shell import Place, commands, missing, place, play, shell
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings import Settings
from drystone.l05_graph.forms import disaster, rules, scenario, survey
from drystone.l25_deployer.descriptor import read

PAGES = pages()
PLAYED = [
    page for page in PAGES if any(b.language == "console" and not b.not_run for b in page.blocks)
]
LANGUAGES = {"console", "yaml", "toml", "text", "mermaid", "json", "python"}


def checked(language: str) -> list[tuple[Page, Block]]:
    return [
        (page, block)
        for page in PAGES
        for block in page.blocks
        if block.language == language and not block.not_run
    ]


LONG = {"docs/how-to/move-and-back-up.md", "docs/how-to/deploy-from-afar.md"}
"""Pages that take long: they bring up further platforms, or bring them back, which tests of their own do each time."""


def marked(pages: Iterable[Page]) -> list[object]:
    """Return pages as parameters; what takes long runs on demand."""
    return [
        pytest.param(page, marks=[pytest.mark.slow] if page.path in LONG else []) for page in pages
    ]


def named(value: object) -> str:
    return f"{value.line}" if isinstance(value, Block) else getattr(value, "path", str(value))


def turns(page: Page) -> list[str]:
    """Return the commands of a page that start or stop the platform."""
    typed = [
        command
        for block in page.blocks
        if block.language == "console" and not block.not_run
        for command, _ in commands(block)
    ]
    return [c for c in typed if re.fullmatch(r"(make|drystone) (up|down)( --detach)?", c)]


def deployed(page: Page) -> set[str]:
    """Return the names of services that a page writes or makes, but for those of a sandbox, which has a platform of its own."""
    if "$ drystone sandbox" in page.text:
        return set()
    written = [b.text for b in page.blocks if b.language == "yaml"]
    typed = [b.text for b in page.blocks if b.language == "console" and not b.not_run]
    return {
        *re.findall(r"^service: (\S+)", "\n".join(written), re.MULTILINE),
        *re.findall(r"^\$ drystone new [a-z]+ ([a-z]\S*)", "\n".join(typed), re.MULTILINE),
    }


def test_pages_that_share_a_platform_name_their_services_apart() -> None:
    names = [name for page in PLAYED if not turns(page) for name in deployed(page)]
    assert len(names) > 10
    assert [name for name in set(names) if names.count(name) > 1] == []


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared() -> AsyncIterator[Place]:
    """A running platform for every page that lets it run."""
    async with place() as where:
        await where.platform.must("up", "--detach")
        yield where


@pytest.mark.timeout(300)
@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("page", marked(p for p in PLAYED if not turns(p)), ids=named)
async def test_what_a_page_tells_to_type_does_what_the_page_says(
    page: Page, shared: Place, tmp_path: Path
) -> None:
    async with shell(tmp_path, shared) as one:
        differences = await play(page, one)
    assert not differences, "\n\n" + "\n\n".join(differences)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", marked(p for p in PLAYED if turns(p)), ids=named)
async def test_a_page_that_starts_and_stops_the_platform_does_what_it_says(
    page: Page, tmp_path: Path
) -> None:
    async with place() as where, shell(tmp_path, where) as one:
        if not turns(page)[0].endswith(("up", "up --detach")):
            await where.platform.must("up", "--detach")
        differences = await play(page, one)
    assert not differences, "\n\n" + "\n\n".join(differences)


FORMS: dict[str, Callable[[str], object]] = {
    "components": survey.read,
    "changes": scenario.read,
    "lost": disaster.read,
    "levels": rules.read,
}
"""What reads a text that is no descriptor, by a key that it has."""


@pytest.mark.parametrize(("page", "block"), checked("yaml"), ids=named)
def test_a_descriptor_or_a_part_of_one_has_no_mistakes(page: Page, block: Block) -> None:
    written = yaml.safe_load(block.text)
    for key, reads in FORMS.items():
        if key in written:
            assert reads(block.text), f"{page.path}:{block.line}"
            return
    head = {"schema": 1, "service": "example", "owner": "docs"}
    lacking = {key: value for key, value in head.items() if key not in written}
    if not written.keys() & {"process", "image", "static"}:
        lacking["process"] = {"command": ["python", "-m", "example"]}
    report = read(f"{block.text}\n{yaml.safe_dump(lacking) if lacking else ''}").report()
    assert report == "", f"{page.path}:{block.line}"


@pytest.mark.parametrize(("page", "block"), checked("toml"), ids=named)
def test_settings_are_settings(page: Page, block: Block, tmp_path: Path) -> None:
    assert tomllib.loads(block.text), f"{page.path}:{block.line}"
    (tmp_path / "settings.toml").write_text(block.text)
    assert Settings.load(Home(tmp_path), {}).sources


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_a_block_is_checked_or_says_why_not(page: Page) -> None:
    assert [
        f"{page.path}:{block.line}: {block.language}"
        for block in page.blocks
        if not (block.language in LANGUAGES or block.title or block.not_run)
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_fence_is_left_open(page: Page) -> None:
    fences = re.findall(r"^```", page.text, re.MULTILINE)
    assert len(fences) == 2 * len(page.blocks), page.path


def test_the_notes_before_a_block_are_read() -> None:
    text = (
        "<!-- exit 1 -->\n```console\n$ false\n```\n\n"
        '<!-- not run: too slow -->\n```ini title="a"\nx\n```\n'
    )
    failing, slow = blocks_of(text)
    assert (failing.exit_code, failing.not_run, commands(failing)) == (1, "", [("false", [])])
    assert (slow.not_run, slow.title, slow.line) == ("too slow", "a", 7)


@pytest.mark.parametrize(
    ("line", "printed", "is_there"),
    [
        ("✓ build 0.02 s", "✓ build   10.70 s  of a", True),
        ("version 2", "version 1", False),
        ("pid 123", "pid 4567", True),
        ("exit code 1", "exit code 2", False),
        ("a 3278b4a3bb894035", "a 0000b4a3bb890000", True),
        (":8400/", ":8401/", False),
        ("web-… ended (1)", "instance web-1 ended (1)", True),
        ("web-… ended", "instance web-1 runs", False),
    ],
)
def test_only_what_is_measured_may_differ(line: str, printed: str, *, is_there: bool) -> None:
    assert (missing([line], printed) == []) is is_there


def test_lines_stand_in_the_order_of_the_page() -> None:
    assert missing(["b", "a"], "a\nb\n") == ["a"]


def test_the_readme_is_among_the_pages() -> None:
    assert (ROOT / "README.md").exists()
    assert {"README.md", "docs/tutorial.md"} <= {page.path for page in PLAYED}
