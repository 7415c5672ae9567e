"""What can go wrong between Drystone and Envoy.

::

    Invalid      ── InvalidProxyConfig   the configuration can never work
                    └── ProxyRefused     Envoy said so
    Conflict     ── PortTaken            another program listens where the proxy should
    Unavailable  ── ProxyUnavailable     Envoy does not run or does not answer
"""

from __future__ import annotations

from drystone.l00_kernel.errors import Conflict, Invalid, Unavailable


class InvalidProxyConfig(Invalid):
    """This configuration of the proxy can never work."""


class ProxyRefused(InvalidProxyConfig):
    """Envoy refused the configuration and goes on with the one it had."""


class PortTaken(Conflict):
    """Another program listens on the port of the proxy."""


class ProxyUnavailable(Unavailable):
    """The proxy does not run or does not answer."""
