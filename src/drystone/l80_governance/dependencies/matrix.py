"""The matrix as numbers: what the browser draws.

Both axes hold the components in one order, the lowest layer first, the members of a tangle beside each other. A dependency is
a dot in the row of who needs and the column of what is needed; it leads down exactly when it lies below the diagonal of the
layers.
"""

from __future__ import annotations

import struct

import msgspec
import numpy as np

from drystone.l80_governance.dependencies.analysis import Analysis
from drystone.l80_governance.dependencies.view import in_address, short

MAGIC = 0x314D5344
"""``DSM1`` in little-endian order."""
HARD, UPWARD, TANGLED = 1, 2, 4
_WIDE = 1 << 16


def dots(analysis: Analysis) -> bytes:
    """Return the dependencies as bytes.

    Returns:
        Little-endian: four 32-bit numbers (:data:`MAGIC`, components, dependencies, bytes of a place: 2 or 4); the place of
        who needs for each dependency, then that of what is needed; one byte of flags for each (:data:`HARD` and so on).
        What leads the wrong way comes last, so that nothing is drawn over it.
    """
    graph = analysis.graph
    place = np.empty(graph.size, np.int64)
    place[analysis.order] = np.arange(graph.size)
    flags = HARD * graph.hard + UPWARD * analysis.upward + TANGLED * analysis.tangled
    order = np.lexsort((place[graph.target], place[graph.source], analysis.upward))
    width = 2 if graph.size < _WIDE else 4
    kind = np.dtype(f"<u{width}")
    head = struct.pack("<4I", MAGIC, graph.size, len(order), width)
    sources = place[graph.source][order].astype(kind).tobytes()
    targets = place[graph.target][order].astype(kind).tobytes()
    return b"".join((head, sources, targets, flags[order].astype(np.uint8).tobytes()))


def labels(analysis: Analysis) -> bytes:
    """Return what stands at the axes as JSON: names in order, what stands for each in an address, layers and tangles."""
    names = [analysis.model.components[int(v)].name for v in analysis.order]
    different = {
        number: key for number, name in enumerate(names) if (key := in_address(name)) != name
    }
    return msgspec.json.encode(
        {
            "names": [short(name) for name in names],
            "keys": different,
            "layers": analysis.layer[analysis.order].tolist(),
            "tangles": analysis.tangle[analysis.order].tolist(),
        }
    )
