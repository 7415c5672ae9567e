"""Drafts: changes to a model that are not kept yet, as the address of a page says them.

Each change is a line of a scenario as people write it for git: ``alter: {source: shop, target: search, strength: soft}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from drystone.l05_graph.changes import (
    AddComponent,
    AddDependency,
    AddGroup,
    AlterComponent,
    AlterDependency,
    AlterGroup,
    Change,
    RemoveComponent,
    RemoveDependency,
    RemoveGroup,
    Scenario,
    Which,
)
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.forms import scenario as form
from drystone.l05_graph.model import Component, Dependency, Group, Model, phases
from drystone.l05_graph.moves import Move, Step
from drystone.l05_graph.words import Phase, Strength
from drystone.l80_governance.dependencies.asked import Asked
from drystone.l80_governance.dependencies.errors import QuestionUnclear

MOST = 200
"""Changes in one address; a longer draft is kept as a version and gone on from there."""
_BEGIN = "  - "

FORMS = ("dependency", "layer", "group", "add-component", "remove-component")
"""The forms that change a model."""
VERBS: Mapping[str, str] = {
    "soften": "make it soft",
    "harden": "make it hard",
    "later": "need it at run time only",
    "early": "need it from deploy on",
    "remove": "remove it",
    "add": "add it",
}
"""What can be done to a dependency, in words."""
OF_GROUPS: Mapping[str, str] = {
    "make": "so many are enough",
    "dissolve": "no alternatives any more",
}
"""What can be done to alternatives, in words."""


def written(changes: Iterable[Change]) -> list[str]:
    """Write each change as one line."""
    lines = form.dump(Scenario(title="x", changes=tuple(changes))).splitlines()
    return [line.removeprefix(_BEGIN) for line in lines if line.startswith(_BEGIN)]


def read(lines: Sequence[str]) -> tuple[Change, ...]:
    """Read what :func:`written` gives.

    Raises:
        QuestionUnclear: A line is no change, or there are too many.
    """
    if len(lines) > MOST:
        raise QuestionUnclear(
            f"there are {len(lines)} changes and an address has room for {MOST}; keep a version and go on from there"
        )
    if not lines:
        return ()
    body = "".join(f"{_BEGIN}{' '.join(line.splitlines())}\n" for line in lines)
    try:
        return form.read(f"title: draft\nchanges:\n{body}", file="draft").changes
    except ModelInvalid as e:
        raise QuestionUnclear(f"a change cannot be read: {e.mistakes[0].message}") from e


def added(model: Model, asked: Asked) -> Sequence[Change]:
    """Return the changes that a form asks for.

    Args:
        model: With the changes that were made before.
        asked: The fields of the form; ``do`` names which.

    Raises:
        QuestionUnclear: It is none.
        ComponentNotFound: It names a component that is not there.
    """
    match asked.choice("do", FORMS, ""):
        case "dependency":
            return [_of_dependency(model, asked)]
        case "group":
            return _of_group(model, asked)
        case "layer":
            name = model.component(_required(asked, "component")).name
            said = asked.text("layer")
            layer = asked.number("layer", 0, most=1000) if said else None
            return [AlterComponent(name, (("layer", layer),))]
        case "add-component":
            layer = asked.number("layer", 0, most=1000) if asked.text("layer") else None
            return [AddComponent(Component(name=_required(asked, "component"), layer=layer))]
        case "remove-component":
            return [RemoveComponent(model.component(_required(asked, "component")).name)]
        case _:
            raise QuestionUnclear("choose what to change")


def as_changes(model: Model, steps: Sequence[Step]) -> list[Change] | None:
    """Return what moves of an untangling change; None where an address has no room, or no change says it."""
    edges = [(step.move, int(edge)) for step in steps for edge in step.edges]
    if len(edges) > MOST or any(step.move in (Move.PILLAR, Move.LAYER) for step in steps):
        return None
    found: list[Change] = []
    for move, edge in edges:
        which = Which(*model.dependencies[edge].key)
        if move is Move.REMOVE:
            found.append(RemoveDependency(which))
        elif move is Move.SOFTEN:
            found.append(AlterDependency(which, (("strength", Strength.SOFT),)))
        else:
            found.append(AlterDependency(which, (("at", (Phase.RUN,)),)))
    return found


def _of_dependency(model: Model, asked: Asked) -> Change:
    source = model.component(_required(asked, "source")).name
    target = model.component(_required(asked, "target")).name
    verb = asked.choice("verb", VERBS, "soften")
    if verb == "add":
        strength = Strength.SOFT if asked.text("strength") == "soft" else Strength.HARD
        at = asked.word("at", Phase, Phase.RUN) or Phase.RUN
        return AddDependency(
            Dependency(source=source, target=target, strength=strength, at=phases([at]))
        )
    between = [one for one in model.needs.get(source, ()) if one.target == target]
    if not between:
        raise QuestionUnclear(f"{source} does not depend on {target}; add it instead")
    if len(between) > 1 and verb not in ("remove", "soften", "harden"):
        raise QuestionUnclear(
            f"{source} depends on {target} in {len(between)} ways; remove or soften one first"
        )
    one = next((d for d in between if verb != "soften" or d.is_hard), between[0])
    which = Which(source, target)
    if len(between) > 1:
        which = Which(*one.key)
    match verb:
        case "remove":
            return RemoveDependency(which)
        case "soften" | "harden":
            strength = Strength.SOFT if verb == "soften" else Strength.HARD
            return AlterDependency(which, (("strength", strength),))
        case "later":
            return AlterDependency(which, (("at", (Phase.RUN,)),))
        case _:
            return AlterDependency(which, (("at", phases([*one.at, Phase.DEPLOY])),))


def _of_group(model: Model, asked: Asked) -> Sequence[Change]:
    """Make alternatives of dependencies, or end that they are some."""
    source = model.component(_required(asked, "component")).name
    group = _required(asked, "group")
    known = next(
        (one for one in model.groups if (one.component, one.name) == (source, group)), None
    )
    inside = [one for one in model.needs.get(source, ()) if one.group == group]
    if asked.choice("verb", OF_GROUPS, "make") == "dissolve":
        if known is None:
            raise QuestionUnclear(f"{source} has no alternatives called {group!r}")
        freed = [AlterDependency(Which(*one.key), (("group", None),)) for one in inside]
        return [*freed, RemoveGroup(source, group)]
    enough = asked.number("enough", 1, least=1, most=1000)
    named = [model.component(word).name for word in asked.words_of("targets")]
    joining = [_needed(model, source, name) for name in named]
    first: Change = AddGroup(Group(component=source, name=group, at_least=enough))
    if known is not None:
        first = AlterGroup(source, group, enough)
    joined = [AlterDependency(Which(*one.key), (("group", group),)) for one in joining]
    if known is not None and not joined and known.at_least == enough:
        raise QuestionUnclear(f"of {group!r}, {enough} are enough already; say what is different")
    return [first, *joined]


def _needed(model: Model, source: str, target: str) -> Dependency:
    between = [one for one in model.needs.get(source, ()) if one.target == target]
    if not between:
        raise QuestionUnclear(f"{source} does not depend on {target}; add that first")
    return between[0]


def without(changes: Sequence[Change], number: int) -> list[Change]:
    """Take one change back; with a group that comes, also that dependencies become alternatives in it.

    Raises:
        QuestionUnclear: There are not so many.
    """
    if number >= len(changes):
        raise QuestionUnclear(f"there are {len(changes)} changes; load the page again")
    gone = changes[number]
    rest = [one for at, one in enumerate(changes) if at != number]
    if not isinstance(gone, AddGroup):
        return rest
    group = gone.group
    return [
        one
        for one in rest
        if not (
            isinstance(one, AlterDependency)
            and one.which.source == group.component
            and ("group", group.name) in one.values
        )
    ]


def _required(asked: Asked, key: str) -> str:
    said = asked.text(key)
    if not said:
        raise QuestionUnclear(f"say which {key}")
    return said
