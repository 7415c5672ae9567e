"""Names of addresses that no inventory knows, not too many of them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from drystone.l05_graph.ingest.endpoints import EXTERNAL, Address

MOST_OF_NETWORK = 16
"""So many addresses of one network (/24, or /64 of IPv6) are told apart; where there are more, the network is named."""
MOST_NETWORKS = 4096
"""So many networks are told apart; where there are more, none is."""
INTERNET = f"{EXTERNAL}internet"


class Strangers:
    """Gives names to unknown addresses.

    The name that an address has in the end (:meth:`final`) depends on which addresses there were, not on their order.
    """

    def __init__(self) -> None:
        self._of_network: dict[tuple[int, int], set[str]] = {}
        self._networks: dict[str, tuple[int, int]] = {}
        self._too_many = False

    def name(self, address: Address) -> str:
        """Return a name for an address: ``external:203.0.113.7``."""
        bits = 8 if address.version == 4 else 64
        key = (address.version, int(address) >> bits)
        names = self._of_network.get(key)
        if names is None:
            if len(self._of_network) >= MOST_NETWORKS:
                self._too_many = True
                return INTERNET
            names = self._of_network[key] = set()
        name = f"{EXTERNAL}{address}" if len(names) <= MOST_OF_NETWORK else _named(key)
        names.add(name)
        self._networks[name] = key
        return name

    def final(self, name: str) -> str:
        """Return what a name is in the end; one that was not given here stays."""
        key = self._networks.get(name)
        if key is None:
            return name
        if self._too_many:
            return INTERNET
        return name if len(self._of_network[key]) <= MOST_OF_NETWORK else _named(key)


def _named(key: tuple[int, int]) -> str:
    version, number = key
    if version == 4:
        return f"{EXTERNAL}{IPv4Network((number << 8, 24))}"
    return f"{EXTERNAL}{IPv6Network((number << 64, 64))}"
