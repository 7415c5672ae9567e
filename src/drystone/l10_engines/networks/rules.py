"""What is let through in the network of a service, as a text for nft(8). Pure.

Nothing can leave the network, since it has no device but ``lo``. The rules only see to it that whoever tries learns
so at once, and that it is seen: what leads elsewhere arrives at a *catcher*, a listener inside the network, with the
address that was meant.

The whole text is one transaction: a network has the old rules or the new ones, never something between. Rules count
for connections that begin. One that exists goes on when its port is closed, until whoever listens there ends it.
"""

from __future__ import annotations

import ipaddress

import msgspec

from drystone.l10_engines.loopback_ports import FIRST, LAST

TABLE = "inet drystone"
COUNTERS = ("caught", "refused_udp", "refused_icmp", "refused_other")
MOST_REMEMBERED = 256
"""How many refused destinations a network remembers; more are counted without their address."""

MOST_CAUGHT = 256
"""How many connections to the catcher may be open at once; more are refused by the kernel. Each costs its listener memory."""

_LOOPBACK = ("ip daddr 127.0.0.0/8", "ip6 daddr ::1")


class Range(msgspec.Struct, frozen=True):
    """Ports from the first to the last, both included."""

    first: int
    last: int


EVERY_PORT = Range(1, 65535)
GIVEN_OUT = Range(FIRST, LAST)
"""The ports of the loopback address that the platform gives to others."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What is let through.

    Attributes:
        open: TCP ports of the loopback address that may be reached: where somebody listens for dependencies and
            engines, and the ports of the instances themselves.
        catcher: TCP port of the loopback addresses, IPv4 and IPv6, at which arrives what leads elsewhere.
        dns: UDP port of the loopback addresses at which every question for a name arrives, whatever server was
            asked.
        elsewhere: Addresses beyond the usual loopback ones, each with a TCP port, at which somebody listens inside.
        watched: Ports of the loopback address that the platform gives to others: who connects to one that is not
            open arrives at the catcher. All other ports of it are the service's own business.
        at_once: How many connections to the catcher may be open at once.
    """

    open: frozenset[int]
    catcher: int
    dns: int = 53
    elsewhere: frozenset[tuple[str, int]] = frozenset()
    watched: tuple[Range, ...] = (GIVEN_OUT,)
    at_once: int = MOST_CAUGHT


def script(rules: Rules, *, anew: bool = False) -> str:
    """Return the text that gives a network these rules.

    Args:
        rules: What is let through.
        anew: Whether everything that was there goes, with what was counted. Otherwise only the rules do, which needs
            a table that was made by the same text.
    """
    lines = [f"add table {TABLE}"]
    lines += [f"delete table {TABLE}", f"add table {TABLE}"] if anew else []
    lines += [f"add counter {TABLE} {name}" for name in COUNTERS]
    lines += _set("open", "type inet_service;", [str(port) for port in sorted(rules.open)])
    ranges = [f"{one.first}-{one.last}" for one in rules.watched]
    lines += _set("watched", "type inet_service; flags interval; auto-merge;", ranges)
    for version in ("ip", "ip6"):
        address = "ipv4_addr" if version == "ip" else "ipv6_addr"
        kind = f"type {address} . inet_proto . inet_service;"
        size = f"size {MOST_REMEMBERED}; flags dynamic;"
        lines.append(f"add set {TABLE} {_refused(version)} {{ {kind} {size} }}")
        lines.append(f"add set {TABLE} {_pinged(version)} {{ type {address}; {size} }}")
    lines += _chain("steer", "type nat hook output priority -100; policy accept;", _steer(rules))
    lines += _chain("refuse", "type filter hook output priority 0; policy drop;", _refuse(rules))
    return "\n".join([*lines, ""])


def _steer(rules: Rules) -> list[str]:
    """Say where connections arrive; asked once for each, with its first packet."""
    to_catcher = f"counter name caught redirect to :{rules.catcher}"
    return [
        f"udp dport 53 redirect to :{rules.dns}",
        *_elsewhere(rules),
        *(f"ip daddr {own} meta l4proto tcp {to_catcher}" for own in _given_names(rules)),
        *(f"{own} tcp dport @open accept" for own in _LOOPBACK),
        *(f"{own} tcp dport @watched {to_catcher}" for own in _LOOPBACK),
        *(f"{own} accept" for own in _LOOPBACK),
        f"meta l4proto tcp {to_catcher}",
    ]


def _elsewhere(rules: Rules) -> list[str]:
    """Let through what leads to addresses at which somebody listens inside: every address is this network's own."""
    found = [
        (ipaddress.ip_address(address).version, address, port)
        for address, port in sorted(rules.elsewhere)
    ]
    return [
        f"{'ip' if version == 4 else 'ip6'} daddr {address} tcp dport {port} accept"
        for version, address, port in found
    ]


def _given_names(rules: Rules) -> list[str]:
    """Return the loopback addresses that stand for something elsewhere: at other ports nobody of the service listens."""
    found = {ipaddress.ip_address(address) for address, _ in rules.elsewhere}
    return [str(one) for one in sorted(found, key=str) if one.version == 4 and one.is_loopback]


def _refuse(rules: Rules) -> list[str]:
    """Refuse at once what is not on its way to the loopback address by now: an answer beats a silence."""
    remember = [
        f"{ip} version {number} meta l4proto udp "
        f"update @{_refused(ip)} {{ {ip} daddr . meta l4proto . th dport counter }}"
        for ip, number in (("ip", 4), ("ip6", 6))
    ]
    remember += [
        f"{ip} version {number} meta l4proto {{ icmp, ipv6-icmp }} "
        f"update @{_pinged(ip)} {{ {ip} daddr counter }}"
        for ip, number in (("ip", 4), ("ip6", 6))
    ]
    refuse = "reject with icmpx admin-prohibited"
    bounded = f"tcp dport {rules.catcher} ct count over {rules.at_once}"
    return [
        "ct state established,related accept",
        f"{bounded} counter name refused_other reject with tcp reset",
        *(f"{own} accept" for own in _LOOPBACK),
        *_elsewhere(rules),
        *remember,
        f"meta l4proto udp counter name refused_udp {refuse}",
        f"meta l4proto {{ icmp, ipv6-icmp }} counter name refused_icmp {refuse}",
        "meta l4proto tcp counter name refused_other reject with tcp reset",
        f"counter name refused_other {refuse}",
    ]


def _refused(version: str) -> str:
    return f"refused_{version}"


def _pinged(version: str) -> str:
    return f"pinged_{version}"


def _set(name: str, kind: str, elements: list[str]) -> list[str]:
    lines = [f"add set {TABLE} {name} {{ {kind} }}", f"flush set {TABLE} {name}"]
    if elements:
        lines.append(f"add element {TABLE} {name} {{ {', '.join(elements)} }}")
    return lines


def _chain(name: str, kind: str, rules: list[str]) -> list[str]:
    lines = [f"add chain {TABLE} {name} {{ {kind} }}", f"flush chain {TABLE} {name}"]
    return lines + [f"add rule {TABLE} {name} {rule}" for rule in rules]
