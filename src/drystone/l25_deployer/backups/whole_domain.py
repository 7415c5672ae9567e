"""What a backup of a whole platform says of itself, and what became of a recovery from one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from drystone.l25_deployer.backups.domain import FORMAT, Manifest, Part, Seal

HOME = "home.tar"
"""Everything of the home that is no data of a service: records, artefacts, secrets, keys, settings."""

LEFT_OUT = frozenset(
    {
        "backups",
        "downloads",
        "engines",
        "instances",
        "recovering.json",
        "recovered.json",
        "returning",
        "run",
        "sockets",
        "staging",
        "volumes",
    }
)
"""What of a home belongs to its place and its processes, can be fetched again, or is copied resource by resource."""

TABLES = ("platform", "orchestrator", "tables")
"""Under which the tables of the platform's own services are copied, as though they were a resource."""


class Kept(msgspec.Struct, frozen=True):
    """One resource in a backup of a whole platform.

    Attributes:
        environment: Where its service is deployed.
        service: The service.
        resource: Its name.
        at: The moment of which its data is.
        folder: Its own backup, relative to the whole one's folder.
        size: Bytes of that.
    """

    environment: str
    service: str
    resource: str
    at: datetime
    folder: str
    size: int


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup of a whole platform is.

    Attributes:
        format: As of a single backup.
        id: Begins with the moment.
        platform: Version of the platform that wrote it.
        place: Path of the home.
        at: When its records were copied.
        by: Who asked.
        seconds: How long it took.
        parts: Its files; those of the resources have manifests of their own, which are among them.
        resources: What services keep.
        states: Files of engines that keep all they have in one, by the name of the part: where each lies in the home.
        left_out: What is not in it, and why, a sentence each.
        elsewhere: Engines that run elsewhere, whose data is not in it.
        is_planned: Whether it was made by itself, and may be removed so.
        seal: How its own files are sealed; None for one that an older platform made, which are not.
    """

    format: int = FORMAT
    id: str
    platform: str
    place: str
    at: datetime
    by: str
    seconds: float = 0.0
    parts: tuple[Part, ...] = ()
    resources: tuple[Kept, ...] = ()
    states: dict[str, str] = {}
    left_out: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    is_planned: bool = False
    seal: Seal | None = None

    @property
    def about(self) -> bytes:
        """What the backup says that it is of, to which its seal is bound."""
        return f"{self.id}\0platform".encode()


class Recovering(msgspec.Struct, frozen=True):
    """A recovery that has begun, as ``recovering.json`` of the new home says.

    Attributes:
        backup: Id of the whole backup.
        folder: Where that lies.
        since: When it began.
    """

    backup: str
    folder: str
    since: datetime


class LayerReport(msgspec.Struct, frozen=True):
    """How one layer came back.

    Attributes:
        layer: Its height.
        names: The parts or services in it.
        seconds: From when the first of it was begun until the last of it was up.
        oldest: The age of the oldest data in it, in seconds, when the recovery began; None where it has none.
    """

    layer: int
    names: list[str]
    seconds: float
    oldest: float | None = None


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a recovery.

    Attributes:
        backup: Id of the whole backup.
        began: When.
        seconds: Until everything was up.
        unpacking: Seconds of it in which the backup was read, checked and unpacked.
        layers: From the ground up.
        data_age: Seconds between the oldest data in the backup and the beginning of the recovery.
        size: Bytes of the backup.
        resources: How many resources were brought back.
        failed: Parts and services that did not come up, with reasons.
        is_rehearsal: Whether the home was thrown away afterwards.
    """

    backup: str
    began: datetime
    seconds: float
    unpacking: float
    layers: list[LayerReport]
    data_age: float
    size: int
    resources: int
    failed: list[str] = []
    is_rehearsal: bool = False


class CameBack(msgspec.Struct, frozen=True):
    """A part or a service that came up.

    Attributes:
        layer: Its height.
        name: ``service.environment``, or the part.
        at: When.
        seconds: How long it took.
    """

    layer: int
    name: str
    at: datetime
    seconds: float


def layers_of(whole: Whole, steps: Iterable[CameBack], *, began: datetime) -> list[LayerReport]:
    """Say how long each layer took and how old its data is.

    Args:
        whole: The backup.
        steps: What came up.
        began: When the recovery began; ages are as of then.
    """
    by_layer: dict[int, list[CameBack]] = {}
    for step in steps:
        by_layer.setdefault(step.layer, []).append(step)
    ages: dict[str, list[float]] = {}
    for kept in whole.resources:
        name = f"{kept.service}.{kept.environment}"
        ages.setdefault(name, []).append((began - kept.at) / timedelta(seconds=1))
    found = []
    for layer in sorted(by_layer):
        names = [step.name for step in by_layer[layer]]
        up = max(step.at for step in by_layer[layer])
        since = min(step.at - timedelta(seconds=step.seconds) for step in by_layer[layer])
        old = [age for name in names for age in ages.get(name, ())]
        oldest = round(max(old), 1) if old else None
        seconds = round((up - since).total_seconds(), 3)
        found.append(LayerReport(layer, names, seconds, oldest))
    return found


def data_age(whole: Whole, began: datetime) -> float:
    """Return how old the oldest data of a backup is, in seconds; that of its records where it has none."""
    moments = [whole.at, *(kept.at for kept in whole.resources)]
    return round((began - min(moments)).total_seconds(), 1)


def kept_of(manifest: Manifest, folder: str) -> Kept:
    """Name a resource's backup within a whole one."""
    return Kept(
        manifest.environment,
        manifest.service,
        manifest.resource,
        manifest.at,
        folder,
        manifest.size,
    )


def total(whole: Whole, resources: Sequence[Kept]) -> int:
    """Return the bytes of a whole backup."""
    return sum(part.size for part in whole.parts) + sum(one.size for one in resources)
