"""Changes to a model, and scenarios: what-if as a list of changes.

Laws: ``apply(a, diff(a, b))`` says what ``b`` says (its digest is the same), and ``diff(a, a)`` is empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias, assert_never

import msgspec

from drystone.l05_graph.errors import Mistake, ModelInvalid, ScenarioStale
from drystone.l05_graph.model import Component, Dependency, Group, Key, Model, checked, unknown
from drystone.l05_graph.words import Phase, Risk

Values: TypeAlias = tuple[tuple[str, Any], ...]
"""Attributes with their new values."""


class AddComponent(msgspec.Struct, frozen=True):
    """A component comes."""

    component: Component


class RemoveComponent(msgspec.Struct, frozen=True):
    """A component goes, with all dependencies from and to it and its groups."""

    name: str


class AlterComponent(msgspec.Struct, frozen=True):
    """Attributes of a component become others."""

    name: str
    values: Values


class AddDependency(msgspec.Struct, frozen=True):
    """A dependency comes."""

    dependency: Dependency


class Which(msgspec.Struct, frozen=True):
    """A dependency of a model.

    Attributes:
        source: Who needs.
        target: What is needed.
        risk: What for; None when the rest tells which is meant.
        at: When; None when the rest tells.
    """

    source: str
    target: str
    risk: Risk | None = None
    at: tuple[Phase, ...] | None = None

    def sentence(self) -> str:
        """Name it in a message."""
        more = [self.risk, *(self.at or ())]
        said = ", ".join(str(one) for one in more if one is not None)
        return f"{self.source} → {self.target}" + (f" ({said})" if said else "")


class RemoveDependency(msgspec.Struct, frozen=True):
    """A dependency goes."""

    which: Which


class AlterDependency(msgspec.Struct, frozen=True):
    """Attributes of a dependency become others: it is softened, or moved to another phase."""

    which: Which
    values: Values


class AddGroup(msgspec.Struct, frozen=True):
    """A group of alternatives comes."""

    group: Group


class RemoveGroup(msgspec.Struct, frozen=True):
    """A group goes; the dependencies in it must be taken out of it or removed as well."""

    component: str
    name: str


class AlterGroup(msgspec.Struct, frozen=True):
    """Another number of alternatives is needed."""

    component: str
    name: str
    at_least: int


Change: TypeAlias = (
    AddComponent
    | RemoveComponent
    | AlterComponent
    | AddDependency
    | RemoveDependency
    | AlterDependency
    | AddGroup
    | RemoveGroup
    | AlterGroup
)


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What if: changes to one model.

    Attributes:
        title: For people.
        author: Who made it up.
        parent: Digest of the model that it is about; None for whatever it is applied to.
        changes: In order.
    """

    title: str
    author: str = ""
    parent: str | None = None
    changes: tuple[Change, ...] = ()


def applied(model: Model, scenario: Scenario) -> Model:
    """Return the model in which a scenario has come true.

    Raises:
        ScenarioStale: It was made for another model.
        ModelInvalid: A change does not fit, or what results contradicts itself.
    """
    if scenario.parent is not None and scenario.parent != model.digest:
        raise ScenarioStale(
            f"the scenario {scenario.title!r} was made for the model {scenario.parent[:12]}, this is"
            f" {model.digest[:12]}; look at its changes again, then write this parent into it"
        )
    result = apply(model, scenario.changes)
    return msgspec.structs.replace(result, title=scenario.title)


def apply(model: Model, changes: Sequence[Change]) -> Model:
    """Return the model with these changes, made one after the other; its parent is the model.

    Raises:
        ModelInvalid: A change does not fit (all that do not are told, by number), or what results contradicts itself.
    """
    state = _State(model)
    mistakes = []
    for number, change in enumerate(changes, 1):
        message = state.make(change)
        if message:
            mistakes.append(Mistake(message, f"change {number}"))
    if mistakes:
        raise ModelInvalid(mistakes)
    return checked(
        state.components.values(),
        state.dependencies.values(),
        state.groups.values(),
        title=model.title,
        parent=model.digest,
    )


