"""What may serve: every state that the outcomes of the commands so far allow.

The outcome of a command that was killed, or whose agent was, is not known: the operation may have been carried out or
not. So a service has several possible states until somebody looks. A command that said "done" leaves one of them.
"""

from __future__ import annotations

import enum

import msgspec


class Outcome(enum.StrEnum):
    """What a command told about its operation."""

    DONE = "done"
    """It was carried out."""

    UNDONE = "undone"
    """It was not, and everything is as before."""

    UNKNOWN = "unknown"
    """Either; the one who would have told was killed."""


class State(msgspec.Struct, frozen=True):
    """Which versions a service has.

    Attributes:
        active: The one that serves.
        trail: Those that served before, oldest first: where a rollback leads.
        kept: How many of them, the newest, are kept for certain; a deploy may have had older ones forgotten.
    """

    active: str
    trail: tuple[str, ...] = ()
    kept: int = 0

    def deployed(self, version: str, keep: int) -> State:
        """Return the state after a deploy by which so many earlier ones are kept."""
        return State(version, (*self.trail, self.active), min(self.kept + 1, keep))

    def rolled_back(self) -> State:
        """Return the state after a rollback; the same when there is nowhere to go."""
        if not self.trail:
            return self
        return State(self.trail[-1], self.trail[:-1], max(self.kept - 1, 0))


class Span(msgspec.Struct):
    """A time during which a version may answer, in seconds of the journal; open when ``until`` is None."""

    version: str
    since: float
    until: float | None = None

    def holds(self, version: str, sent: float, ended: float) -> bool:
        """Tell whether an answer to a request of that time may come from this version."""
        begun, over = self.since <= ended, self.until is not None and sent > self.until
        return version == self.version and begun and not over


class Expectation:
    """The possible states of one service, and which versions may have answered when.

    Args:
        keep: How many earlier releases the service keeps to go back to.
    """

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self.states: frozenset[State] = frozenset()
        self.spans: list[Span] = []

    def begin(self, active: str, at: float) -> None:
        """Take note of what serves at first."""
        self.states = frozenset({State(active)})
        self.spans = [Span(active, at)]

    def deploy_began(self, version: str, at: float) -> None:
        """From now on the new version may answer, too."""
        self.spans.append(Span(version, at))

    def deployed(self, version: str, outcome: Outcome, at: float) -> None:
        """Take note of what the command of a deploy told."""
        self._after(
            frozenset(state.deployed(version, self._keep) for state in self.states), outcome, at
        )

    def rollback_began(self, at: float) -> None:
        """From now on the version before may answer, too."""
        self.spans += [Span(state.rolled_back().active, at) for state in self.states]

    def rolled_back(self, outcome: Outcome, at: float) -> None:
        """Take note of what the command of a rollback told."""
        self._after(frozenset(state.rolled_back() for state in self.states), outcome, at)

    def _after(self, states: frozenset[State], outcome: Outcome, at: float) -> None:
        if outcome is Outcome.DONE:
            self.states = states
            self._only({state.active for state in states}, at)
        elif outcome is Outcome.UNKNOWN:
            self.states |= states

    def settle(self, seen: State, at: float) -> str | None:
        """Take note of what is there now that nothing is in progress; say so if that cannot be."""
        if not any(self._agrees(seen, state) for state in self.states):
            possible = " or ".join(
                sorted(f"{s.active} after {_words(s.trail)}" for s in self.states)
            )
            problem = (
                f"{seen.active} serves, after {_words(seen.trail)}; what was told leaves {possible}"
            )
        else:
            problem = None
        kept = min(len(seen.trail), self._keep)
        self.states = frozenset({msgspec.structs.replace(seen, kept=kept)})
        self._only({seen.active}, at)
        return problem

    @staticmethod
    def _agrees(seen: State, state: State) -> bool:
        """Compare, knowing that the oldest of a long trail are forgotten."""
        forgotten = len(state.trail) - len(seen.trail)
        is_end = forgotten >= 0 and state.trail[forgotten:] == seen.trail
        return seen.active == state.active and is_end and len(seen.trail) >= state.kept

    def never_served(self, version: str) -> None:
        """Take note that a version's operation was undone: none of its answers was right."""
        self.spans = [span for span in self.spans if span.version != version]

    def allows(self, version: str, sent: float, ended: float) -> bool:
        """Tell whether a version may have answered a request that was sent and answered then."""
        return any(span.holds(version, sent, ended) for span in self.spans)

    def _only(self, versions: set[str], at: float) -> None:
        for span in self.spans:
            if span.until is None and span.version not in versions:
                span.until = at
        open_now = {span.version for span in self.spans if span.until is None}
        self.spans += [Span(version, at) for version in versions - open_now]


def _words(trail: tuple[str, ...]) -> str:
    return ", ".join(trail) or "nothing"
