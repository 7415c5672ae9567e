"""What an instance is to ``podman run``: its name, labels, limits, rights and mounts."""

from __future__ import annotations

import resource
from pathlib import Path

from drystone.l10_engines.processes import sacrifice
from drystone.l10_engines.runtimes.errors import SpecInvalid
from drystone.l10_engines.runtimes.port import InstanceSpec, Isolation

HOME, INSTANCE = "drystone.home", "drystone.instance"
"""Labels of a container: whose it is, and which."""

_MOST_FILES = 1_048_576


def options(spec: InstanceSpec, isolation: Isolation) -> list[str]:
    """Return the options of ``podman run`` for an instance, without its environment."""
    limits = {
        "memory": f"--memory={spec.limits.memory}",
        "cpu": f"--cpus={spec.limits.cpu:g}",
        "pids": f"--pids-limit={spec.limits.pids}",
    }
    words = [
        f"--name={container_name(spec)}",
        "--replace",
        f"--label={HOME}={spec.home_label}",
        f"--label={INSTANCE}={spec.id}",
        f"--cidfile={spec.state / 'container'}",
        f"--pidfile={spec.state / 'pid'}",
        f"--conmon-pidfile={spec.state / 'monitor'}",
        "--log-driver=passthrough",
        "--network=host" if spec.network is None else f"--network=ns:{spec.network}",
        "--pull=never",
        "--cap-drop=ALL",
        "--security-opt=no-new-privileges",
        f"--oom-score-adj={sacrifice.INSTANCE}",
        "--read-only",
        "--tmpfs=/tmp:rw,exec,nosuid,nodev,mode=1777",
        "--no-healthcheck",
        *_ulimits(),
        *(word for name, word in limits.items() if getattr(isolation, name)),
    ]
    for mount in spec.mounts:
        if "," in f"{mount.source}{mount.target}":
            raise SpecInvalid(f"{spec.id}: podman mounts no path with a comma: {mount}")
        mode = ",readonly=true" if mount.read_only else ""
        words.append(f"--mount=type=bind,source={mount.source},destination={mount.target}{mode}")
    if spec.directory is not None:
        words.append(f"--workdir={spec.directory}")
    return words


def container_name(spec: InstanceSpec) -> str:
    """Name an instance's container; an id has no dot, so no other label and id make the same name."""
    return f"drystone-{spec.home_label}.{spec.id}"


def _ulimits() -> list[str]:
    """Return options that keep podman from raising limits, which it may not do without CAP_SYS_RESOURCE."""
    files = _cap(resource.getrlimit(resource.RLIMIT_NOFILE)[1], _MOST_FILES)
    # Podman lowers its own limit of processes to the kernel's largest pid before it starts anything.
    largest_pid = int(Path("/proc/sys/kernel/pid_max").read_text())
    processes = _cap(resource.getrlimit(resource.RLIMIT_NPROC)[1], largest_pid)
    return [
        f"--ulimit=nofile={files}:{files}",
        f"--ulimit=nproc={processes}:{processes}",
        "--ulimit=core=0:0",
    ]


def _cap(value: int, most: int) -> int:
    return most if value == resource.RLIM_INFINITY else min(value, most)