class _State:
    """A model on its way; each change returns what is wrong with it, or nothing."""

    def __init__(self, model: Model) -> None:
        self.components = dict(model.by_name)
        self.dependencies: dict[Key, Dependency] = {one.key: one for one in model.dependencies}
        self.groups = {(group.component, group.name): group for group in model.groups}
        # Between the same two there may be several; a search over all for each change would be quadratic.
        self._between: dict[tuple[str, str], list[Key]] = {}
        for key in self.dependencies:
            self._between.setdefault(key[:2], []).append(key)

    def make(self, change: Change) -> str:  # noqa: PLR0911 - one for each kind
        match change:
            case AddComponent(component):
                if component.name in self.components:
                    return f"the component {component.name!r} is there already; alter it"
                self.components[component.name] = component
                return ""
            case RemoveComponent(name):
                return self._remove_component(name)
            case AlterComponent(name, values):
                if name not in self.components:
                    return unknown(name, self.components)
                self.components[name] = msgspec.structs.replace(
                    self.components[name], **dict(values)
                )
                return ""
            case AddDependency(dependency):
                return self._add_dependency(dependency)
            case RemoveDependency(which) | AlterDependency(which):
                return self._change_dependency(which, change)
            case AddGroup() | RemoveGroup() | AlterGroup():
                return self._change_group(change)
            case _:
                assert_never(change)

    def _remove_component(self, name: str) -> str:
        if name not in self.components:
            return unknown(name, self.components)
        del self.components[name]
        for pair in [pair for pair in self._between if name in pair]:
            for key in self._between.pop(pair):
                del self.dependencies[key]
        self.groups = {key: group for key, group in self.groups.items() if key[0] != name}
        return ""

    def _add_dependency(self, one: Dependency) -> str:
        if one.key in self.dependencies:
            return f"{one.sentence()} is there already; alter it"
        self.dependencies[one.key] = one
        self._between.setdefault(one.key[:2], []).append(one.key)
        return ""

    def _change_dependency(self, which: Which, change: RemoveDependency | AlterDependency) -> str:
        between = self._between.get((which.source, which.target), [])
        keys = [
            key for key in between if which.risk in (None, key[2]) and which.at in (None, key[3])
        ]
        if len(keys) != 1:
            many = ", ".join(f"({key[2]}, {' '.join(key[3])})" for key in keys or between)
            what = "there are several" if keys else "there is no dependency"
            return f"{which.sentence()}: {what}" + (
                f"; say risk and at of one of {many}" if many else ""
            )
        old = self.dependencies.pop(keys[0])
        between.remove(keys[0])
        if isinstance(change, RemoveDependency):
            return ""
        return self._add_dependency(msgspec.structs.replace(old, **dict(change.values)))

    def _change_group(self, change: AddGroup | RemoveGroup | AlterGroup) -> str:
        if isinstance(change, AddGroup):
            key = (change.group.component, change.group.name)
            if key in self.groups:
                return f"{key[0]} has a group {key[1]!r} already; alter it"
            self.groups[key] = change.group
            return ""
        key = (change.component, change.name)
        old = self.groups.pop(key, None)
        if old is None:
            return f"{key[0]} has no group {key[1]!r}"
        if isinstance(change, AlterGroup):
            self.groups[key] = msgspec.structs.replace(old, at_least=change.at_least)
        return ""


def diff(before: Model, after: Model) -> tuple[Change, ...]:
    """Return the changes that make one model say what another says.

    Returns:
        In an order in which they can be applied: first what goes, last what comes.
    """
    old, new = ({one.key: one for one in model.dependencies} for model in (before, after))
    old_groups, new_groups = (
        {(group.component, group.name): group for group in model.groups}
        for model in (before, after)
    )
    changes: list[Change] = [RemoveDependency(Which(*key)) for key in old if key not in new]
    changes += [RemoveGroup(*key) for key in old_groups if key not in new_groups]
    changes += [RemoveComponent(name) for name in before.by_name if name not in after.by_name]
    for name, component in after.by_name.items():
        values = _altered(before.by_name.get(name, component), component)
        if name not in before.by_name:
            changes.append(AddComponent(component))
        elif values:
            changes.append(AlterComponent(name, values))
    for key, group in new_groups.items():
        if key not in old_groups:
            changes.append(AddGroup(group))
        elif old_groups[key] != group:
            changes.append(AlterGroup(*key, group.at_least))
    return (*changes, *_dependencies_that_come(old, new))


def _dependencies_that_come(
    old: dict[Key, Dependency], new: dict[Key, Dependency]
) -> Iterable[Change]:
    for key, one in new.items():
        values = _altered(old.get(key, one), one)
        if key not in old:
            yield AddDependency(one)
        elif values:
            yield AlterDependency(Which(*key), values)


def _altered(old: msgspec.Struct, new: msgspec.Struct) -> Values:
    if old == new:
        return ()
    names = new.__struct_fields__
    return tuple((n, getattr(new, n)) for n in names if getattr(old, n) != getattr(new, n))


def sentence(change: Change) -> str:  # noqa: PLR0911 - one for each kind
    """Say what a change does."""
    match change:
        case AddComponent(component):
            return f"add {component.name}"
        case RemoveComponent(name):
            return f"remove {name} and every dependency from and to it"
        case AlterComponent(name, values):
            return f"{name}: {_values(values)}"
        case AddDependency(dependency):
            return f"add {dependency.sentence()}"
        case RemoveDependency(which):
            return f"remove {which.sentence()}"
        case AlterDependency(which, values):
            return f"{which.sentence()}: {_values(values)}"
        case AddGroup(group):
            return f"{group.component}: of {group.name}, {group.at_least} are enough"
        case RemoveGroup(component, name):
            return f"{component}: {name} are no alternatives any more"
        case AlterGroup(component, name, at_least):
            return f"{component}: of {name}, {at_least} are enough"
        case _:
            assert_never(change)


def _values(values: Values) -> str:
    def shown(value: object) -> str:
        if value is None:
            return "not said"
        return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)

    return "; ".join(f"{name} becomes {shown(value)}" for name, value in values)
