"""``drystone export``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from drystone.l25_deployer.exchange.leaving import Leaving
from drystone.l85_surfaces.cli.dependencies.writing import written_once
from drystone.l85_surfaces.cli.errors import DescriptorMistaken, FileThere
from drystone.l85_surfaces.cli.options import NOTHING_SAID, Environment, Shared
from drystone.l85_surfaces.cli.parameters import Parameter
from drystone.l85_surfaces.cli.reach import context, environment_of, platform
from drystone.l85_surfaces.cli.sources import load
from drystone.l85_surfaces.cli.terminal import Terminal, remark
from drystone.l85_surfaces.cli.views import exchange as views


async def export(
    *services: Annotated[
        str,
        Parameter(
            required=True,
            help="Services of the platform, or descriptors: what has a slash or ends with .yaml is a file.",
        ),
    ],
    to: Annotated[
        Literal["compose", "kubernetes"], Parameter(show_default=False, help="What to write.")
    ],
    env: Environment = None,
    version: Annotated[
        str, Parameter(help="Which version of what descriptors describe; what is deployed has one.")
    ] = "1",
    output: Annotated[
        str | None,
        Parameter(
            name=("--output", "-o"),
            metavar="DIR",
            help="Where the files go; they must not be there yet. [default: standard output]",
        ),
    ] = None,
    shared: Shared = NOTHING_SAID,
) -> None:
    """Write services as others read them: a Compose file, or plain manifests for Kubernetes.

    Tells what is left behind and what is left to do. Values of secrets and data are not exported.
    """
    from drystone.l25_deployer.exchange.targets import TARGETS  # noqa: PLC0415 - loads all of them

    out = Terminal(json=shared.json)
    environment = environment_of(env, shared.folder)
    files = [one for one in services if _is_file(one)]
    found = [_described(one, environment, version) for one in files]
    deployed = [one for one in services if one not in files]
    if deployed:
        found += await _standing(deployed, environment, shared)
    made = TARGETS[to](found, source=", ".join(services))
    if output is not None:
        written = _write(output, made.files)
        out.document({"written": written, "remarks": made.remarks})
        out.lines(views.exported(made, written, paint=out.paint))
        return
    out.document({"files": made.files, "remarks": made.remarks})
    for line in views.exported(made, []):
        remark(line)
    out.text("".join(made.files.values()))


def _write(output: str, files: Mapping[str, str]) -> list[str]:
    places = {str(Path(output, name)): text for name, text in files.items()}
    for place in places:
        if os.path.lexists(place):
            raise FileThere(f"{place} is there already; nothing was written", file=place)
    Path(output).mkdir(parents=True, exist_ok=True)
    for place, text in places.items():
        written_once(place, text.encode())
    return list(places)


def _is_file(name: str) -> bool:
    return "/" in name or name.endswith((".yaml", ".yml"))


def _described(file: str, environment: str, version: str) -> Leaving:
    from drystone.l25_deployer.exchange.leaving import leaving  # noqa: PLC0415 - for files alone

    reading = load(file)
    if reading.descriptor is None:
        raise DescriptorMistaken(f"{file} has mistakes\n\n{reading.report()}", file=file)
    return leaving(reading, environment, version)


async def _standing(names: list[str], environment: str, shared: Shared) -> list[Leaving]:
    from drystone.l25_deployer.exchange.leaving import standing  # noqa: PLC0415 - for these alone

    async with platform(shared.folder) as api:
        return [
            standing(name, await api.standing(context(), environment=environment, service=name))
            for name in names
        ]
