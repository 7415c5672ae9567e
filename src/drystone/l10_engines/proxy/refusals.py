"""Which listeners an Envoy refuses, so that the rest of a configuration can go on without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drystone.l10_engines.loopback_ports import is_free
from drystone.l10_engines.namespaces import NetworkLost, inside

if TYPE_CHECKING:
    from drystone.l10_engines.proxy.ads import ConnectedProxy
    from drystone.l10_engines.proxy.snapshot import Snapshot


def refused_listeners(snapshot: Snapshot, proxies: Iterable[ConnectedProxy]) -> dict[str, str]:
    """Return which optional listeners are refused, with Envoy's words.

    Envoy writes "Error adding/updating listener(s) NAME: WORDS", and a line for each further one.
    """
    words: dict[str, str] = {}
    for proxy in proxies:
        said = proxy.refusals.get("Listener", "")
        for name in snapshot.optional & snapshot.listeners.keys():
            found = re.search(rf"(?:^|\(s\) |\n){re.escape(name)}: ([^\n]*)", said)
            if found:
                words[name] = found.group(1)
    return words


def can_open(snapshot: Snapshot, refused: Iterable[str]) -> bool:
    """Tell whether the port of one of these listeners is free now, in the network where it is to listen."""
    places = [snapshot.listeners[name]["address"].get("socket_address") for name in refused]
    # A unix socket is taken from whoever had its path: it is never refused for want of a free one.
    return any(place is not None and _is_free(place) for place in places)


def _is_free(place: Mapping[str, Any]) -> bool:
    network = place.get("network_namespace_filepath")
    try:
        return inside(network and Path(network), partial(is_free, place["port_value"]))
    except (NetworkLost, OSError):
        return False
