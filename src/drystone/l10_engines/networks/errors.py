"""What can go wrong with the networks of services."""

from __future__ import annotations

from drystone.l00_kernel.errors import Invalid, Unavailable


class NetworkNameInvalid(Invalid):
    """A network cannot be called like this."""


class NetworkFailed(Unavailable):
    """The network of a service could not be made, changed or removed."""
