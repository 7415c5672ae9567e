"""Which file of a site answers a path, and how long a browser may keep it."""

from __future__ import annotations

import mimetypes
import os
import re
import stat
from collections.abc import Mapping
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from drystone.l00_kernel.errors import Invalid

HEALTH = "/.drystone/health"
"""Where the server says that it serves; no file of a site can have a path with a leading dot."""

STRICT_CSP = (
    "default-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'self';"
    " frame-ancestors 'self'; object-src 'none'"
)

_OWN_HEADERS = frozenset(
    {"accept-ranges", "allow", "connection", "content-encoding", "content-length", "content-range"}
    | {"content-type", "date", "etag", "location", "transfer-encoding", "vary"}
)

_HEX_HASH = re.compile(r"[.-](?=[0-9a-f]*[0-9])(?=[0-9a-f]*[a-f])[0-9a-f]{8,64}(\.[a-z0-9]+)+$")
_SHORT_HASH = re.compile(r"[.-](?=\S*[0-9A-Z])[A-Za-z0-9_-]{8}(\.[a-z0-9]+)+$")
_BUNDLER_FOLDERS = frozenset({"assets", "_astro", "_app", "_next", "chunks", "immutable"})

_TYPES = mimetypes.MimeTypes(filenames=())
for _extension, _type in {
    ".avif": "image/avif",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}.items():
    _TYPES.add_type(_type, _extension)


_PACKED = {"gzip": "application/gzip"}


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What is served and how.

    Attributes:
        root: Folder of the release.
        older: Folders of earlier releases, newest first. Their files with a hash in the name are still
            served, so that a page loaded before a release finds the rest of itself after it.
        index: File that answers for a folder.
        spa: Whether the index of the root answers to a navigation whose path names no file.
        cache: How long a browser may keep files, by pattern of their path, as in ``fnmatch``.
        headers: Headers of every answer.
        csp: Content-Security-Policy of every answer.
        health: Path at which the server itself answers 200.
    """

    root: Path
    older: tuple[Path, ...] = ()
    index: str = "index.html"
    spa: bool = False
    cache: Mapping[str, timedelta] = {}
    headers: Mapping[str, str] = {}
    csp: str = STRICT_CSP
    health: str = HEALTH


class File(msgspec.Struct, frozen=True):
    """An opened file; whoever gets it closes it.

    Attributes:
        descriptor: The open file.
        size: In bytes.
        modified: Nanoseconds since 1970.
        name: Its path below its root, with ``/`` between the parts.
    """

    descriptor: int
    size: int
    modified: int
    name: str


def check(site: Site) -> None:
    """Refuse a site that could not be served.

    Raises:
        Invalid: The root is no folder, a header is not the site's to set, or the health path hides a
            file.
    """
    for name in site.headers:
        if name.lower() in _OWN_HEADERS:
            raise Invalid(
                f"the header {name} follows from each file and cannot be set for all of them"
            )
    if not site.root.is_dir():
        raise Invalid(f"{site.root} is not a folder; build the site first")
    if not site.health.startswith("/"):
        raise Invalid(f"the health path {site.health!r} must begin with /")
    parts = parts_of(site.health)
    if parts is not None and site.root.joinpath(*parts).exists():
        raise Invalid(f"the site has a file at the health path {site.health}; choose another path")


def parts_of(path: str) -> tuple[str, ...] | None:
    """Return the parts of a request's path (decoded); None if no file can have it.

    Hidden names, empty parts, ``..``, backslashes and control characters name no file of a site.
    """
    if not path.startswith("/"):
        return None
    parts = path[1:].split("/")
    if parts[-1] == "":
        parts.pop()
    for part in parts:
        if not part or part.startswith(".") or "\\" in part or not part.isprintable():
            return None
    return tuple(parts)


def open_file(root: Path, parts: tuple[str, ...]) -> File | None:
    """Open a regular file below a root; None if there is none.

    A link may point to another file of the same root, nowhere else and to nothing hidden.
    """
    real = _inside(root, parts)
    if real is None:
        return None
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # gone since, or not ours to read
        return None
    about = os.fstat(descriptor)
    # A folder on the way may have become a link since it was resolved; the kernel knows where we are.
    moved = os.readlink(f"/proc/self/fd/{descriptor}") != str(real)  # noqa: PTH115 - no path of a file
    if moved or not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        return None
    return File(descriptor, about.st_size, about.st_mtime_ns, "/".join(parts))


def is_folder(root: Path, parts: tuple[str, ...]) -> bool:
    """Tell whether the parts name a folder of the site that has not left it through a link."""
    real = _inside(root, parts)
    return real is not None and real.is_dir()


def _inside(root: Path, parts: tuple[str, ...]) -> Path | None:
    """Return where the parts lead, with every link followed; None if nowhere, outside or hidden."""
    try:
        top = root.resolve(strict=True)
        real = top.joinpath(*parts).resolve(strict=True)
    except (
        OSError,
        RuntimeError,
        ValueError,
    ):  # nothing there, a loop of links, an impossible name
        return None
    if not real.is_relative_to(top):
        return None
    hidden = any(part.startswith(".") for part in real.relative_to(top).parts)
    return None if hidden else real


def is_hashed(name: str) -> bool:
    """Tell whether a file's name holds a hash of its content, so that it can never change.

    A hash of hexadecimal digits counts anywhere, one of eight characters in the folders that bundlers
    fill. A date or a word is no hash: a file that is taken for unchanging cannot be corrected.
    """
    *folders, last = name.split("/")
    if _HEX_HASH.search(last):
        return True
    return not _BUNDLER_FOLDERS.isdisjoint(folders) and _SHORT_HASH.search(last) is not None


def content_type(name: str) -> str:
    """Return the media type of a file by its name."""
    # Below a slash of its own a name like "data:text/html,x" is no URL that says what it holds.
    kind, packing = _TYPES.guess_type(f"/{name}", strict=True)
    if (
        packing is not None or kind is None
    ):  # what is asked for is the packed file, not what is in it
        return _PACKED.get(packing or "", "application/octet-stream")
    is_text = kind.startswith("text/") or kind in {"application/json", "application/manifest+json"}
    return f"{kind}; charset=utf-8" if is_text else kind


def cache_control(site: Site, name: str) -> str:
    """Return how long a browser may keep a file; the first pattern that fits decides."""
    for pattern, span in site.cache.items():
        if fnmatchcase(name, pattern.lstrip("/")):
            return f"public, max-age={int(span.total_seconds())}"
    return "public, max-age=31536000, immutable" if is_hashed(name) else "no-cache"
