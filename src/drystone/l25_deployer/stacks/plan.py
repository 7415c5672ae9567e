"""What a deploy would change: the difference of two sets of stacks, field by field, with its consequences.

A plan is made, shown and then carried out by somebody else; making it changes nothing. Whatever deletes data is marked, and refused
until the resource's name is given, unless the resource gave up its protection in the release that runs now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal, TypeAlias

import msgspec

from drystone.l25_deployer.descriptor.reading import Origin
from drystone.l25_deployer.stacks import leaves
from drystone.l25_deployer.stacks.leaves import Leaf, StackPath
from drystone.l25_deployer.stacks.model import Stacks

Effect: TypeAlias = Literal["create", "new-release", "in-place", "delete-data", "remove", "refused"]
"""What a change means: ``delete-data`` is confirmed or unprotected, ``refused`` is neither or impossible."""

_UNITS = (
    ("eternal", "resources"),
    ("deployment", "groups"),
    ("environment", "dependencies"),
    ("environment", "limits"),
)
"""Mappings whose entries come and go as one."""

_CONSEQUENCES: tuple[tuple[StackPath, Effect, str], ...] = (
    (
        ("eternal", "resources", "*", "version"),
        "refused",
        "the version of an engine does not change in place: add a resource and move the data",
    ),
    *(
        (
            ("eternal", "resources", "*", key),
            "refused",
            "what is in it is found or ordered by this: add a resource with another name, and move the data",
        )
        for key in ("key", "sort", "fifo", "generate")
    ),
    (
        ("eternal", "resources", "*", "protect"),
        "in-place",
        "in place: decides how the data may be removed from now on",
    ),
    (("resources",), "new-release", "new release"),
    (("deployment", "groups", "*", "instances"), "in-place", "in place: starts or stops instances"),
    (("deployment", "groups", "*", "scaling"), "in-place", "in place: how their number follows"),
    (("deployment", "groups", "*", "health"), "in-place", "in place"),
    (("deployment", "groups", "*", "stop"), "in-place", "in place"),
    (("deployment",), "new-release", "new release"),
    (("environment", "hosts"), "in-place", "in place: at the edge"),
    (("environment", "timeout"), "in-place", "in place: at the edge"),
    (("environment", "public"), "in-place", "in place: at the edge"),
    *(
        (("environment", key), "in-place", "in place: who may call")
        for key in ("staff", "callers", "builds", "groups", "doors", "shadow")
    ),
    (("environment", "egress"), "in-place", "in place: ways out"),
    (("environment", "private"), "in-place", "in place: ways out"),
    (("environment", "body"), "in-place", "in place: at the edge"),
    (("environment", "tracing"), "in-place", "in place: at the edge"),
    (("environment", "accounting"), "in-place", "in place: whom it is charged to"),
    (("environment", "limits"), "in-place", "in place: what was used stays used"),
    (("route",), "in-place", "from the next switch on"),
)
_STACKS = Stacks.__struct_fields__


class Change(msgspec.Struct, frozen=True):
    """One field, or one entry of a stack, that changes.

    Attributes:
        path: Stack, then field by field.
        old: Value now; None when it is added.
        new: Value afterwards; None when it is removed.
        consequence: What it means for the running service, for people.
        origin: What in the descriptor causes it; None for what it no longer says, and for the platform's own.
    """

    path: tuple[str, ...]
    action: Literal["add", "change", "remove"]
    old: Leaf
    new: Leaf
    effect: Effect
    consequence: str
    origin: Origin | None = None

    @property
    def stack(self) -> str:
        """Which of the five stacks."""
        return self.path[0]

    @property
    def field(self) -> str:
        """The path within the stack."""
        return ".".join(self.path[1:])


class Notice(msgspec.Struct, frozen=True):
    """Something that is accepted but not acted on yet."""

    path: str
    line: int
    sentence: str


class Plan(msgspec.Struct, frozen=True):
    """All that a deploy would change.

    Attributes:
        changes: In the order of the stacks; a removal stands before what takes its place.
        accepted_not_acted_on: What the descriptor says that nothing acts on yet.
        findings: What the check of the dependencies found, and other remarks.
        confirm: Names of resources that must be given because their data would be deleted.
    """

    service: str
    environment: str
    changes: tuple[Change, ...]
    accepted_not_acted_on: tuple[Notice, ...] = ()
    findings: tuple[str, ...] = ()
    confirm: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether a deploy would change nothing."""
        return not self.changes

    @property
    def refused(self) -> tuple[str, ...]:
        """Why a deploy is refused as things stand; empty when it is not."""
        return tuple(
            f"{change.path[-1] if change.action == 'remove' else change.field}: {change.consequence}"
            for change in self.changes
            if change.effect == "refused"
        )


