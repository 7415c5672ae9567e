"""How homes of older formats become homes of the present one; each step is a pure function.

A new one is added at the end, together with :data:`drystone.l00_kernel.home.FORMAT` and a home of the format before it
under ``tests/faults``.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from drystone.l00_kernel.home import FORMAT_FILE
from drystone.l00_kernel.migrations import Migration

if TYPE_CHECKING:
    from drystone.l00_kernel.migrations import Documents


def paths_become_relative(documents: Documents) -> dict[str, bytes]:
    """Lead from format 1 to 2.

    Releases name the folders of their artefacts relative to the home; ``home.json`` says where the home was, as the
    releases tell. How long a release is kept warm is a record of its own. The marks of whole artefacts hold a word, so
    that an empty one is known as torn.
    """
    changed: dict[str, bytes] = {}
    places: set[str] = set()
    for name, content in documents.items():
        if name.endswith("/complete"):
            changed[name] = b"complete\n"
        elif name.endswith("/service.json"):
            service = _object(content)
            if warm := service.get("warm"):
                service["warm"] = {number: {"until": until} for number, until in warm.items()}
                changed[name] = _document(service)
        elif "/releases/" in name:
            release = _object(content)
            if found := [key for key in ("source", "runtime") if release.get(key)]:
                for key in found:
                    *above, folder, digest, part = PurePosixPath(release[key]).parts
                    release[key] = f"{folder}/{digest}/{part}"
                    places.add(str(PurePosixPath(*above)))
                changed[name] = _document(release)
    # Releases that name several places came along in an earlier move, after which nothing of them ran.
    place = places.pop() if len(places) == 1 else None
    changed[FORMAT_FILE] = msgspec.json.encode({"format": 2, **({"place": place} if place else {})})
    return changed


def _document(content: dict[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=1)


def _object(content: bytes) -> dict[str, Any]:
    """Return a document as an object; an empty one where it is damaged, which its reader tells."""
    try:
        found = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


MIGRATIONS = (
    Migration(
        2,
        ("services/*/*/service.json", "services/*/*/releases/*.json", "artifacts/*/complete"),
        paths_become_relative,
    ),
)
"""In order, from the oldest format that is known."""
