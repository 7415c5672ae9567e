"""Which line of the descriptor caused a field of a stack."""

from __future__ import annotations

from collections.abc import Mapping

from drystone.l00_kernel.yaml_text.tree import Path
from drystone.l25_deployer.descriptor.reading import Merged, Origin
from drystone.l25_deployer.stacks.leaves import StackPath, flatten
from drystone.l25_deployer.stacks.model import WEB, Stacks

_ENVIRONMENT: dict[str, Path] = {
    "service": ("service",),
    "owner": ("owner", "team"),
    "tier": ("tier",),
    "hosts": ("service",),
    "timeout": ("proxy", "timeout"),
    **{
        key: ("network", "ingress", key)
        for key in ("public", "staff", "callers", "builds", "groups")
    },
    "shadow": ("network", "ingress", "enforce"),
    "egress": ("network", "egress"),
    "private": ("network", "private"),
    **{key: ("proxy", key) for key in ("body", "tracing", "placement")},
    "description": ("description",),
    "layer": ("layer",),
}
_GROUP: dict[str, Path] = {
    "command": ("command",),
    "instances": ("scale", "min"),
    "cpu": ("size", "cpu"),
    "memory": ("size", "memory"),
    "port": ("port",),
}


def trace(stacks: Stacks, merged: Merged) -> dict[StackPath, Origin]:
    """Tell for each field of the stacks where the descriptor causes it.

    A default is traced to the block around it that was written; what comes from the platform alone, such as the version, has
    no origin.
    """
    found = {}
    for path, value in flatten(stacks).items():
        cause = _cause(path, value, merged)
        origin = merged.positions.near(cause) if cause else None
        if origin is not None:
            found[path] = origin
    return found


def _cause(path: StackPath, value: object, merged: Merged) -> Path | None:
    stack, field, *rest = path
    match stack:
        case "eternal":
            return ("resources", *rest)
        case "resources":
            return _release(field, rest, value, merged)
        case "deployment":
            return _group(rest[0], rest[1:], merged)
        case "environment":
            return _surrounding(field, rest)
        case _:
            return ("deploy", field, *rest)


def _surrounding(field: str, rest: list[str]) -> Path | None:
    match field:
        case "doors":
            return ("network", "ingress", "routes", *rest)
        case "dependencies":
            return (
                "dependencies",
                *("can_change" if step == "is_fixed" else step for step in rest),
            )
        case "limits":
            return ("limits", *("rate" if step in ("count", "period") else step for step in rest))
        case "accounting":
            return _account(rest)
        case "claims":
            return ("slo", "availability") if rest == ["slo"] else tuple(rest)
        case _:
            return _ENVIRONMENT.get(field)


def _account(rest: list[str]) -> Path:
    match rest:
        case ["resources", name, "units", *_]:
            return ("resources", name)
        case ["tags" | "resources", *_]:
            return tuple(rest)
        case _:
            return ("owner", *rest)


def _release(field: str, rest: list[str], value: object, merged: Merged) -> Path | None:
    match field:
        case "artifact":
            return _artifact(rest, merged)
        case "env":
            return _variable(rest[0], value, merged)
        case "settings":
            return (rest[0],)
        case _:
            return None


def _artifact(rest: list[str], merged: Merged) -> Path:
    descriptor = merged.descriptor
    for key in ("image", "process", "static", "embedded"):
        if getattr(descriptor, key) is not None:
            written_whole = key in ("image", "embedded") or rest == ["type"]
            return (key,) if written_whole else (key, *rest)
    return ()


def _variable(name: str, value: object, merged: Merged) -> Path | None:
    """A variable is written, or a resource injects it."""
    if name in merged.descriptor.env:
        return ("env", name)
    parts = value if isinstance(value, list) else []
    first = parts[0] if parts else None
    if isinstance(first, Mapping) and first.get("space") == "resources":
        return ("resources", str(first["name"]))
    return None


def _group(group: str, rest: list[str], merged: Merged) -> Path | None:
    field, *below = rest
    if group == WEB and field == "env":
        return ("env", *below) if below[0] in merged.descriptor.env else None
    if field == "stop":
        return ("stop", *below)
    if field == "scaling":
        step, *below = below
        field, below = "scale", [{"most": "max", "queues": "queue"}.get(step, step), *below]
    inner: Path | None = (
        (field, *below) if field in ("health", "env", "scale") else _GROUP.get(field)
    )
    if group == WEB and field == "protocol":
        return ("proxy", "protocol")
    if group != WEB:
        return ("workers", group, *inner) if inner else ("workers", group)
    if field == "command" and merged.descriptor.process is not None:
        return ("process", "command")
    return inner
