"""Writing a survey: the same model gives the same text, and reading the text gives the same model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import msgspec

from drystone.l00_kernel.durations import show_duration
from drystone.l00_kernel.yaml_text.writing import write_text
from drystone.l05_graph.forms.attributes import COMPONENT, DEPENDENCY
from drystone.l05_graph.forms.survey import defaults_of, said_of
from drystone.l05_graph.model import Component, Dependency, Model

_LONGEST_KEY = 200
"""YAML reads a key that stands before its colon only when it is short."""


def dump(model: Model) -> str:
    """Write a model as a survey.

    Returns:
        YAML that :func:`~drystone.l05_graph.forms.survey.read` takes: with the same components in the same order, each with
        its dependencies in the order of the model.
    """
    return "\n".join(_lines(model)) + "\n"


def scalar(value: object) -> str:
    """Write one value, so that it is read as the same."""
    match value:
        case None:
            return "~"
        case bool():
            return "true" if value else "false"
        case timedelta():
            return show_duration(value)
        case date():
            return value.isoformat()
        case int() | float():
            return repr(value)
        case _:
            return write_text(str(value))


def flow(value: object) -> str:
    """Write a value of a form on one line: a scalar, a list or a block."""
    if isinstance(value, tuple):
        return f"[{', '.join(flow(item) for item in value)}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, msgspec.Struct):
        return flow(_parts(value))
    return scalar(value)


def _parts(block: msgspec.Struct) -> dict[str, Any]:
    return said_of(block, defaults_of(type(block)))


def _lines(model: Model) -> Iterator[str]:
    if model.title:
        yield f"title: {scalar(model.title)}"
    if model.parent is not None:
        yield f"parent: {scalar(model.parent)}"
    if not model.components:
        yield "components: {}"
        return
    yield "components:"
    groups: dict[str, dict[str, int]] = {}
    for group in model.groups:
        groups.setdefault(group.component, {})[group.name] = group.at_least
    for component in model.components:
        needs = model.needs.get(component.name, ())
        inner = list(_component(component, groups.get(component.name, {}), needs))
        yield from _entry(2, component.name, "", inner)


def _entry(depth: int, key: str, value: str, inner: Iterable[str] = ()) -> Iterator[str]:
    space, name = " " * depth, scalar(key)
    if len(name) > _LONGEST_KEY:
        yield f"{space}? {name}"
        name = ""
    yield f"{space}{name}: {value}".rstrip()
    yield from inner


def _component(
    component: Component, groups: dict[str, int], needs: Iterable[Dependency]
) -> Iterator[str]:
    for name, value in said_of(component, COMPONENT).items():
        yield from _entry(4, name, flow(value))
    if groups:
        inner = (line for name, count in groups.items() for line in _entry(6, name, str(count)))
        yield from _entry(4, "groups", "", inner)
    by_target: dict[str, list[Dependency]] = {}
    for one in needs:
        by_target.setdefault(one.target, []).append(one)
    if by_target:
        yield "    needs:"
    for target, every in by_target.items():
        if len(every) == 1:
            yield from _entry(6, target, need(every[0]))
        else:
            yield from _entry(6, target, "", (f"        - {need(one)}" for one in every))


def need(one: Dependency) -> str:
    """Write what is said about a dependency on one line."""
    said = said_of(one, DEPENDENCY)
    if not said.keys() - {"strength"}:
        return scalar(one.strength)
    return flow({"strength": one.strength, **said})
