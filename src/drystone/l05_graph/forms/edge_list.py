"""Edge lists: ``u v [cost]`` on each line, as published graphs come.

Names are whatever stands between the separators (tabs, spaces or commas). Lines that begin with ``#`` or ``%`` are comments.
What is read is held as numbers, so that ten million lines fit into memory. A block of ASCII is taken at once
(:mod:`~drystone.l05_graph.forms.edge_blocks`); any other block line by line, so that both say the same of it.
"""

from __future__ import annotations

import gzip
import itertools
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np

from drystone.l05_graph.arcs import merged
from drystone.l05_graph.arrays import Costs, Graph, Numbers, graph_of_edges
from drystone.l05_graph.errors import MOST_SHOWN, Mistake, ModelInvalid
from drystone.l05_graph.forms.edge_blocks import Lines, different, lines_of

LONGEST_LINE = 4096
"""In bytes; a longer line is no edge."""
MOST_EDGES = 32_000_000
"""So many lines with edges are held: 0.8 GB, and as much again while they are put together."""
COMMENTS = "#%"
FIRST_BLOCK, BLOCK = 1 << 14, 1 << 24
"""In bytes. In a large block more names are met again, and each is looked up but once; the first tells soon what is wrong."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
GZIP = b"\x1f\x8b"


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


def read_edge_stream(
    stream: BinaryIO,
    name: str = "edges",
    *,
    block_size: int = BLOCK,
    most_edges: int = MOST_EDGES,
) -> EdgeList:
    """Read an edge list of any length: ten million lines take some seconds.

    Args:
        stream: UTF-8, with or without a byte order mark, packed by gzip or not; at its begin.
        name: What it is called in messages.
        block_size: How much is read at once, in bytes.
        most_edges: So many lines with edges are held.

    Raises:
        ModelInvalid: A line is no edge; the first twenty such, with their places. Or it is packed and broken, or longer
            than memory is meant for.
    """
    reader = _Reader(name, most_edges)
    rest, is_cut = b"", False
    try:
        for block in _blocks(stream, block_size):
            end = block.rfind(b"\n") + 1
            if end:
                # Of a line that is too long only the begin is kept; what follows up to its end is skipped.
                first = block.find(b"\n") + 1
                reader.take_block(block[first:end] if is_cut else rest + block[:end])
                rest, is_cut = block[end:], False
            elif not is_cut:
                rest += block
                if len(rest) > 8 * LONGEST_LINE:
                    reader.take_block(rest)
                    rest, is_cut = b"", True
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        reader.refuse(f"the packed file is broken or was cut after this line: {error}")
        return reader.result()
    reader.take_block(rest)
    return reader.result()


def _blocks(stream: BinaryIO, size: int) -> Iterator[bytes]:
    """Read blocks whose lines all end with a newline, whatever they ended with."""
    begin = _some(stream, max(len(BYTE_ORDER_MARK), min(FIRST_BLOCK, size)))
    if begin.startswith(GZIP):
        again = cast(BinaryIO, _Again(begin, stream))
        stream = cast(BinaryIO, gzip.GzipFile(mode="rb", fileobj=again))
        begin = _some(stream, max(len(BYTE_ORDER_MARK), min(FIRST_BLOCK, size)))
    block, is_open = begin.removeprefix(BYTE_ORDER_MARK), False
    while block:
        if is_open:
            block = b"\r" + block
        # Whether a newline follows is told by the next block.
        is_open = block.endswith(b"\r")
        if b"\r" in block:
            block = block.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        yield block
        block = stream.read(size)
    if is_open:
        yield b"\n"


def _some(stream: BinaryIO, size: int) -> bytes:
    """Read so many bytes, fewer only at the end: a pipe gives what it has."""
    found = b""
    while len(found) < size and (more := stream.read(size - len(found))):
        found += more
    return found


class _Again:
    """A stream of which the begin has been read: it gives that first.

    Args:
        begin: What has been read.
        stream: What is left.
    """

    def __init__(self, begin: bytes, stream: BinaryIO) -> None:
        self._begin, self._stream = begin, stream

    def read(self, size: int = -1) -> bytes:
        """Return at most so many bytes; no more than are there at once."""
        if not self._begin:
            return self._stream.read(size)
        count = len(self._begin) if size < 0 else size
        found, self._begin = self._begin[:count], self._begin[count:]
        return found


def _costs(words: Sequence[str]) -> Costs | None:
    """Return the costs, if all are such."""
    try:
        costs = np.array(list(map(float, words)))
    except ValueError:
        return None
    return costs if np.all((costs >= 0) & (costs < np.inf)) else None


class _Reader:
    def __init__(self, name: str, most_edges: int) -> None:
        self._name, self._most = name, most_edges
        self._numbers: defaultdict[str, int] = defaultdict(itertools.count().__next__)
        self._source, self._target = array("q"), array("q")
        self._cost = array("d")
        self._mistakes: list[Mistake] = []
        self._more = 0
        self._line = self._loops = 0
        self._loop_lines: list[int] = []

    def take_block(self, block: bytes) -> None:
        """Take whole lines."""
        if not block or self._take_plain(block):
            return
        for line in block.removesuffix(b"\n").split(b"\n"):
            self._line += 1
            try:
                self._take(line.decode())
            except UnicodeDecodeError:
                self.refuse("the line is not UTF-8; save the file as UTF-8")
        self._check_size()

    def _take(self, line: str) -> None:
        words = line.replace(",", " ").split()
        if not words or words[0][0] in COMMENTS:
            return
        if not 2 <= len(words) <= 3 or len(line) > LONGEST_LINE or "\0" in line:
            self.refuse(_why(words, line))
            return
        cost = 1.0
        if len(words) == 3:
            try:
                cost = float(words[2])
            except ValueError:
                cost = -1.0
            if not 0 <= cost < float("inf"):
                self.refuse(f"the cost is {_short(words[2])}; write a number that is not negative")
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

    def _take_plain(self, block: bytes) -> bool:
        """Take many lines at once, if they are plain."""
        if not block.isascii() or b"\0" in block:
            return False
        block = block.replace(b",", b" ")
        lines = lines_of(block, COMMENTS.encode(), LONGEST_LINE)
        prices = different(block, lines.price_begins, lines.price_ends)
        names = different(block, lines.begins.ravel(), lines.ends.ravel())
        known = None if prices is None else _costs(prices[0])
        if names is None or prices is None or known is None:
            return False
        # Names are numbered in the order in which they are met.
        numbers = np.array(list(map(self._numbers.__getitem__, names[0])), np.int64)[names[1]]
        source, target = numbers[::2], numbers[1::2]
        costs = np.ones(len(source))
        costs[lines.priced] = known[prices[1]]
        kept = source != target
        self._source.frombytes(source[kept].tobytes())
        self._target.frombytes(target[kept].tobytes())
        self._cost.frombytes(costs[kept].tobytes())
        self._tell(block, lines, lines.edges[~kept])
        self._check_size()
        return True

    def _tell(self, block: bytes, lines: Lines, loops: Numbers) -> None:
        """Note which lines were left out."""
        before = self._line
        self._loops += len(loops)
        some = loops[: MOST_SHOWN - len(self._loop_lines)]
        self._loop_lines += (some + before + 1).tolist()
        shown = lines.others[: MOST_SHOWN - len(self._mistakes)].tolist()
        for line in shown:
            self._line = before + line + 1
            begin = int(lines.line_ends[line - 1]) + 1 if line else 0
            self._take(block[begin : int(lines.line_ends[line])].decode())
        self._more += len(lines.others) - len(shown)
        self._line = before + lines.count

    def _check_size(self) -> None:
        if len(self._source) > self._most:
            self.refuse(f"there are more than {self._most:,} edges; divide the file")
            self.result()

    def refuse(self, message: str) -> None:
        """Note what is wrong at the line that was read last."""
        if len(self._mistakes) < MOST_SHOWN:
            self._mistakes.append(Mistake(message, f"{self._name}:{self._line}"))
        else:
            self._more += 1

    def result(self) -> EdgeList:
        """Return what was read.

        Raises:
            ModelInvalid: Something was refused.
        """
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


def _why(words: Sequence[str], line: str) -> str:
    """Say why a line is no edge."""
    if len(line) > LONGEST_LINE:
        return f"the line has {len(line)} characters; an edge has at most {LONGEST_LINE}"
    if "\0" in line:
        return "a NUL byte stands here; is this a text file?"
    found = "one word" if len(words) == 1 else f"{len(words)} words"
    return f"{found}, {_short(' '.join(words))}; write two names and, if you like, a cost"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}…")
