"""Which file systems a platform fills."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l00_kernel.home import Home


def disks_of(home: Home) -> tuple[Path, ...]:
    """Return the folders of a home that may lie on file systems of their own."""
    names = ("proxy", "postgres", "objects", "aws", "caches", "searches")
    engines = [home.engines / name for name in names]
    parts = (home.services, home.instances, home.artifacts, home.volumes, home.secrets, home.run)
    return (home.path, *parts, home.engines, *engines, home.path / "downloads")