def plan(
    previous: Stacks | None,
    wanted: Stacks,
    origins: Mapping[StackPath, Origin],
    *,
    confirm: AbstractSet[str] = frozenset(),
    not_acted_on: Iterable[Notice] = (),
    findings: Iterable[str] = (),
) -> Plan:
    """Compare what is deployed with what is wanted.

    Args:
        previous: The stacks that are deployed; None when nothing is.
        wanted: The stacks to deploy.
        origins: Where each wanted field comes from.
        confirm: Names of resources whose data may be deleted.
        not_acted_on: What to list as accepted, but not acted on yet.
        findings: Remarks to list, for example of the dependency check.
    """
    old = leaves.flatten(previous) if previous is not None else {}
    new = leaves.flatten(wanted)
    found = _changes(old, new, origins, confirm)
    changes = tuple(sorted(found, key=lambda change: _STACKS.index(change.stack)))
    return Plan(
        service=wanted.environment.service,
        environment=wanted.environment.name,
        changes=changes,
        accepted_not_acted_on=tuple(not_acted_on),
        findings=tuple(findings),
        confirm=tuple(
            sorted({change.path[2] for change in changes if _deletes_unconfirmed(change)})
        ),
    )


def apply(previous: Stacks | None, made: Plan) -> Stacks:
    """Give the stacks that a plan leads to, from those that it was made for.

    Raises:
        msgspec.ValidationError: The plan was made for other stacks.
    """
    result = leaves.flatten(previous) if previous is not None else {}
    for change in made.changes:
        depth = len(change.path)
        result = {path: value for path, value in result.items() if path[:depth] != change.path}
        leaves.spread(change.new, change.path, result)
    return leaves.unflatten(result)


def _changes(
    old: Mapping[StackPath, Leaf],
    new: Mapping[StackPath, Leaf],
    origins: Mapping[StackPath, Origin],
    confirm: AbstractSet[str],
) -> Iterator[Change]:
    replaced = _come_or_gone(old, new)
    for unit in sorted(replaced):
        before, after = leaves.nest(old, unit), leaves.nest(new, unit)
        if before:
            effect, consequence = _removal(
                unit,
                before,
                confirm,
                kind=after.get("type"),
                renamed=tuple(
                    other[2]
                    for other in sorted(replaced)
                    if other[:2] == unit[:2] and other != unit and leaves.nest(new, other) == before
                ),
            )
            yield Change(unit, "remove", before, None, effect, consequence)
        if after:
            inside = [origins[path] for path in origins if path[: len(unit)] == unit]
            origin = min(inside, key=lambda origin: origin.line, default=None)
            yield Change(unit, "add", None, after, "create", _arrival(unit), origin)
    for path in sorted(old.keys() | new.keys()):
        if path[:3] in replaced or old.get(path) == new.get(path):
            continue
        action: Literal["add", "change", "remove"] = (
            "add" if path not in old else "remove" if path not in new else "change"
        )
        effect, consequence = _consequence(path, is_first=not old)
        yield Change(
            path, action, old.get(path), new.get(path), effect, consequence, origins.get(path)
        )


def _come_or_gone(old: Mapping[StackPath, Leaf], new: Mapping[StackPath, Leaf]) -> set[StackPath]:
    """Find entries that are added, removed, or replaced by one of another type."""
    before = {path[:3] for path in old if path[:2] in _UNITS}
    after = {path[:3] for path in new if path[:2] in _UNITS}
    other = {
        unit for unit in before & after if old.get((*unit, "type")) != new.get((*unit, "type"))
    }
    return (before ^ after) | other


def _removal(
    unit: StackPath,
    before: Mapping[str, Leaf],
    confirm: AbstractSet[str],
    *,
    kind: Leaf,
    renamed: tuple[str, ...],
) -> tuple[Effect, str]:
    """Say what it means that something goes.

    Args:
        unit: What.
        before: Its fields.
        confirm: Names that were given.
        kind: Its type afterwards, if there is something of this name still.
        renamed: New resources that have the same fields.
    """
    if unit[0] != "eternal":
        return "remove", "stops with the old release" if unit[
            0
        ] == "deployment" else "no longer declared"
    if unit[2] in confirm:
        return "delete-data", "DELETES DATA: confirmed by name"
    if not before.get("protect", True):
        return "delete-data", "DELETES DATA: the resource is not protected"
    if kind is not None:
        return (
            "refused",
            f"DELETES DATA: its type changes from {before['type']} to {kind}, and no data moves along; call the new one"
            " otherwise, or type its name to confirm",
        )
    if renamed:
        return (
            "refused",
            f"DELETES DATA: {' or '.join(renamed)} looks like its new name, and a resource keeps its data under its name"
            " alone; keep the name, or type it to confirm",
        )
    return "refused", "DELETES DATA: type its name to confirm"


def _deletes_unconfirmed(change: Change) -> bool:
    return change.effect == "refused" and change.action == "remove"


def _arrival(unit: StackPath) -> str:
    match unit[0]:
        case "eternal":
            return "is created"
        case "deployment":
            return "starts with the new release"
        case _:
            return "is declared"


def _consequence(path: StackPath, *, is_first: bool) -> tuple[Effect, str]:
    """Look up what a changed field means: the first pattern that begins its path; ``*`` fits any step."""
    if is_first:
        return "create", "new"
    for pattern, effect, sentence in _CONSEQUENCES:
        if len(pattern) <= len(path) and all(
            step in ("*", actual) for step, actual in zip(pattern, path, strict=False)
        ):
            return effect, sentence
    return "in-place", "in place"
