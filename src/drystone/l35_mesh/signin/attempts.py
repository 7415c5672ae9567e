"""How often somebody may try: guesses are counted by account and by client, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import timedelta

from drystone.l00_kernel.clock import Clock
from drystone.l35_mesh.signin.errors import TooManyAttempts

WITHIN = timedelta(minutes=15)
PER_PAIR, PER_ACCOUNT, PER_CLIENT = 10, 100, 300
"""Failures within that time: of one client at one account, at one account, of one client. The first is small, the others so
large that a stranger hardly keeps the owner out."""
MOST_REMEMBERED = 10_000


class Attempts:
    """Counts failures.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, ...], deque[timedelta]] = OrderedDict()

    def require(self, account: str, client: str) -> None:
        """Return if one more attempt is allowed.

        Raises:
            TooManyAttempts: It is not.
        """
        for key, most in _limits(account, client):
            if len(self._recent(key)) >= most:
                raise TooManyAttempts(
                    f"too many attempts have failed; try again in {WITHIN // timedelta(minutes=1)} minutes"
                )

    def failed(self, account: str, client: str) -> None:
        """Count a failure."""
        for key, most in _limits(account, client):
            recent = self._recent(key)
            recent.append(self._clock.monotonic())
            while len(recent) > most:
                recent.popleft()
            self._failures[key] = recent
            self._failures.move_to_end(key)
        while len(self._failures) > MOST_REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, account: str, client: str) -> None:
        """Forget the failures of this client at this account."""
        self._failures.pop((account, client), None)

    def _recent(self, key: tuple[str, ...]) -> deque[timedelta]:
        recent = self._failures.get(key, deque())
        over = self._clock.monotonic() - WITHIN
        while recent and recent[0] <= over:
            recent.popleft()
        return recent


def _limits(account: str, client: str) -> tuple[tuple[tuple[str, ...], int], ...]:
    account, client = account[:100], client[:100]
    return (
        ((account, client), PER_PAIR),
        (("account", account, ""), PER_ACCOUNT),
        (("client", client, ""), PER_CLIENT),
    )
