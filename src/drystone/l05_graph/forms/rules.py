"""Rules as YAML: what is checked of a model, and how bad it is.

.. code-block:: yaml

    levels:
      same-layer: warning
      without: off
    forbidden:
      - {source: "web-*", target: "*-database", reason: ask the service that owns it}
      - {source_product: shop, target_product: office, hard_only: true}
    allowed:
      - {source: ledger, target: postgres}

A rule that is not named has its usual level; ``off`` turns it off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.subject import Subject
from drystone.l05_graph.errors import ModelInvalid
from drystone.l05_graph.findings import LEVELS, Pattern, Rule, Rules, Severity
from drystone.l05_graph.forms.attributes import Attribute, Single
from drystone.l05_graph.forms.blocks import Notes, attributes, complete, single
from drystone.l05_graph.forms.parts import in_order
from drystone.l05_graph.forms.survey import document
from drystone.l05_graph.forms.values import flag, text, word

RULES = Subject(
    name="set of rules",
    begin="begin with 'levels:', 'forbidden:' or 'allowed:'",
    too_large="say more with fewer patterns",
    most_bytes=4 * 1024 * 1024,
    most_values=200_000,
)
TOP = ("levels", "forbidden", "allowed")


class Level(StrEnum):
    """How bad it is to break a rule."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    OFF = "off"


PATTERN: Mapping[str, Attribute] = {
    "source": Single(text),
    "target": Single(text),
    "source_product": Single(text),
    "target_product": Single(text),
    "hard_only": Single(flag),
    "reason": Single(text),
}


def read(written: str | bytes, *, file: str = "rules.yaml") -> Rules:
    """Read rules.

    Raises:
        ModelInvalid: There are mistakes; all of them are in it, with their places.
    """
    notes = Notes(file)
    root = document(written, notes, RULES)
    levels: dict[Rule, Severity] = dict(LEVELS)
    lists: dict[str, tuple[Pattern, ...]] = {}
    for key, entry in (root.entries if root is not None else {}).items():
        if key == "levels":
            _levels(notes.mapping(entry.node, key), levels, notes)
        elif key in TOP:
            lists[key] = tuple(_patterns(key, entry.node, notes))
        else:
            notes.unknown(entry.key, key, TOP, "the set of rules")
    if notes.mistakes:
        raise ModelInvalid(in_order(notes.mistakes))
    return Rules(levels=levels, **lists)


def _levels(entries: Mapping[str, tree.Entry], levels: dict[Rule, Severity], notes: Notes) -> None:
    known = {str(rule): rule for rule in Rule}
    for name, entry in entries.items():
        rule = known.get(name)
        if rule is None:
            notes.unknown(entry.key, name, known, "levels")
            continue
        level = single(entry.node, word(Level), notes, f"levels: {name}")
        if level is Level.OFF:
            levels.pop(rule, None)
        elif isinstance(level, Level):
            levels[rule] = Severity(level.value)


def _patterns(key: str, node: tree.Node, notes: Notes) -> Iterator[Pattern]:
    if isinstance(node, tree.Scalar) and node.value is None:
        return
    if not isinstance(node, tree.Sequence):
        notes.add(node.span, f"{key} is no list; write '- {{source: …, target: …}}'")
        return
    for item in node.items:
        said = complete(attributes(notes.mapping(item, key), PATTERN, notes, key), {})
        if not said.keys() - {"hard_only", "reason"}:
            notes.add(item.span, f"{key}: say which, by source, target or a product")
            continue
        yield Pattern(**said)
