"""Going through the mappings of a foreign file, so that what nobody looked at is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from drystone.l00_kernel.yaml_text import tree
from drystone.l00_kernel.yaml_text.problems import quoted
from drystone.l00_kernel.yaml_text.tree import Path, Span
from drystone.l25_deployer.exchange.remarks import Remarks

Reasons = Mapping[str, tuple[str, str]]
"""Why a key has no counterpart, and what to do, by key."""

OF_ITS_OWN = "x-"


class Walk:
    """One mapping of a foreign file.

    Args:
        node: The mapping; what is none counts as one without keys, and is told.
        path: Where it is.
        remarks: Where to tell.
    """

    def __init__(self, node: tree.Node | None, path: Path, remarks: Remarks) -> None:
        self.path = path
        self.span = node.span if node is not None else None
        self.remarks = remarks
        self._entries: dict[str, tree.Entry] = {}
        self._seen: set[str] = set()
        if isinstance(node, tree.Mapping):
            self._entries = node.entries
        elif node is not None and not is_nothing(node):
            self.unfit(node, path, "a mapping")

    def unfit(self, node: tree.Node, path: Path, expected: str) -> None:
        """Tell that something is of another kind than it can be."""
        found = quoted(node.text) if isinstance(node, tree.Scalar) else tree.kind(node)
        self.remarks.lost(node.span, path, f"{found} is not {expected}", "write it as it should be")

    @property
    def keys(self) -> Sequence[str]:
        """Its keys, those of one's own left out."""
        return [key for key in self._entries if not key.startswith(OF_ITS_OWN)]

    def has(self, key: str) -> bool:
        """Tell whether a key is there with a value."""
        return key in self._entries and not is_nothing(self._entries[key].node)

    def place(self, key: str) -> Span | None:
        """Tell where a key is."""
        return self._entries[key].key if key in self._entries else self.span

    def node(self, key: str) -> tree.Node | None:
        """Return what a key has, as it is; whoever asks looks after all of it."""
        self._seen.add(key)
        entry = self._entries.get(key)
        return entry.node if entry is not None and not is_nothing(entry.node) else None

    def below(self, key: str) -> Walk:
        """Return the mapping of a key."""
        return Walk(self.node(key), (*self.path, key), self.remarks)

    def each(self) -> Iterator[tuple[str, Walk]]:
        """Return each key with its mapping."""
        for key in self.keys:
            yield key, self.below(key)

    def text(self, key: str) -> str:
        """Return a single value as it is written; empty when there is none."""
        node = self.node(key)
        if node is None:
            return ""
        if not isinstance(node, tree.Scalar):
            self.unfit(node, (*self.path, key), "a single value")
            return ""
        return node.text

    def is_true(self, key: str) -> bool:
        """Return a truth value; false when there is none."""
        node = self.node(key)
        if node is None:
            return False
        if not isinstance(node, tree.Scalar) or not isinstance(node.value, bool):
            self.unfit(node, (*self.path, key), "true or false")
            return False
        return node.value

    def words(self, key: str) -> list[tuple[str, Span]]:
        """Return single values of a list, or the one that stands in its place; others are told."""
        node = self.node(key)
        if node is None:
            return []
        found = []
        for item in node.items if isinstance(node, tree.Sequence) else [node]:
            if isinstance(item, tree.Scalar) and item.value is not None:
                found.append((item.text, item.span))
            elif item is not node or not isinstance(node, tree.Scalar):
                self.unfit(item, (*self.path, key), "a list of single values")
        return found

    def lost(self, key: str, why: str, do: str) -> None:
        """Say that a key has no counterpart."""
        self._seen.add(key)
        self.remarks.lost(self.place(key), (*self.path, key), why, do)

    def rest(self, what: str, reasons: Reasons) -> None:
        """Tell of each key that nobody looked at.

        Args:
            what: What has such keys, for those without a reason.
            reasons: Why known keys have no counterpart.
        """
        for key in self.keys:
            if key in self._seen:
                continue
            why, do = reasons.get(
                key, (f"{quoted(key)} of {what} is not known", "look up what it does")
            )
            self.lost(key, why, do)


def is_nothing(node: tree.Node) -> bool:
    """Tell whether a value is empty."""
    return isinstance(node, tree.Scalar) and node.value is None
