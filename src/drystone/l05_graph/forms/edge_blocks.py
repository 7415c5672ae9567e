"""Many plain lines at once: where their words are, and which of these are the same.

A word of up to eight letters is a whole number, and a longer one several; so words are compared by sorting numbers, and only
those that differ become strings. What takes a microsecond for each word of a line takes a tenth of that here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drystone.l05_graph.arrays import Numbers

MOST_LETTERS = 64
"""Blocks with longer words are read line by line."""
_NEWLINE = ord("\n")
_SPACES = np.array([chr(letter).isspace() for letter in range(256)])
_MASKS = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_MIXER = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """What the lines of a block are. Places are in bytes from its begin.

    Attributes:
        count: How many lines there are.
        edges: Which of them, from 0, have two or three words; no comments.
        begins: Where the first two words of each of these begin, one row for each.
        ends: Where they end.
        priced: Which rows have a third word.
        price_begins: Where that begins.
        price_ends: Where it ends.
        others: Which lines are no edges, and neither blank nor comments.
        line_ends: Where each line ends.
    """

    count: int
    edges: Numbers
    begins: Numbers
    ends: Numbers
    priced: Numbers
    price_begins: Numbers
    price_ends: Numbers
    others: Numbers
    line_ends: Numbers


def lines_of(block: bytes, comments: bytes, longest: int) -> Lines:
    """Find the words of lines.

    Args:
        block: Whole lines of ASCII; the last one may lack its end.
        comments: The letters with which comments begin.
        longest: So many letters has an edge at most.
    """
    letters = np.frombuffer(block if block.endswith(b"\n") else block + b"\n", np.uint8)
    change = np.diff(_SPACES[letters].view(np.int8), prepend=np.int8(1))
    begins, ends = np.nonzero(change == -1)[0], np.nonzero(change == 1)[0]
    line_ends = np.nonzero(letters == _NEWLINE)[0]
    count = len(line_ends)
    width = np.bincount(np.searchsorted(line_ends, begins), minlength=count)
    first = np.cumsum(width) - width
    is_blank = width == 0
    is_comment = np.zeros(count, np.bool_)
    is_comment[~is_blank] = np.isin(letters[begins[first[~is_blank]]], list(comments))
    fits = np.diff(line_ends, prepend=-1) <= longest + 1
    is_edge = ((width == 2) | (width == 3)) & ~is_comment & fits
    edges = np.nonzero(is_edge)[0]
    words = first[edges][:, None] + np.arange(2)
    priced = np.nonzero(width[edges] == 3)[0]
    prices = first[edges[priced]] + 2
    return Lines(
        count=count,
        edges=edges,
        begins=begins[words],
        ends=ends[words],
        priced=priced,
        price_begins=begins[prices],
        price_ends=ends[prices],
        others=np.nonzero(~(is_edge | is_blank | is_comment))[0],
        line_ends=line_ends,
    )


def different(block: bytes, begins: Numbers, ends: Numbers) -> tuple[list[str], Numbers] | None:
    """Tell which words are the same.

    Args:
        block: ASCII without NUL.
        begins: Where each word begins.
        ends: Where it ends.

    Returns:
        The different words in the order in which they are met, and the place of each word among them; None where one is
        longer than :data:`MOST_LETTERS`.
    """
    if not len(begins):
        return [], begins
    length = ends - begins
    parts = -(-int(length.max()) // 8)
    if parts * 8 > MOST_LETTERS:
        return None
    # Eight letters from wherever they begin, as one number.
    padded = block + bytes(8 * parts)
    eights: npt.NDArray[np.uint64] = np.ndarray(
        (len(padded) - 7,), np.dtype("<u8"), padded, strides=(1,)
    )
    every = [
        eights[begins + 8 * part] & _MASKS[np.clip(length - 8 * part, 0, 8)]
        for part in range(parts)
    ]
    key = every[0]
    for part in every[1:]:
        key = (key ^ (key >> _HALF)) * _MIXER + part
    order = np.argsort(key)
    in_order = key[order]
    is_first = np.concatenate(([True], in_order[1:] != in_order[:-1]))
    place = np.empty(len(key), np.int64)
    place[order] = np.cumsum(is_first) - 1
    first = np.minimum.reduceat(order, np.nonzero(is_first)[0])
    # Longer words are compared by a hash of their parts, so that two of them could meet by chance.
    if parts > 1 and not all(np.array_equal(part, part[first][place]) for part in every):
        return None
    met = np.argsort(first)
    rank = np.empty(len(met), np.int64)
    rank[met] = np.arange(len(met))
    firsts, text = first[met], block.decode("ascii")
    spans = zip(begins[firsts].tolist(), ends[firsts].tolist(), strict=True)
    return [text[begin:end] for begin, end in spans], rank[place]
