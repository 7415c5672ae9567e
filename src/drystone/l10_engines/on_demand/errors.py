"""What goes wrong with services on demand."""

from __future__ import annotations

from drystone.l00_kernel.errors import Unavailable


class SocketUnusable(Unavailable):
    """Nobody can listen where a service on demand is to be reached."""
