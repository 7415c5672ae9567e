"""Edge lists: ``u v [cost]`` on each line, as published graphs come.

Names are whatever stands between the separators (tabs, spaces or commas). Lines that begin with ``#`` or ``%`` are comments. What is read is
held as numbers, so that ten million lines fit into memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.arcs import merged
from drystone.l05_graph.arrays import Graph, graph_of_edges
from drystone.l05_graph.errors import MOST_SHOWN, Mistake, ModelInvalid

LONGEST_LINE = 4096
"""In characters; a longer line is no edge."""
COMMENTS = ("#", "%")


@dataclass(frozen=True, kw_only=True)
class EdgeList:
    """What was read.

    Attributes:
        graph: One edge for each pair of names, with the sum of the costs of all lines that name it.
        lines: How many lines there were, with comments and blank ones.
        parallel: How many lines named a pair again.
        loops: How many lines led from a name to itself; they were skipped.
        loop_lines: The first of these, by number from 1.
    """

    graph: Graph
    lines: int
    parallel: int
    loops: int
    loop_lines: tuple[int, ...]

    def notes(self) -> list[str]:
        """Say what was put together or left out."""
        said = []
        if self.parallel:
            said.append(f"{self.parallel} lines name an edge again; their costs were added up")
        if self.loops:
            where = ", ".join(map(str, self.loop_lines))
            more = ", …" if self.loops > len(self.loop_lines) else ""
            said.append(
                f"{self.loops} edges from a name to itself were skipped: line {where}{more}"
            )
        return said


def read_edge_list(lines: Iterable[str], name: str = "edges") -> EdgeList:
    """Read an edge list.

    Args:
        lines: Its lines, such as an open file.
        name: What it is called in messages.

    Raises:
        ModelInvalid: A line is no edge; the first twenty such, with their places.
    """
    reader = _Reader(name)
    for line in lines:
        reader.take(line)
    return reader.result()


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers: dict[str, int] = {}
        self._source, self._target = array("q"), array("q")
        self._cost = array("d")
        self._mistakes: list[Mistake] = []
        self._more = 0
        self._line = self._loops = 0
        self._loop_lines: list[int] = []

    def take(self, line: str) -> None:
        self._line += 1
        if "," in line:
            line = line.replace(",", " ")
        words = line.split()
        if not words or words[0].startswith(COMMENTS):
            return
        if not 2 <= len(words) <= 3 or len(line) > LONGEST_LINE:
            self._refuse(self._why(words, line))
            return
        cost = 1.0
        if len(words) == 3:
            try:
                cost = float(words[2])
            except ValueError:
                cost = -1.0
            if not 0 <= cost < float("inf"):
                self._refuse(f"the cost is {_short(words[2])}; write a number that is not negative")
                return
        if words[0] == words[1]:
            self._loops += 1
            if len(self._loop_lines) < MOST_SHOWN:
                self._loop_lines.append(self._line)
            return
        numbers = self._numbers
        self._source.append(numbers.setdefault(words[0], len(numbers)))
        self._target.append(numbers.setdefault(words[1], len(numbers)))
        self._cost.append(cost)

    def _why(self, words: list[str], line: str) -> str:
        if len(line) > LONGEST_LINE:
            return f"the line has {len(line)} characters; an edge has at most {LONGEST_LINE}"
        found = "one word" if len(words) == 1 else f"{len(words)} words"
        return f"{found}, {_short(' '.join(words))}; write two names and, if you like, a cost"

    def _refuse(self, message: str) -> None:
        if len(self._mistakes) < MOST_SHOWN:
            self._mistakes.append(Mistake(message, f"{self._name}:{self._line}"))
        else:
            self._more += 1

    def result(self) -> EdgeList:
        if self._more:
            self._mistakes.append(Mistake(f"{self._more} more lines are no edges", self._name))
        if self._mistakes:
            raise ModelInvalid(self._mistakes)
        source, target = (np.frombuffer(one, np.int64) for one in (self._source, self._target))
        arcs, _ = merged(len(self._numbers), source, target, np.frombuffer(self._cost, np.float64))
        return EdgeList(
            graph=graph_of_edges(list(self._numbers), arcs.source, arcs.target, arcs.cost),
            lines=self._line,
            parallel=len(source) - arcs.count,
            loops=self._loops,
            loop_lines=tuple(self._loop_lines),
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
