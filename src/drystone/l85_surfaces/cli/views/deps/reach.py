"""What falls with a component, and what a component needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from drystone.l05_graph.model import Dependency, Model
from drystone.l05_graph.reach import Impact, Tree
from drystone.l85_surfaces.cli.terminal import PLAIN, Paint, Style
from drystone.l85_surfaces.cli.views.deps.text import (
    bounded,
    count,
    labelled,
    more,
    named,
    percent,
)

MOST_LINES = 40


def impact(
    found: Impact, model: Model, *, paint: Paint = PLAIN, show_all: bool = False
) -> Iterator[str]:
    """Tell what falls, in the order in which it falls, and what goes on without something."""
    others = len(model.components) - len(found.failed)
    share = percent(len(found.falls) / others) if others else "0 %"
    yield (
        f"{paint(named(found.failed), Style.NAME)} fails:"
        f" {paint(f'{len(found.falls):,} of {others:,} others fall ({share})', Style.BAD)},"
        f" {len(found.degrades):,} go on with less"
    )
    if found.by_product:
        yield from labelled("of", _counted(found.by_product, "product "), paint=paint)
    if tiers := {tier: n for tier, n in found.by_tier.items() if tier is not None}:
        yield from labelled("of", _counted(dict(sorted(tiers.items())), "tier "), paint=paint)
    if found.falls:
        yield ""
        yield paint("falls", Style.BAD)
    some, left_out = bounded(found.falls, show_all=show_all)
    for name in some:
        yield f"  {name}  {paint(_reasons(found.because[name]), Style.QUIET)}"
    if left_out:
        yield paint(f"  {more(left_out)}", Style.QUIET)
    if found.degrades:
        names = named(found.degrades, most=len(found.degrades) if show_all else 12)
        yield ""
        yield paint("goes on with less", Style.WARN)
        yield from labelled("", names, paint=paint, indent="")


def _reasons(because: Sequence[Dependency]) -> str:
    """Say what it needs, or of which alternatives too few are left."""
    single = dict.fromkeys(one.target for one in because if one.group is None)
    if single:
        return f"needs {named(single, most=4)}"
    gone = named(dict.fromkeys(one.target for one in because), most=4)
    return f"too few alternatives are left without {gone}"


def _counted(counts: Mapping[Any, int], word: str) -> str:
    ordered = (
        sorted(counts.items(), key=lambda one: -one[1]) if word == "product " else counts.items()
    )
    every = [f"{word}{name}: {number:,}" for name, number in ordered]
    return named(every, most=8)


def impact_document(found: Impact) -> Mapping[str, Any]:
    """Return what a machine is told of an impact."""
    return {
        "failed": found.failed,
        "falls": found.falls,
        "degrades": found.degrades,
        "because": {name: [one.target for one in why] for name, why in found.because.items()},
        "by_tier": {"none" if tier is None else str(tier): n for tier, n in found.by_tier.items()},
        "by_product": found.by_product,
    }


def tree(
    found: Tree, model: Model, *, paint: Paint = PLAIN, show_all: bool = False
) -> Iterator[str]:
    """Tell what is needed as a tree: each component below the first by which it is met."""
    needed = len(found.members) - len(found.roots)
    others = len(found.shared.keys() - set(found.roots))
    shared = f", {others:,} of them shared with other products" if others else ""
    spare = frozenset(found.spare)
    yield (
        f"{paint(named(found.roots), Style.NAME)} {'needs' if len(found.roots) == 1 else 'need'}"
        f" {count(needed, 'component')}{shared}"
    )
    children: dict[str, list[str]] = {}
    for member in found.members:
        by = found.entered_by[member]
        if by is not None:
            children.setdefault(by.source, []).append(member)
    rows = list(_rows(found.roots, children))
    some, left_out = bounded(rows, show_all=show_all, most=MOST_LINES)
    for prefix, name in some:
        component = model.by_name[name]
        facts = [f"tier {component.tier}" if component.tier is not None else ""]
        facts.append(f"layer {component.layer}" if component.layer is not None else "")
        facts.append(_also(found.shared.get(name, ())))
        entered = found.entered_by[name]
        is_soft = entered is not None and entered.group is None and not entered.is_hard
        facts.append("soft" if is_soft else "spare" if name in spare else "")
        said = ", ".join(filter(None, facts))
        yield f"{paint(prefix, Style.QUIET)}{name}" + (
            paint(f"  {said}", Style.QUIET) if said else ""
        )
    if left_out:
        yield paint(more(left_out), Style.QUIET)


def _also(products: Sequence[str]) -> str:
    if len(products) > 2:
        return f"also {len(products)} other products"
    return f"also {named(products)}" if products else ""


def _rows(roots: Sequence[str], children: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Return the lines of a tree with the strokes before each; nothing recurses, however deep it is."""
    waiting = [("", "", root) for root in reversed(roots)]
    while waiting:
        stroke, below, name = waiting.pop()
        yield stroke, name
        last = True
        for child in reversed(children.get(name, ())):
            waiting.append(
                (below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "), child)
            )
            last = False


def tree_document(found: Tree) -> Mapping[str, Any]:
    """Return what a machine is told of a tree."""
    return {
        "roots": found.roots,
        "members": found.members,
        "spare": found.spare,
        "shared": found.shared,
        "entered_by": {
            name: None if one is None else one.source for name, one in found.entered_by.items()
        },
    }
