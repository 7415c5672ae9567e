"""What every source of dependencies is given, and what it gives.

A source is a module with one pure function ``read``; :mod:`~drystone.l05_graph.ingest.sources` lists them. A *declared* source
reads files that say what depends on what, and gives a model. An *observed* source reads what traffic left, and gives a batch
of evidence. Neither opens a file: whoever calls has done so.

Nothing is lost silently: what a source cannot use is counted, with the first places. What makes a whole file unusable is
refused with :class:`Unreadable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l05_graph.evidence import Batch, Observation
from drystone.l05_graph.ingest.endpoints import Endpoints
from drystone.l05_graph.model import Model

MOST_PLACES = 5
"""So many places are told of what was skipped for one reason."""
MOST_REASONS = 200
"""So many reasons are told apart; a reason may quote what it is about, and a hostile file has many."""


class Unreadable(Invalid):
    """The file cannot be read as what it was said to be."""


class Skip(msgspec.Struct, frozen=True):
    """What was left out for one reason.

    Attributes:
        reason: Why, and what to do about it if something can be done.
        count: How often.
        places: The first of them: file and line, or file and name.
    """

    reason: str
    count: int
    places: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Tell it on one line."""
        more = ", …" if self.count > len(self.places) and self.places else ""
        where = f" ({', '.join(self.places)}{more})" if self.places else ""
        return f"{self.count} times: {self.reason}{where}"


class Skips:
    """Collects what is left out, in bounded memory."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.count = 0

    def add(self, reason: str, place: str = "", count: int = 1) -> None:
        """Note something that is left out."""
        self.count += count
        if reason not in self._found and len(self._found) >= MOST_REASONS:
            reason = "other reasons"
        before, places = self._found.get(reason, (0, ()))
        if place and len(places) < MOST_PLACES:
            places = (*places, place)
        self._found[reason] = (before + count, places)

    def result(self) -> tuple[Skip, ...]:
        """Return what was left out, the most frequent reason first."""
        every = (Skip(reason, *rest) for reason, rest in self._found.items())
        return tuple(sorted(every, key=lambda skip: -skip.count))


class File(msgspec.Struct, frozen=True):
    """A file as a whole.

    Attributes:
        name: What to call it in messages: its path, as far as that matters.
        content: Its bytes.
    """

    name: str
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A file that may be too large to be held.

    Attributes:
        name: What to call it in messages.
        chunks: Its bytes in pieces of any size; they are read once.
        seen: When it was written, for sources that do not say when something was seen.
    """

    name: str
    chunks: Iterable[bytes]
    seen: datetime | None = None


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What files declare.

    Attributes:
        model: The model that they give.
        notes: What was guessed, each a sentence with its place.
        skips: What was left out.
    """

    model: Model
    notes: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What traffic left.

    Attributes:
        batch: What goes into the evidence.
        skips: What was left out.
    """

    batch: Batch
    skips: tuple[Skip, ...] = ()

    @property
    def observations(self) -> tuple[Observation, ...]:
        """Who called whom."""
        return self.batch.observations


ReadDeclared = Callable[[Sequence[File]], Declared]
"""Reads files that belong together.

Raises:
    Unreadable: A file is not what it was said to be, or too large.
"""
ReadObserved = Callable[[Stream, Endpoints], Observed]
"""Reads one file; names and addresses become components by the inventory.

Raises:
    Unreadable: The file is not what it was said to be, or too large.
"""


@dataclass(frozen=True, kw_only=True)
class DeclaredSource:
    """A source of declarations.

    Attributes:
        name: As people type it: ``compose``.
        title: What it is.
        files: What its files are called, as patterns: ``compose.yaml``.
        format: Where the format is described.
        read: Reads files of it.
    """

    name: str
    title: str
    files: tuple[str, ...]
    format: str
    read: ReadDeclared


@dataclass(frozen=True, kw_only=True)
class ObservedSource:
    """A source of observations.

    Attributes:
        name: As people type it: ``vpc-flow``.
        title: What it is.
        files: What its files are called, as patterns.
        format: Where the format is described.
        shows_both_ends: Whether a component that it shows being called would also be shown calling others.
        read: Reads a file of it.
        with_fields: Takes the fields of a line in their order, where files need not say it, and returns what reads these.
        read_rows: Reads rows of which every field is named, such as those of a Parquet file, where such files are usual;
            the file's name is for messages.
    """

    name: str
    title: str
    files: tuple[str, ...]
    format: str
    shows_both_ends: bool
    read: ReadObserved
    with_fields: Callable[[str], ReadObserved] | None = None
    read_rows: Callable[[Iterable[Mapping[str, object]], str, Endpoints], Observed] | None = None


Source = DeclaredSource | ObservedSource
