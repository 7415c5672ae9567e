"""What policies see of a change: its ``input``, written out in full.

A field that is left out is undefined in Rego, and a rule on it refuses nothing. So everything has its place here, null where there
is nothing, and a policy that asks for what is in no type of this module is refused before it is kept.
"""

from __future__ import annotations

import re
from functools import cache, reduce
from typing import Any

import msgspec

from drystone.l00_kernel.settings_tables import AtRest
from drystone.l10_engines.policies.shapes import Leaf, Shape, merged
from drystone.l25_deployer.stacks.model import ImageArtifact, Stacks
from drystone.l50_orchestrator.guardrails.errors import JudgedUnreadable
from drystone.l50_orchestrator.ports import Change, Declared, Environment

_NOTED = re.compile(r"line ([0-9]+): ([^:]+): (.*)", re.DOTALL)


class Actor(msgspec.Struct, frozen=True):
    """Who wants a change."""

    name: str
    kind: str


class Changed(msgspec.Struct, frozen=True):
    """A field that changes; the line is 0 where the descriptor says nothing of it."""

    stack: str
    path: str
    action: str
    old: str | None
    new: str | None
    line: int
    consequence: str


class Dependency(msgspec.Struct, frozen=True):
    """What the check of the dependencies found.

    Attributes:
        accepted: Whether somebody takes the risk, for a time.
        line: 0 where it is not known.
    """

    rule: str
    severity: str
    refuses: bool
    subject: str
    sentence: str
    advice: str
    line: int
    accepted: bool


class Planned(msgspec.Struct, frozen=True):
    """What a change would do.

    Attributes:
        at_rest: How what is stored lies on the disk: ``encrypted``, ``plain``, or ``unknown`` where nobody has said.
    """

    changes: tuple[Changed, ...]
    refused: tuple[str, ...]
    notes: tuple[str, ...]
    exposed: tuple[str, ...]
    findings: tuple[Dependency, ...]
    at_rest: AtRest = "unknown"


class Noted(msgspec.Struct, frozen=True):
    """A key that the descriptor has and nothing acts on yet: owner.oncall, tags, backups."""

    path: str
    line: int
    sentence: str


class Judged(msgspec.Struct, frozen=True):
    """What policies know as ``input``.

    Attributes:
        service: Which.
        environment: Where.
        team: Who owns it.
        actor: Who wants it.
        kind: ``deploy``, ``rollback`` or ``promotion``.
        at: When, in UTC (RFC 3339); the only time that a policy knows.
        stacks: The five compiled stacks.
        plan: What changes.
        noted: Keys that the descriptor has and nothing acts on yet.
        declared: What the descriptor says that is not in the stacks, by value.
        artefact: Digest of what must run: of the image's reference, or of the release that is promoted; null where the newest is taken.
        lines: By field (``environment.public``), the line of the descriptor that changes it.
    """

    service: str
    environment: Environment
    team: str
    actor: Actor
    kind: str
    at: str
    stacks: Stacks
    plan: Planned
    noted: tuple[Noted, ...]
    lines: dict[str, int]
    declared: Declared = Declared()
    artefact: str | None = None


def judged(change: Change) -> Judged:
    """Return what policies see of a change.

    Raises:
        JudgedUnreadable: Its stacks are not those of this version.
    """
    try:
        stacks = msgspec.convert(change.stacks, Stacks)
    except msgspec.ValidationError as e:
        raise JudgedUnreadable(
            f"the stacks of {change.environment.name}/{change.service} cannot be judged: {e}"
        ) from e
    plan = change.plan
    return Judged(
        service=change.service,
        environment=change.environment,
        team=change.team,
        actor=Actor(change.actor.name, change.actor.kind),
        kind=change.kind,
        at=change.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        stacks=stacks,
        plan=Planned(
            changes=tuple(
                Changed(c.stack, c.path, c.action, c.old, c.new, c.line or 0, c.consequence)
                for c in plan.changes
            ),
            refused=tuple(plan.refused),
            notes=tuple(plan.notes),
            exposed=tuple(plan.exposed),
            at_rest=plan.at_rest,
            findings=tuple(
                Dependency(
                    rule=f.rule,
                    severity=f.severity,
                    refuses=f.refuses,
                    subject=f.subject,
                    sentence=f.sentence,
                    advice=f.advice,
                    line=f.line or 0,
                    accepted=f.accepted is not None,
                )
                for f in plan.findings
            ),
        ),
        noted=tuple(_noted(line) for line in plan.not_yet),
        lines={f"{c.stack}.{c.path}": c.line for c in plan.changes if c.line},
        declared=change.declared,
        artefact=change.artefact or _pinned(stacks),
    )


def _pinned(stacks: Stacks) -> str | None:
    """Return the digest that the reference of an image names."""
    artefact = stacks.resources.artifact
    ref = artefact.ref if isinstance(artefact, ImageArtifact) else ""
    _, _, digest = ref.partition("@")
    return digest if digest.startswith("sha256:") else None


def _noted(text: str) -> Noted:
    match = _NOTED.fullmatch(text)
    return Noted(match[2], int(match[1]), match[3]) if match else Noted("", 0, text)


@cache
def known() -> Shape:
    """Return what ``input`` may hold, for the reader of policies."""
    return _shape(msgspec.inspect.type_info(Judged))


_LEAVES: dict[type, Shape] = {
    msgspec.inspect.BoolType: Leaf("boolean"),
    msgspec.inspect.IntType: Leaf("number"),
    msgspec.inspect.FloatType: Leaf("number"),
    msgspec.inspect.AnyType: None,
    msgspec.inspect.TupleType: Leaf("list"),
    msgspec.inspect.FrozenSetType: Leaf("list"),
}
"""Other types than these, and than those of :func:`_shape`, are written as texts."""


def _shape(kind: Any) -> Shape:
    match kind:
        case msgspec.inspect.StructType():
            found = {field.encode_name: _shape(field.type) for field in kind.fields}
            tag = {kind.tag_field: Leaf("text", (str(kind.tag),))} if kind.tag_field else {}
            return found | tag
        case msgspec.inspect.DictType():
            return {"*": _shape(kind.value_type)}
        case msgspec.inspect.UnionType():
            shapes = [one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType)]
            return reduce(merged, map(_shape, shapes))
        case msgspec.inspect.LiteralType():
            return _literal(kind.values)
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            return Leaf("list", items=_shape(kind.item_type))
        case _:
            return _LEAVES.get(type(kind), Leaf("text"))


def _literal(values: tuple[Any, ...]) -> Shape:
    if all(isinstance(one, str) for one in values):
        return Leaf("text", tuple(sorted(values)))
    if all(isinstance(one, bool) for one in values):
        return Leaf("boolean")
    return Leaf("number") if all(isinstance(one, int) for one in values) else None
