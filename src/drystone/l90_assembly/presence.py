"""Since when nobody looked after a home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drystone.l25_deployer.local.presence import Presence

if TYPE_CHECKING:
    from drystone.l00_kernel.clock import Clock
    from drystone.l00_kernel.home import Home
    from drystone.l10_engines.proxy.envoy import Envoy


def presence_of(home: Home, clock: Clock, envoy: Envoy) -> Presence:
    """Return what tells it."""
    return Presence(
        home.run / "presence.json",
        access_log=home.access_log,
        clock=clock,
        proxy_restarts=envoy.restarts_since,
    )
