"""Turn a release's record into what the runtimes start: pure, given the values."""

from __future__ import annotations

import hashlib
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.runtimes.port import InstanceSpec, Limits, Mount
from drystone.l25_deployer.local.instances import Blueprint
from drystone.l25_deployer.local.records import InstanceRecord
from drystone.l25_deployer.local.sites import site_groups, static_group
from drystone.l25_deployer.local.templates import fill, fill_command
from drystone.l25_deployer.stacks.model import (
    WEB,
    Group,
    Reference,
    StaticArtifact,
    Volume,
)
from drystone.l25_deployer.stacks.ways import Certificate, is_of_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from drystone.l20_trust.keys.api import Given
    from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord
    from drystone.l25_deployer.stacks.model import Command

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MAX_ID = 63
_BARE = {"PATH": SYSTEM_PATH, "LANG": "C.UTF-8"}


def instance_id(record: ServiceRecord, number: int, group: str, what: str) -> str:
    """Name an instance: readable, unique in the home, at most 63 characters of ``[a-z0-9-]``.

    Names that hold dashes could be told apart from their neighbours in more than one way (``a-b`` in ``c``, ``a`` in
    ``b-c``), of which a digest makes one. A service's own name may hold them: it is what the others leave over.
    """
    full = f"{record.service}-{record.environment}-r{number}-{group}-{what}"
    if len(full) <= MAX_ID and "-" not in record.environment + group:
        return full
    parts = (record.service, record.environment, number, group, what)
    tail = hashlib.sha256(repr(parts).encode()).hexdigest()[:10]
    return f"{full[: MAX_ID - 11]}-{tail}"


def lay_out(
    record: ServiceRecord,
    release: ReleaseRecord,
    lend_port: Callable[[], int],
    counts: Mapping[str, int] | None = None,
) -> tuple[InstanceRecord, ...]:
    """Decide which instances a release has, and give each that serves a port.

    Args:
        record: The service.
        release: The release.
        lend_port: Finds a port.
        counts: How many there are of a group, where that is not as many as its descriptor says.
    """
    groups = groups_of(release)
    return tuple(
        InstanceRecord(
            instance_id(record, release.number, name, str(index)),
            name,
            lend_port() if group.serves else None,
        )
        for name, group in groups.items()
        for index in range((counts or {}).get(name, group.instances))
    )


def lay_out_more(
    record: ServiceRecord,
    release: ReleaseRecord,
    name: str,
    count: int,
    lend_port: Callable[[], int],
) -> tuple[InstanceRecord, ...]:
    """Decide which instances a group of a release gets in addition; each has a name that none has now."""
    group = groups_of(release)[name]
    taken = {one.id for one in release.instances}
    ids = (instance_id(record, release.number, name, str(index)) for index in itertools.count())
    free = itertools.islice((id_ for id_ in ids if id_ not in taken), count)
    return tuple(InstanceRecord(id_, name, lend_port() if group.serves else None) for id_ in free)


class Surroundings(msgspec.Struct, frozen=True):
    """What every instance of a release shares.

    Attributes:
        values: What references stand for.
        instances: Folder of the home that holds one folder for each instance.
        volumes: Folder of each volume, by resource name.
        older: Folders of earlier releases' static files, newest first.
        label: Names the home.
        network: The network that they live in; the host's when None.
    """

    values: Mapping[tuple[str, str, str], str]
    instances: Path
    volumes: Mapping[str, Path]
    label: str
    older: tuple[Path, ...] = ()
    network: Path | None = None


def blueprints(
    record: ServiceRecord, release: ReleaseRecord, around: Surroundings
) -> tuple[Blueprint, ...]:
    """Describe every instance of a release.

    Raises:
        ValueUnknown: A reference of the descriptor has no value.
    """
    groups = groups_of(release, around.older)
    return tuple(
        _blueprint(record, release, around, one, groups[one.group]) for one in release.instances
    )


