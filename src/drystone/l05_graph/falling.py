"""What falls when components fail: the least fixpoint over *and* and *or*.

A component falls once something that it requires has fallen, or of a choice so many members that too few are left. A circle
that holds itself up goes on. One pass over the dependencies of what falls, step by step, so that a step is as short as it
can be (Dowling and Gallier, J. Logic Programming 1(3), 1984, for the same of Horn clauses).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from drystone.l05_graph.circles import circles
from drystone.l05_graph.requirements import Choice, Requirements

STANDS = 0


class Falling:
    """What has fallen so far.

    Args:
        required: What each component requires.

    Attributes:
        step: In which step each has fallen, from 1; :data:`STANDS` for what has not.
    """

    def __init__(self, required: Requirements) -> None:
        self._required = required
        self.step = [STANDS] * len(required.single.targets)
        self._spare = [choice.spare for choice in required.choices]
        self._steps = 0

    def fail(self, some: Iterable[int]) -> list[int]:
        """Let components fail, all in one step, and everything fall that does then.

        Returns:
            What has fallen by this, itself included, in the order in which it has.
        """
        step, users, among = self.step, self._required.single.users, self._required.among
        found: list[int] = []
        wave = [one for one in dict.fromkeys(some) if step[one] == STANDS]
        while wave:
            self._steps += 1
            for one in wave:
                step[one] = self._steps
            found += wave
            hit: dict[int, None] = {}
            for one in wave:
                for user in users[one]:
                    if step[user] == STANDS:
                        hit[user] = None
                for place in among.get(one, ()):
                    self._spare[place] -= 1
                    owner = self._required.choices[place].of
                    if self._spare[place] < 0 and step[owner] == STANDS:
                        hit[owner] = None
            wave = list(hit)
        return found

    def reasons(self, one: int) -> list[int]:
        """Return the places of the dependencies by which something has fallen: on what had fallen before it.

        None for what stands or has failed by itself. Of a choice that still had enough members, none.
        """
        mine, single = self.step[one], self._required.single
        pairs = zip(single.lines[one], single.targets[one], strict=True)
        found = [line for line, target in pairs if 0 < self.step[target] < mine]
        for choice in self._required.of.get(one, ()):
            gone = self._gone(choice, mine)
            if len(gone) > choice.spare:
                found += gone
        return sorted(found)

    def way(self, one: int) -> list[int]:
        """Return the places of dependencies, each from where the one before leads to, down to what failed by itself.

        Each leads to what fell in the step before; it is a shortest way if there is no choice on it.
        """
        found: list[int] = []
        while (cause := self._cause(one)) is not None:
            line, one = cause
            found.append(line)
        return found

    def _cause(self, one: int) -> tuple[int, int] | None:
        """Return the place of the dependency that came last to make it fall, and where it leads."""
        single, before = self._required.single, self.step[one] - 1
        if before < 1:
            return None
        for line, target in zip(single.lines[one], single.targets[one], strict=True):
            if self.step[target] == before:
                return line, target
        for choice in self._required.of.get(one, ()):
            if len(self._gone(choice, before + 1)) > choice.spare:
                pairs = zip(choice.lines, choice.members, strict=True)
                last = [pair for pair in pairs if self.step[pair[1]] == before]
                if last:
                    return last[0]
        return None

    def _gone(self, choice: Choice, before: int) -> list[int]:
        pairs = zip(choice.lines, choice.members, strict=True)
        return [line for line, member in pairs if 0 < self.step[member] < before]


class Worst:
    """The worst that each component comes to need, whatever alternatives are taken.

    That is the highest value such that it falls when all that have this or a higher one fail. Of a choice, what counts is the
    best members that are enough.

    Args:
        required: What each component requires.
        values: How bad each component is.
        above: What is not worse than this does not matter.

    Attributes:
        worst: How bad the worst is, for each component; ``above`` if nothing is worse than that.
    """

    def __init__(self, required: Requirements, values: Sequence[float], above: float) -> None:
        self.worst = [above] * len(values)
        self._falling = Falling(required)
        bad: dict[float, list[int]] = {}
        for one, value in enumerate(values):
            if value > above:
                bad.setdefault(value, []).append(one)
        for value in sorted(bad, reverse=True):
            for one in self._falling.fail(bad[value]):
                self.worst[one] = value

    def reasons(self, one: int) -> list[int]:
        """Return the places of the dependencies by which it needs that; see :meth:`Falling.reasons`."""
        return self._falling.reasons(one)

    def way(self, one: int) -> list[int]:
        """Return the places of the dependencies that lead to one that is as bad; none from itself."""
        return self._falling.way(one)


def falls_with(required: Requirements) -> list[int]:
    """Return the single points of failure of each component: whose failure alone lets it fall, itself included.

    As bits: bit ``v`` of number ``u`` says that u falls when v fails. Strong components after all that they need.
    """
    found = [1 << one for one in range(len(required.single.targets))]
    for together in circles(required.below):
        if len(together) > 1 and required.of.keys().isdisjoint(together):
            bits = 0
            for one in together:
                bits |= _lost_with(one, required, found)
            for one in together:
                found[one] = bits
            continue
        changed = True
        while changed:
            changed = False
            for one in together:
                bits = _lost_with(one, required, found)
                if bits != found[one]:
                    found[one] = bits
                    changed = len(together) > 1
    return found


def _lost_with(one: int, required: Requirements, found: Sequence[int]) -> int:
    """Return the bits that something has by itself and by what it requires."""
    bits = found[one]
    for target in required.single.targets[one]:
        bits |= found[target]
    for choice in required.of.get(one, ()):
        bits |= lost(choice.spare, map(found.__getitem__, choice.members))
    return bits


def lost(spare: int, falls_with: Iterable[int]) -> int:
    """Return the bits that more members of a choice have than may fail.

    Args:
        spare: How many may fail.
        falls_with: Whom each member falls with, as bits.
    """
    # Bit by bit at once: ``count[k]`` are those that at least k + 1 members have.
    count = [0] * (spare + 1)
    for bits in falls_with:
        for place in range(spare, 0, -1):
            count[place] |= count[place - 1] & bits
        count[0] |= bits
    return count[spare]
