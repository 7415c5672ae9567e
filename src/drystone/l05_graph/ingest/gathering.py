"""What declarations have in common: many files, said by many people, become one model.

Files contradict each other, name what no file declares, and depend on themselves. None of that stops the reading, and none of
it goes by in silence: it becomes a note or a skip with its places.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from msgspec.structs import replace

from drystone.l00_kernel.yaml_text.problems import quoted, visible
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.ingest.source import Declared, Skips, Unreadable
from drystone.l05_graph.model import Component, Dependency, Group, Key, checked
from drystone.l05_graph.words import Kind, Phase, Risk, Strength

MOST_NOTES = 1000
MOST_DEPENDENCIES = 2_000_000
MOST_STATEMENTS = 5_000_000
"""So often something may be said to need something; hostile files say the same without end."""
MOST_ALTERNATIVES = 100
LONGEST_NAME = 300
RUN = (Phase.RUN,)
_SETTLED = "a choice of which one is needed in any case"
_WEIGHT = {Strength.SOFT: 0, Strength.UNKNOWN: 1, Strength.HARD: 2}


class Gathering:
    """Collects what files declare.

    Args:
        title: What the files are, for the model and the notes of its dependencies: ``Compose``.
        most_statements: How often :meth:`needs` may be called.

    Attributes:
        skips: What is left out.
    """

    def __init__(self, title: str, most_statements: int = MOST_STATEMENTS) -> None:
        self._left = most_statements
        self.skips = Skips()
        self._title = title
        self._components: dict[str, tuple[Component, str]] = {}
        self._mentioned: dict[str, tuple[Component, str]] = {}
        self._dependencies: dict[Key, tuple[Dependency, str]] = {}
        self._groups: dict[tuple[str, str], list[Key]] = {}
        self._notes: dict[str, None] = {}
        self._more_notes = 0

    def note(self, sentence: str, place: str = "") -> None:
        """Tell a guess, or something odd."""
        told = visible(f"{place}: {sentence}" if place else sentence)
        if len(self._notes) < MOST_NOTES:
            self._notes[told] = None
        elif told not in self._notes:
            self._more_notes += 1

    def has(self, name: str) -> bool:
        """Whether a component was declared."""
        return name in self._components

    def component(self, component: Component, place: str) -> bool:
        """Take a component, unless its name will not do or stands for another already.

        Returns:
            Whether it was taken.
        """
        name = component.name
        if not self._is_name(name, place):
            return False
        known = self._components.get(name)
        if known is None:
            self._components[name] = (component, place)
        elif known[0] != component:
            self.skips.add(
                f"{quoted(name)} is declared at {known[1]} with other attributes; the first counts",
                place,
            )
        else:
            self.note(f"{quoted(name)} is declared again, as at {known[1]}", place)
        return known is None

    def mention(self, name: str, place: str, kind: Kind = Kind.EXTERNAL, note: str = "") -> None:
        """Take a component that something names; what is declared about it elsewhere counts instead."""
        if name not in self._mentioned:
            self._mentioned[name] = (Component(name=name, kind=kind, note=note), place)

    def needs(
        self,
        source: str,
        targets: str | Sequence[str],
        place: str,
        how: str,
        *,
        strength: Strength = Strength.UNKNOWN,
        at: tuple[Phase, ...] = RUN,
        risk: Risk = Risk.OTHER,
        without: str = "",
        can_change: bool = True,
    ) -> None:
        """Take a dependency, on one of several if there are several.

        Args:
            source: Who needs.
            targets: What is needed.
            place: Where it is said.
            how: By which words it is said, for the note of the dependency.
            strength: How much.
            at: When, in order.
            risk: What for.
            without: What happens without.
            can_change: Whether it could be removed, softened or moved at all.

        Raises:
            Unreadable: It is said too often, or of too many.
        """
        found = self._wanted(source, [targets] if isinstance(targets, str) else targets, place)
        if not found:
            return
        one = Dependency(
            source=source,
            target=found[0],
            strength=strength,
            at=at,
            risk=risk,
            can_change=can_change,
            without=without,
            note=sys.intern(f"{self._title}: {how}"),
        )
        if len(found) == 1:
            self._take(one, place)
            return
        group = _choice(found, at, risk)
        every = [replace(one, target=name, group=group) for name in found]
        if not any(self._is_settled(each, place) for each in every):
            self._groups[source, group] = [each.key for each in every]
            for each in every:
                self._take(each, place)

    def _wanted(self, source: str, targets: Sequence[str], place: str) -> list[str]:
        """Return what is needed, each once; nothing when the statement is left out."""
        self._left -= 1
        if self._left < 0:
            raise Unreadable("the files say too often what needs what; import them in parts")
        which = f"{place} {source}".strip()
        if len(targets) > MOST_ALTERNATIVES:
            self.skips.add(f"a choice of more than {MOST_ALTERNATIVES}", which)
            return []
        found = list(dict.fromkeys(targets))
        if not all(self._is_name(name, place) for name in (source, *found)):
            return []
        if source in found:
            self.skips.add("depends on itself, which a component always has", which)
            return []
        return found

    def declared(self, what: str) -> Declared:
        """Put the model together.

        Args:
            what: What the files should have held, for the message when they hold none of it.

        Raises:
            Unreadable: They hold none of it.
        """
        skips = self.skips.result()
        for one, place in self._dependencies.values():
            for name in (one.source, one.target):
                if name not in self._components:
                    self.mention(name, place)
        outside = []
        for name, (component, place) in self._mentioned.items():
            if name not in self._components:
                outside.append(component)
                if component.kind is Kind.EXTERNAL and not component.note:
                    self.note(f"{quoted(name)} is declared nowhere; it counts as external", place)
        if not self._components and not self._dependencies:
            first = f": {skips[0].sentence()}" if skips else ""
            raise Unreadable(f"the files hold no {what}{first}")
        model = checked(
            [*(one for one, _ in self._components.values()), *outside],
            [one for one, _ in self._dependencies.values()],
            [Group(component=source, name=name) for source, name in self._groups],
            title=self._title,
        )
        notes = tuple(self._notes)
        if self._more_notes:
            notes = (*notes, f"and {self._more_notes} more notes")
        return Declared(model=model, notes=notes, skips=skips)

    def _is_name(self, name: str, place: str) -> bool:
        if not name.strip():
            self.skips.add("a name is empty", place)
        elif not name.isprintable():
            self.skips.add("a name has characters that cannot be shown", place)
        elif len(name) > LONGEST_NAME:
            self.skips.add(f"a name has more than {LONGEST_NAME} characters", place)
        else:
            return True
        return False

    def _is_settled(self, one: Dependency, place: str) -> bool:
        """Tell whether a choice needs no group because of this one in it: it is needed anyway, or part of another."""
        known = self._dependencies.get(one.key)
        if known is None or known[0].group == one.group:
            return False
        what = f"{place} {one.source} → {one.target}".strip()
        if known[0].group is not None:
            self.skips.add("a choice holds what is in another choice of the same component", what)
            return True
        if _WEIGHT[known[0].strength] >= _WEIGHT[one.strength]:
            self.skips.add(_SETTLED, what)
            return True
        return False

    def _take(self, one: Dependency, place: str) -> None:
        known = self._dependencies.get(one.key)
        if known is None:
            if len(self._dependencies) >= MOST_DEPENDENCIES:
                raise Unreadable(f"the files declare more than {MOST_DEPENDENCIES:,} dependencies")
            self._dependencies[one.key] = (one, place)
            return
        before, where = known
        more = _WEIGHT[one.strength] - _WEIGHT[before.strength]
        if more:
            kept = one.strength if more > 0 else before.strength
            self.note(
                f"{one.source} → {one.target} is {one.strength} here and {before.strength} at"
                f" {where}; {kept} counts",
                place,
            )
        if more > 0 or (more == 0 and before.group is not None and one.group is None):
            if before.group != one.group:
                self._leave_group(before)
            self._dependencies[one.key] = (one, place)

    def _leave_group(self, before: Dependency) -> None:
        """Dissolve the group of a dependency that is needed in any case."""
        if before.group is None:
            return
        for key in self._groups.pop((before.source, before.group)):
            _, place = self._dependencies.pop(key)
            if key != before.key:
                self.skips.add(_SETTLED, f"{place} {before.source} → {before.target}".strip())


def _choice(names: Sequence[str], at: tuple[Phase, ...], risk: Risk) -> str:
    """Name a choice: ``a | b``, and when it counts and for what, unless that is the usual."""
    when = "" if at == RUN else f" at {', '.join(at)}"
    what = "" if risk is Risk.OTHER else f" for {risk}"
    return f"{' | '.join(sorted(names))}{when}{what}"


def fits(component: Component) -> str:
    """Return what a component says that cannot be; empty when nothing."""
    try:
        checked([component], ())
    except ModelInvalid as refused:
        return refused.mistakes[0].message
    return ""
