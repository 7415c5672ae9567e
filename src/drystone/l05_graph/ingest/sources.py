"""The sources that there are, by the name under which people know them."""

from __future__ import annotations

from collections.abc import Mapping

from drystone.l05_graph.ingest.source import DeclaredSource, ObservedSource, Source

DECLARED: tuple[DeclaredSource, ...] = ()
OBSERVED: tuple[ObservedSource, ...] = ()
_EVERY: tuple[Source, ...] = (*DECLARED, *OBSERVED)
SOURCES: Mapping[str, Source] = {one.name: one for one in _EVERY}
