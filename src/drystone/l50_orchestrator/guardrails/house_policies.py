"""Reads the policies that come with the platform."""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib import resources

import msgspec

from drystone.l00_kernel.yaml_text.reader import read_document
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l00_kernel.yaml_text.tree import plain
from drystone.l50_orchestrator.guardrails.api import Case, PolicySaid, PolicyView, Type

TEAM = "platform"
_SUBJECT = Subject(
    name="policy",
    begin="description: …",
    too_large="make it smaller",
    most_bytes=64 << 10,
    most_values=5000,
)


class _Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    description: str
    since: date
    types: tuple[Type, ...] = ()
    tiers: tuple[int, ...] = ()
    cases: tuple[Case, ...] = ()


@cache
def house_policies() -> tuple[PolicyView, ...]:
    """Return them by name; each is on unless somebody sets its mode."""
    folder = resources.files(f"{__package__}.house")
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".rego"))
    return tuple(_read(name.removesuffix(".rego")) for name in names)


def _read(name: str) -> PolicyView:
    folder = resources.files(f"{__package__}.house")
    document = read_document(
        folder.joinpath(f"{name}.yaml").read_text("utf-8"), f"{name}.yaml", _SUBJECT
    )
    if document.root is None or document.problems:
        raise ValueError(f"{name}.yaml: {document.problems}")
    page = msgspec.convert(plain(document.root), _Page)
    return PolicyView(
        name=name,
        said=PolicySaid(
            text=folder.joinpath(f"{name}.rego").read_text("utf-8"),
            description=page.description,
            team=TEAM,
            since=page.since,
            types=page.types,
            tiers=page.tiers,
            cases=page.cases,
        ),
        is_house=True,
    )
