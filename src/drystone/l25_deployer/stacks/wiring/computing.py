"""Resources that run code of the service, when somebody or something asks for it."""

from __future__ import annotations

from drystone.l25_deployer.descriptor.schema import resources
from drystone.l25_deployer.stacks import provided
from drystone.l25_deployer.stacks.wiring.account import SHARED
from drystone.l25_deployer.stacks.wiring.shape import (
    NOW,
    Context,
    Realised,
    ResourceType,
    Wired,
    seconds,
)

AT_ONCE = 10
"""Calls at once of a function whose descriptor does not say how many."""


def _trigger(said: resources.Trigger) -> provided.Trigger:
    every = None if said.every is None else seconds(said.every)
    return provided.Trigger(said.queue, said.stream, every, said.batch, said.begin)


def _function(_name: str, resource: resources.Function, _context: Context) -> Wired:
    entry = provided.Function(
        runtime=resource.runtime,
        handler=resource.handler,
        artifact=(resource.artifact or "").strip("/"),
        timeout=seconds(resource.timeout),
        memory=resource.memory,
        concurrency=resource.concurrency or AT_ONCE,
        on={name: _trigger(said) for name, said in sorted(resource.on.items())},
        protect=resource.protect,
    )
    return Wired(entry, resource.KEYS, SHARED)


FUNCTION = ResourceType(
    resources.Function,
    _function,
    Realised(
        local="processes of the service, each as isolated as its instances, called by the protocol of Lambda",
        aws="Lambda",
        kubernetes="the same stand-in, as one Deployment, and a Deployment that runs the code",
    ),
    {
        **dict.fromkeys(
            ("runtime", "handler", "artifact", "timeout", "memory", "concurrency"), NOW
        ),
        **dict.fromkeys(("on", "on.*", "on.*.queue", "on.*.stream", "on.*.every"), NOW),
        **dict.fromkeys(("on.*.batch", "on.*.begin"), NOW),
    },
)


def _job(_name: str, resource: resources.BatchJob, _context: Context) -> Wired:
    entry = provided.BatchJob(
        command=resource.command,
        cpu=resource.size.cpu,
        memory=resource.size.memory,
        timeout=seconds(resource.timeout),
        retries=resource.retries,
        parallel=resource.parallel,
        keep=resource.keep,
        protect=resource.protect,
    )
    return Wired(entry, resource.KEYS, SHARED)


BATCH_JOB = ResourceType(
    resources.BatchJob,
    _job,
    Realised(
        local="a process of the service for each run, as isolated as its instances, asked for by `drystone jobs` or by the protocol of Batch",
        aws="Batch, on Fargate",
        kubernetes="a Job for each run",
    ),
    {
        **dict.fromkeys(("command", "timeout", "retries", "parallel", "keep"), NOW),
        **dict.fromkeys(("size", "size.cpu", "size.memory"), NOW),
    },
)
