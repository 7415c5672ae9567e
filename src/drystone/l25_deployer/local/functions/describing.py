"""Turn a function of a release into what the runtimes start: pure, given the values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l10_engines.runtimes.port import InstanceSpec, Limits, Mount
from drystone.l25_deployer.errors import DeployFailed
from drystone.l25_deployer.local.blueprints import instance_id, one_off
from drystone.l25_deployer.local.functions.errors import CallRefused
from drystone.l25_deployer.local.functions.languages import ENDINGS, interpreter_of
from drystone.l25_deployer.local.records import InstanceRecord
from drystone.l25_deployer.stacks.provided import Function

if TYPE_CHECKING:
    from drystone.l25_deployer.local.blueprints import Surroundings
    from drystone.l25_deployer.local.records import ReleaseRecord, ServiceRecord

VERSION = "$LATEST"
"""What clients of Lambda call the version that serves; there is no other."""

CORES = 1.0
PROCESSES = 128


def functions_of(release: ReleaseRecord) -> dict[str, Function]:
    """Return the functions of a release, by their names."""
    every = release.stacks.eternal.resources.items()
    return {name: resource for name, resource in every if isinstance(resource, Function)}


def worker_id(record: ServiceRecord, number: int, function: str, slot: int) -> str:
    """Name the instance in a slot; the next one in it goes on with its log."""
    return instance_id(record, number, function, f"call{slot}")


def workers_of(record: ServiceRecord, release: ReleaseRecord) -> list[InstanceRecord]:
    """Return every process that the functions of a release may have, or have had."""
    return [
        InstanceRecord(worker_id(record, release.number, name, slot), name, None)
        for name, function in functions_of(release).items()
        for slot in range(function.concurrency)
    ]


def code_of(release: ReleaseRecord, function: Function) -> Path:
    """Return the folder of a function's code.

    Raises:
        CallRefused: The release has no folder, since it is an image.
    """
    if release.source is None:
        raise CallRefused(
            "a function needs the service's code as a folder, and the service is an image; build it from a folder"
        )
    return Path(release.source, function.artifact)


def require_code(release: ReleaseRecord) -> None:
    """Make sure that the functions of a release can be run, before it serves.

    Raises:
        DeployFailed: The code of one is not where the descriptor says, or nothing here runs its language.
    """
    for name, function in functions_of(release).items():
        try:
            folder = code_of(release, function)
        except CallRefused as e:
            raise DeployFailed(f"the function {name!r} cannot run: {e}") from e
        try:
            interpreter_of(release, function.runtime, function.memory)
        except CallRefused as e:
            raise DeployFailed(f"the function {name!r} cannot run: {e}") from e
        stem = function.handler.rpartition(".")[0].replace(".", "/")
        endings = ENDINGS[function.runtime]
        if not any((folder / f"{stem}{ending}").is_file() for ending in endings):
            raise DeployFailed(
                f"the function {name!r} cannot run: its handler {function.handler!r} is looked for in"
                f" {Path(function.artifact) / stem}{endings[0]}, which is not there"
            )


def describe(
    record: ServiceRecord,
    release: ReleaseRecord,
    around: Surroundings,
    *,
    name: str,
    slot: int,
    socket: Path,
) -> InstanceSpec:
    """Describe a process that runs a function with the settings and resources of a release.

    Args:
        record: The service.
        release: The release.
        around: What its instances share.
        name: Of the function.
        slot: Which of the function's processes it is.
        socket: Where it is told what to do.

    Raises:
        CallRefused: See :func:`code_of`, or nothing on this machine runs its language.
        ValueUnknown: A reference of the descriptor has no value.
    """
    function = functions_of(release)[name]
    folder = code_of(release, function)
    by = interpreter_of(release, function.runtime, function.memory)
    base = one_off(record, release, around, (), name)
    id_ = worker_id(record, release.number, name, slot)
    own = {
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": VERSION,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory // 1024**2),
        "LAMBDA_TASK_ROOT": str(folder),
        "_HANDLER": function.handler,
    }
    return msgspec.structs.replace(
        base,
        id=id_,
        command=(*by.words, str(by.bootstrap), str(socket), str(folder), function.handler),
        environment={**base.environment, **own},
        state=around.instances / id_,
        directory=folder,
        limits=Limits(memory=function.memory, cpu=CORES, pids=PROCESSES),
        mounts=(
            *base.mounts,
            Mount(by.bootstrap, str(by.bootstrap), read_only=True),
            Mount(socket, str(socket)),
        ),
    )
