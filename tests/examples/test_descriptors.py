from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from drystone.descriptor import read, resolve

EXAMPLES = Path(__file__).parents[2] / "examples"
DESCRIPTORS = sorted(EXAMPLES.glob("**/service.yaml"))
THIRD_PARTY = sorted(EXAMPLES.glob("third-party/*/service.yaml"))


def name(path: Path) -> str:
    return str(path.parent.relative_to(EXAMPLES))


@pytest.mark.parametrize("path", DESCRIPTORS, ids=name)
def test_an_example_has_no_mistakes(path: Path) -> None:
    reading = read(path.read_bytes(), file=str(path))

    assert reading.problems == ()
    assert resolve(reading, "dev").descriptor.description


@pytest.mark.parametrize("path", THIRD_PARTY, ids=name)
def test_an_application_of_others_needs_fifteen_lines_at_most(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 15


@pytest.mark.parametrize("path", THIRD_PARTY, ids=name)
def test_an_application_of_others_is_installed_in_an_exact_version(path: Path) -> None:
    descriptor = read(path.read_bytes()).descriptor

    assert descriptor is not None
    assert descriptor.process is not None
    uv, pip, install, *packages = descriptor.process.setup
    assert (uv, pip, install) == ("uv", "pip", "install")
    assert all(re.fullmatch(r"[\w\[\]-]+==[\d.]+", package) for package in packages)


def test_every_package_of_the_guestbook_is_pinned() -> None:
    lines = (EXAMPLES / "guestbook/requirements.txt").read_text().splitlines()

    packages = [line for line in lines if not line.startswith("#")]
    assert packages
    assert all(re.fullmatch(r"[\w-]+==[\d.]+", package) for package in packages)


def test_the_assets_of_the_static_site_are_named_by_their_content_and_used() -> None:
    site = EXAMPLES / "static-site/site"
    page = (site / "index.html").read_text()

    assets = sorted(site.glob("assets/*"))
    for asset in assets:
        assert asset.suffixes[0] == f".{hashlib.sha256(asset.read_bytes()).hexdigest()[:10]}"
    assert sorted(re.findall(r'(?:href|src)="/(.+?)"', page)) == [
        str(asset.relative_to(site)) for asset in assets
    ]
