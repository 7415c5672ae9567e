"""Static sites beside a service: the platform's own server for files, as a group of instances of each release.

So a site changes with the release, at the same moment, and comes back with it: its files lie in the artefact of the release.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from drystone.l10_engines.static_files.site import HEALTH
from drystone.l25_deployer.stacks.model import (
    Group,
    Health,
    ProcessArtifact,
    Reference,
    StaticArtifact,
    Stop,
)
from drystone.l25_deployer.stacks.ways import StaticSite, group_of_site

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.l25_deployer.local.records import ReleaseRecord
    from drystone.l25_deployer.stacks.model import Template

MEMORY = 128 * 1024**2


def sites_of(release: ReleaseRecord | None) -> dict[str, StaticSite]:
    """Return the static sites of a release, by the names of their resources."""
    held = release.stacks.eternal.resources if release is not None else {}
    return {name: one for name, one in held.items() if isinstance(one, StaticSite)}


def site_groups(release: ReleaseRecord, older: tuple[Path, ...]) -> dict[str, Group]:
    """Return the groups that serve the static sites of a release; none before its artefact is there.

    Args:
        release: The release.
        older: Folders of earlier releases, newest first.
    """
    artifact = release.stacks.resources.artifact
    if not release.source or not isinstance(artifact, ProcessArtifact | StaticArtifact):
        return {}
    groups = {}
    for name, site in sites_of(release).items():
        folder = within(site.dir, artifact.dir)
        if folder is not None:
            roots = (f"{release.source}/{folder}", *(f"{one}/{folder}" for one in older))
            served = StaticArtifact(
                dir=site.dir,
                index=site.index,
                spa=site.spa,
                keep_assets=site.keep_assets,
                cache=site.cache,
                headers=site.headers,
                csp=site.csp,
            )
            groups[group_of_site(name)] = static_group(served, roots[: site.keep_assets + 1])
    return groups


def within(folder: str, of: str) -> str | None:
    """Return where a folder lies in another one, both relative to the same; None when it does not."""
    inner, outer = PurePosixPath(folder), PurePosixPath(of)
    return str(inner.relative_to(outer)) if inner.is_relative_to(outer) else None


def static_group(artifact: StaticArtifact, roots: tuple[str, ...]) -> Group:
    """Serve static files by the platform's own server, an instance like any other.

    Args:
        artifact: How.
        roots: The folder, and those of earlier releases, newest first.
    """
    words: list[Template] = [
        (word,)
        for word in (sys.executable, "-m", "drystone.l10_engines.static_files", "--root", roots[0])
    ]
    words += [("--port",), (Reference("port"),), ("--index",), (artifact.index,)]
    words += [("--spa",)] if artifact.spa else []
    words += [("--csp",), (artifact.csp,)] if artifact.csp else []
    for pattern, span in artifact.cache.items():
        words += [("--cache",), (f"{pattern}={int(span.total_seconds())}",)]
    for name, value in artifact.headers.items():
        words += [("--header",), (f"{name}:{value}",)]
    for root in roots[1:]:
        words += [("--older",), (root,)]
    return Group(
        command=tuple(words),
        instances=1,
        cpu=0.5,
        memory=MEMORY,
        stop=Stop(drain=timedelta(seconds=10), grace=timedelta(seconds=10), signal="TERM"),
        serves=True,
        health=Health(
            path=HEALTH,
            interval=timedelta(seconds=5),
            timeout=timedelta(seconds=2),
            healthy=2,
            unhealthy=3,
            grace=timedelta(seconds=30),
        ),
    )
