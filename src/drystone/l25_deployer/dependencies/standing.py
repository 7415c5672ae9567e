"""What each component can count on at worst, kept from one question to the next.

Of all that a component needs: the weakest promise of each kind (:mod:`~drystone.l05_graph.claims`), of alternatives the best
that are enough; and whom it falls with (:mod:`~drystone.l05_graph.falling`). That follows from what it is and from
the same of what it needs directly, so the change of a service matters to those alone that need it, and to none of them as
long as it can count on the same as before. Circles are gone around until nothing changes, as values only grow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from drystone.l05_graph.circles import circles_of
from drystone.l05_graph.claims import CLAIMS
from drystone.l05_graph.falling import lost
from drystone.l05_graph.model import Component, Model
from drystone.l05_graph.requirements import ALWAYS, WHILE_SERVING, Requirements
from drystone.l05_graph.words import Phase
from drystone.l25_deployer.dependencies.model import Part

_SOME = 1000
"""So many names of what is not there are nothing to speak of."""


class Standing(msgspec.Struct, frozen=True):
    """What a component can count on.

    Attributes:
        weakest: How weak the weakest promise is among all that it needs, itself included, for each of the claims.
        falls_with: Whom it falls with, itself included, a bit for each.
        availability: Share of the time in which it works by itself.
    """

    weakest: tuple[float, ...]
    falls_with: int
    availability: float


class _Required(msgspec.Struct, frozen=True):
    """What one component requires in some phases, by name.

    Attributes:
        single: What it does not work without.
        choices: How many of which are enough.
    """

    single: tuple[str, ...] = ()
    choices: tuple[tuple[int, tuple[str, ...]], ...] = ()


class _Facts(msgspec.Struct, frozen=True):
    """What one component is and needs directly, ready to be counted."""

    component: Component
    always: _Required
    at_run: _Required

    @property
    def below(self) -> tuple[str, ...]:
        """Return whatever matters."""
        return (*self.always.single, *(one for _, some in self.always.choices for one in some))


class Standings:
    """The standing of every component, found when it is asked for and kept until it may have changed.

    Args:
        described: Returns what a component brings in, with its groups.
    """

    def __init__(self, described: Callable[[str], Part]) -> None:
        self._described = described
        self._known: dict[str, Standing] = {}
        self._facts: dict[str, _Facts] = {}
        self._bounds: dict[str, float] = {}
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def tidy(self, count: int) -> None:
        """Forget everything where much is known of what is not there any more, or never was.

        Args:
            count: How many components there are.
        """
        if len(self._names) > 2 * count + _SOME:
            for known in (self._known, self._facts, self._bounds, self._numbers, self._names):
                known.clear()

    def of(self, name: str) -> Standing:
        """Return the standing of a component."""
        if name not in self._known:
            self._known.update(self._found([name], self._facts_of))
        return self._known[name]

    def known(self, name: str) -> Standing | None:
        """Return the standing of a component if it is known; if not, neither is that of any that needs it."""
        return self._known.get(name)

    def would_be(self, part: Part, name: str) -> Standing:
        """Return the standing of a service if it were as described; nothing that it needs may need it.

        Args:
            part: What it would bring in.
            name: Of its own component.
        """
        mine = {one.name: _facts(part, one) for one in part.components}
        for facts in mine.values():
            for one in facts.below:
                if one not in mine:
                    self.of(one)
        found = self._found([name], lambda one: mine.get(one) or self._facts_of(one), mine)
        return found[name]

    def bound(self, name: str) -> float:
        """Return a share of the time that a component cannot exceed."""
        found = self._bounds.get(name)
        if found is None:
            found = self._bounds[name] = self.share(self.of(name).falls_with)
        return found

    def share(self, bits: int, instead: Mapping[str, float] | None = None) -> float:
        """Return the share of the time in which all of some components work.

        Args:
            bits: Of them.
            instead: Shares in place of those that are known, by name.
        """
        digits = bin(bits)[:1:-1]
        found, place = 1.0, digits.find("1")
        while place >= 0:
            name = self._names[place]
            mine = instead.get(name) if instead else None
            found *= _alone(self._facts_of(name).component) if mine is None else mine
            place = digits.find("1", place + 1)
        return found

    def forget(self, names: Iterable[str]) -> None:
        """Let go what is known about some components, whose descriptions have changed."""
        for name in names:
            self._facts.pop(name, None)
            self._let_go(name)

    def forget_standing(self, names: Iterable[str]) -> None:
        """Let go what some components can count on; they themselves are as they were."""
        for name in names:
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        self._known.pop(name, None)
        self._bounds.pop(name, None)

    def _facts_of(self, name: str) -> _Facts:
        found = self._facts.get(name)
        if found is None:
            part = self._described(name)
            found = self._facts[name] = _facts(part, part.components[0])
        return found

    def _found(
        self,
        names: Iterable[str],
        facts: Callable[[str], _Facts],
        but: Mapping[str, _Facts] | None = None,
    ) -> dict[str, Standing]:
        """Return the standings of some components, and of all below them that are not known."""
        anew: Mapping[str, _Facts] = but or {}
        known, found = self._known, dict[str, Standing]()

        def below(name: str) -> list[str]:
            return [one for one in facts(name).below if one not in known or one in anew]

        for together in circles_of(names, below):
            for one in together:
                found[one] = self._alone(facts(one).component)
            changed = True
            while changed:
                changed = False
                for one in together:
                    now = self._counted(facts(one), found[one], found)
                    if now != found[one]:
                        found[one] = now
                        changed = len(together) > 1
        return found

    def _alone(self, component: Component) -> Standing:
        weakest = tuple(claim.weaknesses([component])[0] for claim in CLAIMS)
        return Standing(weakest, self._bit(component.name), _alone(component))

    def _counted(self, facts: _Facts, mine: Standing, found: Mapping[str, Standing]) -> Standing:
        """Return what a component can count on, from what is known of those that it needs."""
        known = self._known
        always = [found.get(one) or known[one] for one in facts.always.single]
        at_run = [found.get(one) or known[one] for one in facts.at_run.single]
        weakest, bits = [*mine.weakest], mine.falls_with
        for place, claim in enumerate(CLAIMS):
            single = always if claim.at == ALWAYS else at_run
            choices = facts.always.choices if claim.at == ALWAYS else facts.at_run.choices
            for one in single:
                weakest[place] = max(weakest[place], one.weakest[place])
            for enough, members in choices:
                values = sorted((found.get(m) or known[m]).weakest[place] for m in members)
                weakest[place] = max(weakest[place], values[enough - 1])
        for one in at_run:
            bits |= one.falls_with
        for enough, members in facts.at_run.choices:
            theirs = ((found.get(m) or known[m]).falls_with for m in members)
            bits |= lost(len(members) - enough, theirs)
        return Standing(tuple(weakest), bits, mine.availability)

    def _bit(self, name: str) -> int:
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return 1 << number


def _facts(part: Part, component: Component) -> _Facts:
    mine = tuple(one for one in part.dependencies if one.source == component.name)
    if not mine:
        return _Facts(component, _Required(), _Required())
    names = dict.fromkeys([component.name, *(one.target for one in mine)])
    groups = tuple(one for one in part.groups if one.component == component.name)
    model = Model(
        components=tuple(Component(name=one) for one in names), dependencies=mine, groups=groups
    )
    return _Facts(component, _required(model, ALWAYS), _required(model, WHILE_SERVING))


def _required(model: Model, at: frozenset[Phase]) -> _Required:
    """Return what the first component of a model requires."""
    found, names = Requirements(model, at), list(model.by_name)
    return _Required(
        tuple(dict.fromkeys(names[one] for one in found.single.targets[0])),
        tuple(
            (choice.at_least, tuple(names[one] for one in choice.members))
            for choice in found.choices
        ),
    )


def _alone(component: Component) -> float:
    return 1.0 if component.availability is None else component.availability
