"""Environments: what is different there, and the descriptor that results.

An environment is the base, changed by ``environments.<name>``, changed by ``environments.<name>.<region>``. Mappings merge key by
key, everything else replaces, null removes. A short form merges as the long form that it stands for. Every value of the result
keeps the place where it was written, so a mistake in the result is shown where it was made.
"""

from __future__ import annotations

import re

from typing_extensions import override

from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.tree import Entry, Mapping, Node, Path, Scalar, dotted, plain
from drystone.l25_deployer.descriptor.shapes import BROKEN, Run, Shape

FIXED = ("schema", "service", "environments")
"""Keys that are the same in every environment."""

MOST = 50
"""Environments and regions of one descriptor; each is checked as it results."""

_PART = "[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?"

NAME_PATTERN = rf"{_PART}(?:\.{_PART})?"
"""``prod``, or ``prod.eu-west`` for one region of it."""

_KEY = re.compile(NAME_PATTERN)


class Overlays(Shape):
    """The key ``environments``: partial descriptors by environment; their contents are checked merged."""

    kinds = frozenset(["mapping"])

    @property
    @override
    def expected(self) -> str:
        return "a mapping from environment to what is different there"

    @override
    def check(self, node: Node, path: Path, run: Run) -> object:
        if not isinstance(node, Mapping):
            return self.misfit(node, path, run)
        if len(node.entries) > MOST:
            return run.problem(
                node.span, f"{dotted(path)}: there are more than {MOST} environments"
            )
        bad = False
        for key, entry in node.entries.items():
            if key.startswith("x-"):
                continue
            here = (*path, key)
            if not _KEY.fullmatch(key):
                help_ = "write a name such as prod, or prod.eu-west for one region of it"
                run.problem(
                    entry.key, f"{dotted(path)}: bad name {quoted(key)} for an environment", help_
                )
                bad = True
            bad = self._fixed(entry, here, run) or bad
        return BROKEN if bad else plain(node)

    def _fixed(self, entry: Entry, path: Path, run: Run) -> bool:
        node = entry.node
        if isinstance(node, Scalar) and node.value is None:
            return False
        if not isinstance(node, Mapping):
            self.misfit(node, path, run)
            return True
        wrong = [key for key in FIXED if key in node.entries]
        for key in wrong:
            run.problem(
                node.entries[key].key,
                f"{dotted(path)}: '{key}' is the same in every environment",
                "remove it here",
            )
        return bool(wrong)


def names(root: Mapping) -> list[str]:
    """List the environments that the descriptor mentions: ``prod``, ``prod.eu-west``."""
    entry = root.entries.get("environments")
    if entry is None or not isinstance(entry.node, Mapping):
        return []
    if len(entry.node.entries) > MOST:
        return []
    return [key for key in entry.node.entries if _KEY.fullmatch(key) and not key.startswith("x-")]


def merged(root: Mapping, shape: Shape, environment: str, region: str | None) -> Mapping:
    """Merge the base with what one environment changes; the result has no ``environments``."""
    entries = {key: entry for key, entry in root.entries.items() if key != "environments"}
    result = Mapping(root.span, entries, {}, root.size)
    block = root.entries.get("environments")
    changes = block.node.entries if block is not None and isinstance(block.node, Mapping) else {}
    for name in (environment, f"{environment}.{region}") if region else (environment,):
        entry = changes.get(name)
        if entry is not None and isinstance(entry.node, Mapping):
            without = {key: value for key, value in entry.node.entries.items() if key not in FIXED}
            result = _merge(result, Mapping(entry.node.span, without), shape)
    return result


def _merge(base: Mapping, over: Mapping, shape: Shape | None) -> Mapping:
    entries, removed = dict(base.entries), dict(base.removed)
    for key, entry in over.entries.items():
        if isinstance(entry.node, Scalar) and entry.node.value is None:
            entries.pop(key, None)
            removed[key] = entry.key
            continue
        earlier = entries.get(key)
        below = (
            shape.child(key, over if key == "type" or earlier is None else base) if shape else None
        )
        entries[key] = entry if earlier is None else _entry(earlier, entry, below)
    return Mapping(base.span, entries, removed, base.size)


def _entry(earlier: Entry, later: Entry, shape: Shape | None) -> Entry:
    old, new = earlier.node, later.node
    if shape is not None and (isinstance(old, Mapping) or isinstance(new, Mapping)):
        old, new = shape.expand(old), shape.expand(new)
    if isinstance(old, Mapping) and isinstance(new, Mapping) and not _changes_type(old, new):
        return Entry(earlier.key, _merge(old, new, shape))
    return Entry(later.key, new)


def _changes_type(old: Mapping, new: Mapping) -> bool:
    """Tell whether a resource becomes one of another type, whose keys the old ones do not fit."""
    types = [node.entries["type"].node for node in (old, new) if "type" in node.entries]
    texts = [node.text for node in types if isinstance(node, Scalar)]
    return len(texts) == 2 and texts[0] != texts[1]
