"""Answers to the questions for names that a service asks in a network of its own.

It is told where the hosts are that it declares, at addresses of its own network, and that there are no others: no question
goes on to a server, so that nothing can be said to anybody outside in the words of a question either.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from drystone.l10_engines.proxy.messages import TYPE_PREFIX
from drystone.l10_engines.proxy.refusal_log import refused_names
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l35_mesh.sidecar.checks import check_resolver
from drystone.l35_mesh.sidecar.connections import address
from drystone.l35_mesh.sidecar.inbound import PARTS
from drystone.l35_mesh.sidecar.model import Resolver, issuer_of

_FILTER = TYPE_PREFIX + "envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig"
_NO_HOST = "localhost"
"""Envoy wants one at least; this one is where everybody thinks it is."""

_VALID_FOR = "60s"


def resolver_name(caller: str) -> str:
    """Name the listener at which a service's questions for names arrive."""
    return f"names/{caller}"


@lru_cache(maxsize=PARTS)
def resolver_part(resolver: Resolver, access_log: Path) -> Snapshot:
    """Return all that belongs to the answers that a service gets.

    Raises:
        InvalidProxyConfig: Something of it cannot be.
    """
    check_resolver(resolver)
    name = resolver_name(resolver.caller)
    hosts = dict(resolver.hosts)
    hosts.setdefault(_NO_HOST, "127.0.0.1")
    domains = [
        {
            "name": host,
            "endpoint": {"address_list": {"address": [at]}},
            "answer_ttl": _VALID_FOR,
        }
        for host, at in sorted(hosts.items())
    ]
    config = {
        "@type": _FILTER,
        "stat_prefix": "names",
        "server_config": {"inline_dns_table": {"virtual_domains": domains}},
        "access_log": [refused_names(access_log, caller=issuer_of(resolver.caller))],
    }
    filters = [{"name": "envoy.filters.udp.dns_filter", "typed_config": config}]
    # A listener for datagrams has one address.
    others = [msgspec.structs.replace(resolver.listen, address=one) for one in resolver.listen.more]
    listeners = {}
    for named, at in zip(
        (name, *(f"{name}/{one.address}" for one in others)),
        (resolver.listen, *others),
        strict=True,
    ):
        where: dict[str, Any] = address(at)
        where["socket_address"]["protocol"] = "UDP"
        listeners[named] = {"name": named, "address": where, "listener_filters": filters}
    return Snapshot(listeners=listeners, optional=frozenset(listeners))
