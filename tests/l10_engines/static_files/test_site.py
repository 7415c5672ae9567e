from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.static_files.site import (
    Site,
    cache_control,
    check,
    content_type,
    is_hashed,
    open_file,
    parts_of,
)

SECRET = b"not for you"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Path]:
    """A site with things around and inside it that must never be served."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        root = Path(place, "site")
        Path(root, "a/b").mkdir(parents=True)
        Path(root, "a/b/page.html").write_bytes(b"page")
        Path(place, "secret").write_bytes(SECRET)
        Path(root, ".env").write_bytes(SECRET)
        Path(root, ".git").mkdir()
        Path(root, ".git/config").write_bytes(SECRET)
        Path(root, "out").symlink_to("../secret")
        Path(root, "up").symlink_to("..")
        Path(root, "dot").symlink_to(".env")
        Path(root, "self").symlink_to("self")
        Path(root, "alias.html").symlink_to("a/b/page.html")
        os.mkfifo(root / "pipe")
        yield root


def served(root: Path, path: str) -> bytes | None:
    parts = parts_of(path)
    file = open_file(root, parts) if parts is not None else None
    if file is None:
        return None
    try:
        return os.read(file.descriptor, file.size)
    finally:
        os.close(file.descriptor)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret",
        "/a/../../secret",
        "/a/b/../../../secret",
        "//secret",
        "/./secret",
        "/.env",
        "/.git/config",
        "/a/.hidden",
        "/out",
        "/up/secret",
        "/dot",
        "/self",
        "/pipe",
        "/a",
        "/a\\..\\..\\secret",
        "/secret\0",
        "secret",
        "",
        "/" + "x" * 5000,
    ],
)
def test_what_is_hidden_outside_or_no_file_is_not_served(guarded: Path, path: str) -> None:
    assert served(guarded, path) is None


def test_a_link_inside_the_site_is_followed(guarded: Path) -> None:
    assert served(guarded, "/alias.html") == b"page"


_PIECES = st.sampled_from(
    ["..", ".", "", "a", "b", "up", "out", "dot", "secret", ".env", ".git", "config", "site", "\\"]
) | st.text(max_size=5)


@given(st.lists(_PIECES, max_size=8).map(lambda pieces: "/" + "/".join(pieces)))
def test_no_path_reaches_a_secret(guarded: Path, path: str) -> None:
    assert served(guarded, path) in {None, b"page"}


@pytest.mark.parametrize(
    "name",
    ["app.3f9a1c2b.js", "main-0a1b2c3d4e5f.css", "assets/index-BfF3xZ9q.js", "x.0a1b2c3d.js.map"],
)
def test_a_name_with_a_hash_never_changes(name: str) -> None:
    assert is_hashed(name)


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "report-20251105.pdf",
        "my-facade.js",
        "jquery-migration.js",
        "photos/Summer-Pictures.jpg",
        "assets/site-migrates.js",
        "index-BfF3xZ9q.js",
        "v2.json",
    ],
)
def test_a_word_or_a_date_is_no_hash(name: str) -> None:
    assert not is_hashed(name)


def test_the_first_pattern_that_fits_decides_how_long_a_file_is_kept(tmp_path: Path) -> None:
    rules = {"/img/*": timedelta(hours=1), "*.png": timedelta(days=1)}
    site = Site(root=tmp_path, cache=rules)
    assert cache_control(site, "img/a.png") == "public, max-age=3600"
    assert cache_control(site, "b.png") == "public, max-age=86400"
    assert cache_control(site, "index.html") == "no-cache"
    assert cache_control(site, "app.3f9a1c2b.js").endswith("immutable")


def test_types_do_not_depend_on_the_machine() -> None:
    assert content_type("a.js") == "text/javascript; charset=utf-8"
    assert content_type("a.wasm") == "application/wasm"
    assert content_type("a.woff2") == "font/woff2"
    assert content_type("a") == "application/octet-stream"


def test_a_site_that_cannot_be_served_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="not a folder"):
        check(Site(root=tmp_path / "none"))
    with pytest.raises(Invalid, match="Content-Length"):
        check(Site(root=tmp_path, headers={"Content-Length": "1"}))
    (tmp_path / "up").write_text("x")
    with pytest.raises(Invalid, match="health path"):
        check(Site(root=tmp_path, health="/up"))
