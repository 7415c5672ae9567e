"""Edge lists: ``u v [cost]`` on each line, as published graphs come.

Names are whatever stands between the separators (tabs, spaces or commas). Lines that begin with ``#`` or ``%`` are comments. What is read is
held as numbers, so that ten million lines fit into memory. A block of plain lines, all of two or all of three words, is
taken in a few operations on all of its words; any other block line by line, so that both say the same of it.
"""

from __future__ import annotations

import itertools
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from drystone.l05_graph.arcs import merged
from drystone.l05_graph.arrays import Costs, Graph, Numbers, graph_of_edges
from drystone.l05_graph.errors import MOST_SHOWN, Mistake, ModelInvalid

LONGEST_LINE = 4096
"""In characters; a longer line is no edge."""
COMMENTS = ("#", "%")
FIRST_BLOCK, BLOCK = 1 << 14, 1 << 21
"""In bytes. Comments stand mostly at the begin, so that the first block is small."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
NEWLINE = ord("\n")
SPACES = np.array([chr(letter).isspace() for letter in range(256)])


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


def read_edge_stream(stream: BinaryIO, name: str = "edges", *, block_size: int = BLOCK) -> EdgeList:
    """Read an edge list of any length: ten million lines take some seconds.

    Args:
        stream: UTF-8, with or without a byte order mark.
        name: What it is called in messages.
        block_size: How much is read at once, in bytes.

    Raises:
        ModelInvalid: A line is no edge; the first twenty such, with their places.
        UnicodeDecodeError: It is not UTF-8.
    """
    reader = _Reader(name)
    rest, is_cut = stream.read(min(FIRST_BLOCK, block_size)).removeprefix(BYTE_ORDER_MARK), False
    while block := stream.read(block_size):
        end = block.rfind(b"\n") + 1
        if end:
            # Of a line that is too long only the begin is kept; what follows up to its end is skipped.
            reader.take_block(block[block.find(b"\n") + 1 : end] if is_cut else rest + block[:end])
            rest, is_cut = block[end:], False
        elif not is_cut:
            rest += block
            if len(rest) > 8 * LONGEST_LINE and b"\n" not in rest:
                reader.take_block(rest)
                rest, is_cut = b"", True
    reader.take_block(rest)
    return reader.result()


def _ends_of_words(block: bytes) -> tuple[Numbers, Numbers]:
    """Return where words begin and lines end."""
    letters = np.frombuffer(block, np.uint8)
    is_space = SPACES[letters]
    begins = np.nonzero(np.diff(is_space.view(np.int8), prepend=1) == -1)[0]
    return begins, np.nonzero(letters == NEWLINE)[0]


def _width(block: bytes) -> int:
    """Return how many words each line has, if it is the same for all and the lines are plain; else 0."""
    begins, ends = _ends_of_words(block)
    width = len(begins) // max(len(ends), 1)
    if width not in (2, 3) or len(begins) != width * len(ends):
        return 0
    is_even = np.all(begins[width - 1 :: width] < ends) and np.all(begins[width::width] > ends[:-1])
    lengths = np.diff(ends, prepend=-1)
    return width if is_even and lengths.max() <= LONGEST_LINE else 0


def _costs(words: list[str]) -> Costs | None:
    """Return the costs, if all are such."""
    try:
        costs = np.array(list(map(float, words)))
    except ValueError:
        return None
    return costs if np.all((costs >= 0) & (costs < np.inf)) else None


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
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
        source, target = self._numbers[words[0]], self._numbers[words[1]]
        if source == target:
            self._loops += 1
            if len(self._loop_lines) < MOST_SHOWN:
                self._loop_lines.append(self._line)
            return
        self._source.append(source)
        self._target.append(target)
        self._cost.append(cost)

    def take_block(self, block: bytes) -> None:
        """Take whole lines."""
        if not self._take_plain(block):
            lines = block.decode().replace("\r\n", "\n").replace("\r", "\n")
            for line in lines.removesuffix("\n").split("\n") if lines else ():
                self.take(line)

    def _take_plain(self, block: bytes) -> bool:
        if not block.isascii() or b"#" in block or b"%" in block:
            return False
        if block.count(b"\r") != block.count(b"\r\n"):
            return False
        plain = (block if block.endswith(b"\n") else block + b"\n").replace(b",", b" ")
        width = _width(plain)
        if not width:
            return False
        words = plain.decode().split()
        costs = np.ones(len(words) // width) if width == 2 else _costs(words[2::3])
        if costs is None:
            return False
        if width == 3:
            del words[2::3]
        # Names are numbered in the order in which they are met.
        ends = np.array(list(map(self._numbers.__getitem__, words)), np.int64)
        source, target = ends[::2], ends[1::2]
        loops = np.nonzero(source == target)[0]
        self._loops += len(loops)
        shown = loops[: MOST_SHOWN - len(self._loop_lines)]
        self._loop_lines += (shown + self._line + 1).tolist()
        self._line += len(source)
        kept = source != target
        self._source.frombytes(source[kept].tobytes())
        self._target.frombytes(target[kept].tobytes())
        self._cost.frombytes(costs[kept].tobytes())
        return True

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
