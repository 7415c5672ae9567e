"""The rules of environments and targets. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from drystone.l00_kernel.visible import visible
from drystone.l00_kernel.yaml_text.problems import nearest
from drystone.l50_orchestrator.ports import Environment
from drystone.l50_orchestrator.registry.api import TargetSaid
from drystone.l50_orchestrator.registry.errors import EnvironmentUnfit, TargetUnfit

HERE = "here"
"""The target that is always there: this platform's deployer."""

MOST_ENVIRONMENTS = 500
MOST_TARGETS = 100
MOST_KEPT = 100

RANKS = {"local": 0, "dev": 1, "staging": 2, "prod": 3}
"""Types of environments in the order in which releases go through them."""

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_NEAR = frozenset({"localhost", "127.0.0.1"})
_HOST = re.compile(r"[a-z0-9.-]{1,253}|[0-9a-f:]{2,45}")


def check_environment(
    new: Environment, others: Mapping[str, Environment], targets: Collection[str]
) -> None:
    """Refuse an environment that does not fit to those that there are.

    Args:
        new: As it shall be.
        others: All that there are, by name; the one that it replaces may be among them.
        targets: Names of all targets.

    Raises:
        EnvironmentUnfit: The message says what does not fit, and what would.
    """
    check_name("an environment", new.name, EnvironmentUnfit)
    if new.region:
        check_name("a region", new.region, EnvironmentUnfit)
    if not 1 <= new.keep <= MOST_KEPT:
        raise EnvironmentUnfit(
            f"environment '{new.name}': keep 1 to {MOST_KEPT} releases, not {new.keep}"
        )
    if new.name not in others and len(others) >= MOST_ENVIRONMENTS:
        raise EnvironmentUnfit(f"there are {MOST_ENVIRONMENTS} environments already: remove one")
    if new.target not in targets:
        raise EnvironmentUnfit(
            f"environment '{new.name}': there is no target {_shown(new.target)}; {_those(new.target, targets)}"
        )
    everything = {**others, new.name: new}
    if new.after and new.after not in everything:
        raise EnvironmentUnfit(
            f"environment '{new.name}': there is no environment {_shown(new.after)} for it to come after;"
            f" {_those(new.after, everything)}"
        )
    _check_way(new, everything)
    for one in everything.values():
        before = everything.get(one.after)
        if before is not None and RANKS[before.type] > RANKS[one.type]:
            raise EnvironmentUnfit(
                f"environment '{one.name}' of type {one.type} cannot come after '{before.name}' of type {before.type}:"
                " releases go from local and dev by staging to prod"
            )


def _check_way(new: Environment, everything: Mapping[str, Environment]) -> None:
    """Refuse a way that leads back to its beginning."""
    way = [new.name]
    at = new.after
    while at:
        way.append(at)
        if at == new.name:
            raise EnvironmentUnfit(
                f"environment '{new.name}' would come after itself: {' after '.join(way)}; one of them must be the first"
            )
        at = everything[at].after if at in everything else ""


def check_target(
    name: str, new: TargetSaid, others: Collection[str], *, simulated_allowed: bool
) -> None:
    """Refuse a target that cannot be.

    Raises:
        TargetUnfit: The message says why.
    """
    check_name("a target", name, TargetUnfit)
    if name == HERE:
        raise TargetUnfit(f"'{HERE}' is this platform itself: it is always there and cannot be set")
    if name not in others and len(others) >= MOST_TARGETS:
        raise TargetUnfit(f"there are {MOST_TARGETS} targets already: remove one")
    if new.kind == "simulated" and not simulated_allowed:
        raise TargetUnfit(f"target '{name}': simulated targets exist in tests alone")
    if new.kind != "platform":
        if new.url:
            raise TargetUnfit(
                f"target '{name}': only a target of kind platform has a url; remove it"
            )
        return
    if not _is_address(new.url):
        raise TargetUnfit(
            f"target '{name}': {_shown(new.url)} is no address of a platform: it is https://HOST[:PORT]/, or http of"
            " this machine's own names, without a user, a path or a query; its token stands in no registry"
        )


def _is_address(url: str) -> bool:
    if len(url) > 300 or not url.isascii() or not url.isprintable():
        return False
    try:
        place = urlsplit(url)
        host, port = place.hostname or "", place.port
    except ValueError:
        return False
    shown = f"[{host}]" if ":" in host else host
    is_near = host in _NEAR or host.endswith(".localhost")
    scheme = "http" if is_near and place.scheme == "http" else "https"
    whole = f"{scheme}://{shown}" + ("" if port is None else f":{port}")
    return bool(_HOST.fullmatch(host)) and port != 0 and url in {whole, f"{whole}/"}


def check_name(what: str, name: str, error: type[EnvironmentUnfit | TargetUnfit]) -> None:
    """Refuse a name that does not have the form of one.

    Raises:
        EnvironmentUnfit: It is that of an environment or a region.
        TargetUnfit: It is that of a target.
    """
    if not _NAME.fullmatch(name):
        raise error(
            f"{_shown(name)} is no name of {what}: it has a-z, 0-9 and -, at most 40 of them, begins with a letter and"
            " does not end with -"
        )


def _shown(text: str) -> str:
    return f"'{visible(text[:100])}'"


def _those(name: str, known: Collection[str]) -> str:
    near = nearest(name, known)
    return f"did you mean '{near}'?" if near else f"there are: {', '.join(sorted(known)[:20])}"
