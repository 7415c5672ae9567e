"""What of a descriptor is acted on today; the rest is listed by every plan, so that nothing is ignored in silence.

The table is the whole truth: a key stands in it as acted on (``NOW``) or with a sentence that says what happens meanwhile. A test
holds that every key of the schema is covered, so a new key cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator

from drystone.l00_kernel.yaml_text.tree import Mapping, Node, Path, Scalar, dotted
from drystone.l25_deployer.descriptor.compiled import shape_of
from drystone.l25_deployer.descriptor.edges import uses
from drystone.l25_deployer.descriptor.reading import Merged
from drystone.l25_deployer.descriptor.schema.compute import Scale
from drystone.l25_deployer.descriptor.schema.descriptor import Descriptor
from drystone.l25_deployer.descriptor.shapes import Shape
from drystone.l25_deployer.stacks.compile import Facts, is_resolvable, template
from drystone.l25_deployer.stacks.limits import HELD_BODY
from drystone.l25_deployer.stacks.plan import Notice
from drystone.l25_deployer.stacks.scaling import scaling_of
from drystone.l25_deployer.stacks.wiring.registry import acted_on
from drystone.l25_deployer.stacks.wiring.shape import COMMON, NOW

_UNPROVIDED = "nothing provides this type of resource yet; variables that refer to it are left out"
_HEALTH = dict.fromkeys(
    (
        "path",
        "grpc",
        "service",
        "port",
        "interval",
        "timeout",
        "healthy",
        "unhealthy",
        "grace",
    ),
    NOW,
)
_SCALE = {
    **dict.fromkeys(("min", "max", "cpu", "memory", "requests", "latency", "cooldown"), NOW),
    "queue": NOW,
}
_SIZE = {"cpu": NOW, "memory": NOW, "disk": "temporary files are not limited yet"}


def _under(prefix: str, keys: dict[str, str]) -> dict[str, str]:
    return {prefix: NOW, **{f"{prefix}.{key}": sentence for key, sentence in keys.items()}}


RESOURCES = acted_on()
"""By type of resource and key; every other type is listed whole."""

KEYS: dict[str, str] = {
    "schema": NOW,
    "service": NOW,
    "description": NOW,
    **_under(
        "owner",
        {
            "team": NOW,
            **dict.fromkeys(("contact", "oncall", "chat"), "only the team is shown yet"),
            "cost_centre": NOW,
            "business_unit": NOW,
        },
    ),
    "tier": NOW,
    "layer": NOW,
    "plane": NOW,
    "regions": NOW,
    "resilience": NOW,
    "products": NOW,
    "data": COMMON["data"],
    "tags": NOW,
    "links": "links are not shown yet",
    "image": NOW,
    **_under(
        "process",
        {
            "command": NOW,
            "dir": NOW,
            "runtime": NOW,
            "setup": NOW,
            "artifact": "the folder is used, not the archive",
        },
    ),
    **_under(
        "static",
        dict.fromkeys(("dir", "index", "spa", "cache", "headers", "csp", "keep_assets"), NOW),
    ),
    "embedded": NOW,
    "command": NOW,
    "port": NOW,
    **_under("health", _HEALTH),
    "deepcheck": "only health is asked",
    **_under("size", _SIZE),
    **_under("scale", _SCALE),
    **_under("stop", dict.fromkeys(("drain", "grace", "signal"), NOW)),
    "workers": NOW,
    **_under("workers.*", {"command": NOW, "env": NOW}),
    **_under("workers.*.scale", _SCALE),
    **_under("workers.*.size", _SIZE),
    **_under("workers.*.health", _HEALTH),
    "sidecars": "no sidecars are started yet; variables that refer to them are left out",
    "env": NOW,
    "secrets": "secrets are not handed to instances yet; variables that refer to them are left out",
    "config": "the configuration is not watched yet",
    "resources": NOW,
    "dependencies": NOW,
    **_under(
        "dependencies.*",
        {
            "needs": NOW,
            "at": NOW,
            "environment": NOW,
            "without": NOW,
            "risk": NOW,
            "group": NOW,
            "can_change": NOW,
            **_under("accepted", dict.fromkeys(("by", "reason", "until"), NOW)),
            **dict.fromkeys(("calls", "timeout", "retries", "retry_on"), NOW),
        },
    ),
    "network": NOW,
    "network.egress": NOW,
    "network.private": NOW,
    **_under(
        "network.ingress",
        {
            "public": NOW,
            "callers": NOW,
            "enforce": NOW,
            "staff": NOW,
            "groups": NOW,
            "builds": NOW,
            "routes": NOW,
        },
    ),
    **_under(
        "network.ingress.routes.*",
        dict.fromkeys(("public", "staff", "groups", "builds"), NOW),
    ),
    **_under(
        "proxy",
        {
            "protocol": NOW,
            "timeout": NOW,
            "policy": "no policy decides yet",
            "tracing": NOW,
            "body": NOW,
            "placement": NOW,
        },
    ),
    "limits": NOW,
    **_under(
        "limits.*",
        dict.fromkeys(
            (
                "rate",
                "match",
                "burst",
                "per",
                "header",
                "algorithm",
                "counted",
                "shadow",
                "when_down",
            ),
            NOW,
        ),
    ),
    "schedules": "nothing happens on its own yet",
    "events": "events are not passed on yet",
    "alarms": COMMON["alarms"],
    **_under(
        "slo",
        {
            "availability": NOW,
            **dict.fromkeys(("latency", "window"), "objectives are not measured yet"),
        },
    ),
    "availability": NOW,
    **_under("recovery", dict.fromkeys(("least", "likely", "most"), NOW)),
    **_under("break_glass", dict.fromkeys(("takes", "cost", "runbook"), NOW)),
    "crew": NOW,
    "groups": NOW,
    "logs": "lines are kept as they are, within a bound",
    **_under(
        "deploy",
        {
            "strategy": NOW,
            "migrate": NOW,
            "smoke": NOW,
            "keep_warm": NOW,
            "keep": NOW,
            **dict.fromkeys(
                ("steps", "hold", "watch", "cohort"),
                "only the orchestrator moves traffic by degrees",
            ),
            **dict.fromkeys(
                ("after", "soak", "windows", "approve"), "only the orchestrator holds deploys back"
            ),
            "regions": "this machine is the only region",
        },
    ),
    "environments": NOW,
}
"""By key, ``*`` for a name of the author's."""


