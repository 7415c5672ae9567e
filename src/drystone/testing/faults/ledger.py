"""What was written and acknowledged, held against what is kept."""

from __future__ import annotations

from collections import Counter


class Ledger:
    """The keys of one service: those that were sent, and those whose writing was acknowledged.

    A key that was sent and not acknowledged may be kept or not. One that was acknowledged must be kept. Nothing
    may be kept that was never sent, and nothing twice: a write that an application may have seen is not sent again.
    """

    def __init__(self) -> None:
        self._sent: set[str] = set()
        self._acknowledged: set[str] = set()

    @property
    def acknowledged(self) -> frozenset[str]:
        """The keys that must be kept from now on."""
        return frozenset(self._acknowledged)

    def next_key(self) -> str:
        """Return a key that was never sent before, and count it as sent."""
        key = f"{len(self._sent):07d}"
        self._sent.add(key)
        return key

    def acknowledge(self, key: str) -> None:
        """Note that the service promised to keep a key."""
        self._acknowledged.add(key)

    def judge(self, kept: list[str], promised: frozenset[str]) -> list[str]:
        """Say what is wrong with what a service keeps; the same words again while it only becomes worse.

        Args:
            kept: What it says it has.
            promised: What was acknowledged before it was asked.
        """
        found = []
        if lost := sorted(promised.difference(kept)):
            found.append(f"acknowledged keys are lost; the first is {lost[0]}")
        if foreign := sorted(set(kept) - self._sent):
            found.append(f"keys were never sent; the first is {foreign[0]}")
        if again := sorted(key for key, often in Counter(kept).items() if often > 1):
            found.append(f"keys were written more than once; the first is {again[0]}")
        return found
