"""What each kind of tangle means, for people."""

from __future__ import annotations

from drystone.l05_graph.words import TangleKind
from drystone.l85_surfaces.cli.terminal import Style

STYLES = {
    TangleKind.DEADLOCK: Style.BAD,
    TangleKind.CO_START: Style.WARN,
    TangleKind.SOFT: Style.QUIET,
}
MEANINGS = {
    TangleKind.DEADLOCK: "after a loss of all, none of them can be the first to come back",
    TangleKind.CO_START: "they work only together: all must be in place before one serves",
    TangleKind.SOFT: "a circle only through soft dependencies: a recovery goes on without them",
}
