"""Bands: the layers as they are drawn. A high cake has more layers than a page has room, so that neighbours share a band."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drystone.l05_graph.arrays import Numbers
from drystone.l80_governance.dependencies.analysis import Analysis

MOST_BANDS = 40


@dataclass(frozen=True, kw_only=True)
class Band:
    """Layers that are drawn as one.

    Attributes:
        lowest: Its lowest layer.
        highest: Its highest.
        members: The vertices in it, as they stand beside each other.
    """

    lowest: int
    highest: int
    members: Numbers

    @property
    def label(self) -> str:
        """Name it."""
        if self.lowest == self.highest:
            return f"Layer {self.lowest}"
        return f"Layers {self.lowest} to {self.highest}"


@dataclass(frozen=True, kw_only=True)
class Cake:
    """All bands, and what leads from which to which.

    Attributes:
        bands: The lowest first.
        of: The band of each vertex.
        counts: How many dependencies lead from each band (row) to each (column).
        upward: How many of them are hard and do not lead to a lower layer.
        tangled: How many of them are inside of tangles.
    """

    bands: tuple[Band, ...]
    of: Numbers
    counts: Numbers
    upward: Numbers
    tangled: Numbers


def cake_of(analysis: Analysis, most: int = MOST_BANDS) -> Cake:
    """Lay the components of a model into bands, of about as many layers each."""
    layer, graph = analysis.layer, analysis.graph
    known = np.unique(layer)
    groups = np.array_split(known, min(most, len(known))) if len(known) else []
    lows = np.array([group[0] for group in groups], np.int64)
    of = np.searchsorted(lows, layer, side="right") - 1
    order = np.lexsort((analysis.across, of))
    bands = tuple(
        Band(lowest=int(group[0]), highest=int(group[-1]), members=order[of[order] == number])
        for number, group in enumerate(groups)
    )
    count = len(bands)
    pair = of[graph.source] * count + of[graph.target]

    def counted(edges: Numbers) -> Numbers:
        return np.bincount(edges, minlength=count * count).reshape(count, count)

    return Cake(
        bands=bands,
        of=of,
        counts=counted(pair),
        upward=counted(pair[analysis.upward]),
        tangled=counted(pair[analysis.tangled]),
    )
