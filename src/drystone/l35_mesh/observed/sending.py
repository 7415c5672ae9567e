"""Where numbers are sent as they come to be, beside those that can be collected."""

from __future__ import annotations

import ipaddress

from drystone.l00_kernel.errors import Invalid
from drystone.l10_engines.proxy.settings import StatsD
from drystone.l35_mesh.observed.statistics import WANTED


class CannotSend(Invalid):
    """The settings say nothing to which numbers can be sent."""


def statsd_of(place: str | None, *more: str) -> StatsD | None:
    """Return the server of StatsD that the settings name; None where they name none.

    Args:
        place: ``127.0.0.1:8125``, or ``[::1]:8125``; a name would have to be looked up before the proxy starts.
        more: Regular expressions of RE2 for statistics that others read: nothing else is counted then.

    Raises:
        CannotSend: It is something else.
    """
    if place is None:
        return None
    host, _, port = place.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        number = int(port)
    except ValueError:
        number, address = 0, ipaddress.ip_address(0)
    if not 0 < number < 1 << 16:
        raise CannotSend("telemetry.statsd is no IP address with a port, such as 127.0.0.1:8125")
    return StatsD(str(address), number, (WANTED, *more))
