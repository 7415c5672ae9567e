"""A plan for people: lines of text, each with a tag that tells a terminal how to colour it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Literal, TypeAlias

import msgspec

from drystone.l00_kernel.durations import show_duration
from drystone.l00_kernel.yaml_text.problems import visible
from drystone.l25_deployer.descriptor.quantities import show_size
from drystone.l25_deployer.stacks.leaves import Leaf, StackPath
from drystone.l25_deployer.stacks.model import Health, Reference, Stop
from drystone.l25_deployer.stacks.plan import Change, Plan

Style: TypeAlias = Literal["heading", "add", "change", "remove", "danger", "note", "plain"]

_TITLES = {
    "eternal": "Data: kept until removed by name",
    "resources": "Release",
    "deployment": "Instances",
    "environment": "Surroundings",
    "route": "Traffic",
}
_SIGNS = {"add": "+", "change": "~", "remove": "-"}
_DURATIONS = frozenset(
    [
        *Health.__struct_fields__,
        *Stop.__struct_fields__,
        "keep_warm",
        "cache",
        "period",
        "cooldown",
        "latency",
    ]
)
_SPELLED = re.compile(r"PT?[0-9.DTHMS]+")
_SENSITIVE = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY|DSN|_KEY$")
_PASSWORD = re.compile(r"(://[^/@:\s]*:)[^/@\s]+@")
_MOST = 60


class Line(msgspec.Struct, frozen=True):
    """One line of a plan.

    Attributes:
        style: How a terminal may show it; the text alone says everything.
    """

    text: str
    style: Style = "plain"


def render_plan(made: Plan) -> list[Line]:
    """Show a plan: a heading, the changes of each stack, then what is refused, not acted on, and found."""
    count = len(made.changes)
    what = (
        "nothing to change" if made.is_empty else "1 change" if count == 1 else f"{count} changes"
    )
    lines = [Line(f"{made.service} in {made.environment}: {what}", "heading")]
    comes_or_goes = frozenset(
        change.path[2]
        for change in made.changes
        if change.stack == "eternal" and len(change.path) == 3
    )
    for stack, title in _TITLES.items():
        changes = [change for change in made.changes if change.stack == stack]
        if changes:
            lines += [Line(""), Line(title, "heading"), *_table(changes, comes_or_goes)]
    if made.refused:
        lines += [Line(""), Line("Refused", "heading")]
        lines += [Line(f"  {visible(reason)}", "danger") for reason in made.refused]
    if made.accepted_not_acted_on:
        lines += [Line(""), Line("Accepted, not acted on yet", "heading")]
        lines += [
            Line(f"  line {notice.line}: {notice.path}: {notice.sentence}", "note")
            for notice in made.accepted_not_acted_on
        ]
    if made.findings:
        lines += [Line(""), Line("Dependencies", "heading")]
        lines += [Line(f"  {visible(finding)}", "note") for finding in made.findings]
    return lines


def plan_text(made: Plan) -> str:
    """Show a plan without colours."""
    return "\n".join(line.text for line in render_plan(made))


def plan_json(made: Plan) -> bytes:
    """Write a plan as JSON for machines: values as text, sensitive ones hidden."""
    document = {
        "service": made.service,
        "environment": made.environment,
        "changes": [
            {
                "stack": change.stack,
                "path": change.field,
                "action": change.action,
                "old": value_text(change, change.old),
                "new": value_text(change, change.new),
                "effect": change.effect,
                "consequence": change.consequence,
                "file": change.origin.file if change.origin else None,
                "line": change.origin.line if change.origin else None,
            }
            for change in made.changes
        ],
        "refused": made.refused,
        "confirm": made.confirm,
        "accepted_not_acted_on": made.accepted_not_acted_on,
        "findings": made.findings,
    }
    return msgspec.json.encode(document)


def value_text(change: Change, value: Leaf) -> str | None:
    """Show one side of a change, or None when there is nothing on that side."""
    return None if value is None else _PASSWORD.sub(r"\1(hidden)@", _shown(change.path, value))


def _table(changes: list[Change], comes_or_goes: frozenset[str]) -> Iterator[Line]:
    rows = list(_rows(changes, comes_or_goes))
    widest = min(max(len(field) for _, field, _ in rows), 40)
    wider = min(max(len(values) for _, _, values in rows), _MOST)
    for change, field, values in rows:
        where = f"  {change.origin.file}:{change.origin.line}" if change.origin else ""
        text = (
            f"  {_SIGNS[change.action]} {field:<{widest}}  {values:<{wider}}  {change.consequence}"
        )
        style: Style = "danger" if change.effect in ("refused", "delete-data") else change.action
        yield Line(visible(f"{text}{where}").rstrip(), style)


def _rows(
    changes: list[Change], comes_or_goes: frozenset[str]
) -> Iterator[tuple[Change, str, str]]:
    """Give each change its field and values; variables that come or go with their resource share a row."""
    together: dict[tuple[str, str], list[Change]] = {}
    for change in changes:
        resource = _injected_by(change)
        if resource in comes_or_goes:
            together.setdefault((change.action, resource), []).append(change)
    shown = set()
    for change in changes:
        key = (change.action, _injected_by(change))
        if key not in together:
            yield change, change.field, _values(change)
        elif key not in shown:
            shown.add(key)
            prefix = key[1].replace("-", "_").upper()
            yield change, f"env.{prefix}_*", f"{len(together[key])} variables of resources.{key[1]}"


def _injected_by(change: Change) -> str:
    """Name the resource whose value alone a variable is; empty for everything else."""
    value = change.new if change.action == "add" else change.old
    if change.action == "change" or change.path[:2] != ("resources", "env"):
        return ""
    if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], Mapping):
        return ""
    name = str(value[0]["name"])
    own = change.path[2] == f"{name}_{value[0]['key']}".replace("-", "_").upper()
    return name if own and value[0]["space"] == "resources" else ""


def _values(change: Change) -> str:
    old, new = value_text(change, change.old) or "", value_text(change, change.new) or ""
    match change.action:
        case "add":
            return _short(new)
        case "remove":
            return _short(old)
        case _:
            skipped = _alike(old, new) if max(len(old), len(new)) > _MOST // 2 else 0
            mark = "…" if skipped else ""
            return " → ".join(_short(mark + text[skipped:], _MOST // 2) for text in (old, new))


def _alike(old: str, new: str) -> int:
    """Count the characters at the start that need not be shown, since both have them."""
    pairs = zip(old, new, strict=False)
    common = next((number for number, (one, other) in enumerate(pairs) if one != other), 0)
    return max(0, common - 8)


def _short(text: str, most: int = _MOST) -> str:
    text = text.replace("\n", "⏎")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _shown(path: StackPath, value: Leaf) -> str:
    if "env" in path[:-1] and _SENSITIVE.search(path[-1]) and not _is_reference(value):
        return "(hidden)"
    if isinstance(value, Mapping):
        return _entry(path, value)
    if isinstance(value, list):
        return _list(path, value)
    return _single(path, value)


def _single(path: StackPath, value: Leaf) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if path[-1] in ("memory", "storage") and isinstance(value, int):
        return show_size(value)
    if isinstance(value, str) and _SPELLED.fullmatch(value) and _DURATIONS & set(path):
        return show_duration(msgspec.convert(value, timedelta))
    return str(value)


def _entry(path: StackPath, value: Mapping[str, Leaf]) -> str:
    """Show a whole entry: its type, then what it consists of."""
    inner = [
        f"{key} {_shown((*path, key), item)}"
        for key, item in value.items()
        if key != "type" and item not in ([], {}, None) and not isinstance(item, Mapping)
    ]
    type_ = value.get("type")
    return ", ".join([str(type_), *inner] if type_ else inner)


def _list(path: StackPath, value: list[Leaf]) -> str:
    if "env" in path[:-1]:
        return template_text(value)
    if path[-1] in ("command", "migrate"):
        return shlex.join(
            template_text(part) if isinstance(part, list) else str(part) for part in value
        )
    if path[-1] == "setup":
        return shlex.join(str(part) for part in value)
    if path[-1] == "smoke":
        return ", ".join(
            " ".join(str(word) for word in item.values())
            for item in value
            if isinstance(item, dict)
        )
    return ", ".join(str(item) for item in value) or "none"


def template_text(parts: list[Leaf]) -> str:
    """Write a template as it would stand in a descriptor."""
    shown = ""
    for part in parts:
        if isinstance(part, Mapping):
            ref = msgspec.convert(part, Reference)
            shown += "${" + ".".join(word for word in (ref.space, ref.name, ref.key) if word) + "}"
        else:
            shown += str(part)
    return shown


def _is_reference(value: Leaf) -> bool:
    return isinstance(value, list) and all(isinstance(part, Mapping) for part in value)