def not_acted_on(merged: Merged) -> list[Notice]:
    """List what a descriptor says in vain today, in the order of the file."""
    root = merged.positions.root
    found: dict[Path, str] = {}
    if root is not None:
        found.update(_written(root, shape_of(Descriptor), (), ()))
    found.update(_values(merged.descriptor))
    found.update(_left_out(merged))
    notices = []
    for path, sentence in found.items():
        origin = merged.positions.near(path)
        notices.append(Notice(dotted(path), origin.line if origin else 1, sentence))
    return sorted(notices, key=lambda notice: (notice.line, notice.path))


def sentence_for(pattern: Path) -> str | None:
    """Look a key up, names replaced by ``*`` and resources by their type; None when the table does not know it."""
    if pattern[:1] == ("resources",) and len(pattern) > 1:
        known = RESOURCES.get(dotted(pattern[1:]))
        return _UNPROVIDED if known is None and len(pattern) == 2 else known
    return KEYS.get(dotted(pattern))


def _written(
    node: Node, shape: Shape | None, path: Path, pattern: Path
) -> Iterator[tuple[Path, str]]:
    """Walk what was written, and stop where the table says that nothing below is acted on."""
    if not isinstance(node, Mapping):
        return
    places = set()
    for key, entry in node.entries.items():
        if key.startswith("x-") or entry.key in places:  # a short form stands for several keys
            continue
        places.add(entry.key)
        below = shape.child(key, node) if shape is not None else None
        here = (*pattern, _step(pattern, key, entry.node))
        sentence = sentence_for(here)
        if sentence:
            yield (*path, key), sentence
        elif sentence == NOW:
            yield from _written(entry.node, below, (*path, key), here)


def _step(pattern: Path, key: str, node: Node) -> str:
    """Name a step as the table does: the type of a resource, ``*`` for other names of the author's."""
    if pattern == ("resources",) and isinstance(node, Mapping):
        entry = node.entries.get("type")
        return entry.node.text if entry is not None and isinstance(entry.node, Scalar) else key
    named = pattern in (("workers",), ("dependencies",), ("limits",)) or pattern[2:] in (
        ("indexes",),
        ("on",),
    )
    return "*" if named else key


def _values(descriptor: Descriptor) -> Iterator[tuple[Path, str]]:
    """Keys that are acted on, with values that are not."""
    if descriptor.deploy.strategy == "progressive":
        yield (
            ("deploy", "strategy"),
            "acts as blue-green without the orchestrator: all traffic moves at once",
        )
    if (descriptor.proxy.body or 0) > HELD_BODY:
        sentence = "a body whose length nobody says beforehand may have 4 MiB at most, since it is held back until its end"
        yield ("proxy", "body"), sentence
    yield from _aims_in_vain(descriptor)
    for name, resource in descriptor.resources.items():
        if resource.type_name == "cache" and getattr(resource, "engine", "redis") != "redis":
            yield (
                ("resources", name),
                "memcached is not provided yet; variables that refer to it are left out",
            )


def _aims_in_vain(descriptor: Descriptor) -> Iterator[tuple[Path, str]]:
    """Aims of a number that cannot change, or of requests that nobody sends."""
    usual = Scale()
    groups: list[tuple[Path, Scale, bool]] = [(("scale",), descriptor.scale, True)]
    groups += [
        (("workers", name, "scale"), worker.scale, False)
        for name, worker in descriptor.workers.items()
    ]
    for path, scale, serves in groups:
        if scaling_of(scale, serves=serves) is None:
            for key in ("cpu", "memory", "requests", "latency", "cooldown"):
                if getattr(scale, key) != getattr(usual, key):
                    yield (*path, key), "the number of instances stays at min; 'max' lets it grow"
        elif not serves:
            for key in ("requests", "latency"):
                if getattr(scale, key) is not None:
                    yield (*path, key), "nobody sends requests to a worker; the other aims decide"
        elif descriptor.static is not None:
            yield path, "static files are served by one instance"


def _left_out(merged: Merged) -> Iterator[tuple[Path, str]]:
    """Variables and commands with references that nothing can put in yet."""
    descriptor = merged.descriptor
    facts = Facts(descriptor.service, "", merged.environment, merged.region or "")
    for path, ref in uses(descriptor, ()):
        variable = "env" in path[:-1]
        if path[0] in ("resources", "sidecars", "schedules"):
            continue
        if not is_resolvable(template(ref.text(), facts), descriptor):
            what = "is left out" if variable else "cannot be run"
            yield path, f"{what}: nothing puts in {ref.text()} yet"
