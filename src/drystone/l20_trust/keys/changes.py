"""Who wants to hear that keys of a service changed."""

from __future__ import annotations

from collections.abc import Callable

Told = Callable[[str], None]
"""Is given the issuer; returns at once and raises nothing."""


class Changes:
    """Counts changes and tells them; may be used from any thread.

    Attributes:
        count: Of those that there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._watching: dict[object, Told] = {}

    def watch(self, told: Told) -> Callable[[], None]:
        """Have changes told from now on, until what is returned is called."""
        place = object()
        self._watching[place] = told

        def end() -> None:
            self._watching.pop(place, None)

        return end

    def tell(self, issuer: str) -> None:
        """Say that keys of an issuer changed; one thread at a time."""
        self.count += 1
        for told in list(self._watching.values()):
            told(issuer)
