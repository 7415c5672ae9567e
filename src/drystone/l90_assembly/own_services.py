"""The platform's own services, and the order in which they come up."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from drystone.l00_kernel.errors import PlatformError
from drystone.l25_deployer.dependencies.model import (
    model_of_descriptors,
    start_order,
    start_problems,
)
from drystone.l25_deployer.descriptor import Descriptor, read
from drystone.l90_assembly.console import PACKAGE as CONSOLE
from drystone.l90_assembly.signin import PROGRAM as SIGNIN
from drystone.l90_assembly.view import PROGRAM

DESCRIPTORS = (
    "drystone.l10_engines.proxy",
    "drystone.l10_engines.postgres",
    "drystone.l10_engines.objects",
    "drystone.l10_engines.aws",
    "drystone.l20_trust.keys",
    "drystone.l25_deployer",
    "drystone.l35_mesh.sidecar",
    "drystone.l35_mesh.limits",
    SIGNIN,
    "drystone.l35_mesh.migration",
    "drystone.l50_orchestrator",
    PROGRAM,
    CONSOLE,
)
"""Packages of the platform's own services, each with a ``service.yaml``."""


def platform_descriptors() -> list[Descriptor]:
    """Read the descriptors of the platform's own services.

    Raises:
        PlatformError: One has mistakes; the message shows them.
    """
    found = []
    for package in DESCRIPTORS:
        text = resources.files(package).joinpath("service.yaml").read_text()
        reading = read(text, file=f"{package}/service.yaml", embedded_allowed=True)
        if reading.descriptor is None:
            raise PlatformError(reading.report())
        found.append(reading.descriptor)
    return found


def recovery_order(own: Sequence[Descriptor]) -> Sequence[Sequence[str]]:
    """Return the platform's own services in the order in which they are recovered.

    Args:
        own: Their descriptors.

    Raises:
        PlatformError: They wait for each other, or one needs a higher layer.
    """
    model = model_of_descriptors(own)
    if problems := start_problems(model):
        raise PlatformError("\n".join(problems))
    return start_order(model).waves