def one_off(
    record: ServiceRecord, release: ReleaseRecord, around: Surroundings, command: Command, what: str
) -> InstanceSpec:
    """Describe a command that runs once with the code, settings and resources of a release.

    Args:
        record: The service.
        release: The release.
        around: See :class:`Surroundings`.
        command: What to run.
        what: Names the run, unique among those of the release.
    """
    group = groups_of(release).get(WEB) or next(iter(groups_of(release).values()))
    named = InstanceRecord(instance_id(record, release.number, "once", what), WEB, None)
    env = {name: value for name, value in group.env.items() if Reference("port") not in value}
    bare = msgspec.structs.replace(group, command=command, env=env, serves=False, health=None)
    return _blueprint(record, release, around, named, bare).spec


def groups_of(release: ReleaseRecord, older: tuple[Path, ...] = ()) -> dict[str, Group]:
    """Return the groups of a release; static files are served by a group of their own.

    Args:
        release: The release.
        older: Folders of earlier releases' static files, newest first.
    """
    artifact = release.stacks.resources.artifact
    groups = dict(release.stacks.deployment.groups)
    if isinstance(artifact, StaticArtifact) and release.source:
        groups[WEB] = static_group(artifact, (release.source, *map(str, older)))
    return {**groups, **site_groups(release, older)}


def with_keys(spec: InstanceSpec, given: Given | None) -> InstanceSpec:
    """Give an instance that starts now what it proves itself with; what its descriptor sets stays as it is set."""
    if given is None:
        return spec
    return msgspec.structs.replace(
        spec,
        environment={**given.environment, **spec.environment},
        mounts=(*spec.mounts, Mount(given.folder, str(given.folder), read_only=True)),
    )


def _blueprint(
    record: ServiceRecord,
    release: ReleaseRecord,
    around: Surroundings,
    one: InstanceRecord,
    group: Group,
) -> Blueprint:
    is_site = is_of_site(one.group)
    values = dict(around.values)
    values["build", "", ""] = release.artifact
    if one.port is not None:
        values["port", "", ""] = str(one.port)
    spec = InstanceSpec(
        id=one.id,
        command=fill_command(group.command, values),
        # The platform's own program gets nothing of the service's.
        environment=_BARE if is_site else _environment(release, one, group, values),
        state=around.instances / one.id,
        directory=Path(release.source) if release.source else None,
        limits=Limits(memory=group.memory, cpu=group.cpu),
        mounts=() if is_site else _mounts(release, around),
        image=None if is_site else release.image,
        home_label=around.label,
        network=around.network,
    )
    return Blueprint(one.group, spec, one.port, group.health, group.stop, group.protocol or "http1")


def _environment(
    release: ReleaseRecord,
    one: InstanceRecord,
    group: Group,
    values: Mapping[tuple[str, str, str], str],
) -> dict[str, str]:
    """Give an instance the platform's variables, then the resources', then the descriptor's own."""
    env = {
        "PATH": SYSTEM_PATH,
        "LANG": "C.UTF-8",
        "DRYSTONE_RELEASE": str(release.number),  # the other names are compiled into the stack
    }
    if release.runtime:
        env["PATH"] = f"{release.runtime}/bin:{SYSTEM_PATH}"
        env["VIRTUAL_ENV"] = release.runtime
        env["PYTHONUNBUFFERED"] = "1"  # a log line must not wait for a full buffer
    if release.image:
        del env["PATH"], env["LANG"]  # the image has its own
    if one.port is not None:
        env["PORT"] = str(one.port)
    templates = {**release.stacks.resources.env, **group.env}
    return env | {name: fill(template, values) for name, template in templates.items()}


def _mounts(release: ReleaseRecord, around: Surroundings) -> tuple[Mount, ...]:
    volumes = (
        around.volumes[name]
        for name, resource in release.stacks.eternal.resources.items()
        if isinstance(resource, Volume)
    )
    is_static = isinstance(release.stacks.resources.artifact, StaticArtifact)
    certificates = (
        Path(around.values["resources", name, "certificate"]).parents[1]
        for name, resource in release.stacks.eternal.resources.items()
        if isinstance(resource, Certificate)
    )
    read_only: Iterable[str] = filter(None, (release.source, release.runtime))
    if release.image:
        read_only = ()
    return (
        *(Mount(Path(path), path, read_only=True) for path in read_only),
        *(Mount(path, str(path), read_only=True) for path in around.older if is_static),
        *(Mount(path, str(path), read_only=True) for path in certificates),
        *(Mount(path, str(path)) for path in volumes),
    )
