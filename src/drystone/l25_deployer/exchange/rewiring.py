"""Variables that name what becomes a resource or another service, so that they get its address here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from drystone.l05_graph.ingest.host_names import is_about_hosts
from drystone.l25_deployer.exchange.drafting import escaped
from drystone.l25_deployer.exchange.images import Known

_PORT = re.compile(r"(?:^|_|PG)PORT$")
_USER = re.compile(r"USER(?:NAME)?$|(?:^|_)ACCESS_KEY(?:_ID)?$")
_PASSWORD = re.compile(r"PASS(?:WORD|WD)?$|PWD$|SECRET(?:_ACCESS)?_KEY$")
_DATABASE = re.compile(r"(?:^|_|PG)(?:DB|DATABASE|NAME|DBNAME)$")
_URL_OF_POSTGRES = re.compile(r"postgres(?:ql)?(?:\+\w+)?")


class Target(msgspec.Struct, frozen=True):
    """What a name of a host leads to.

    Attributes:
        space: ``resources`` or ``dependencies``.
        name: Of the resource or service.
        port: On which it listens in the source.
        known: For a resource, what it takes the place of.
        user: Its user in the source.
        password: Its password in the source; it leaves this module in no message.
        database: Its database in the source.
    """

    space: Literal["resources", "dependencies"]
    name: str
    port: int = 0
    known: Known | None = None
    user: str = ""
    password: str = ""
    database: str = ""

    def ref(self, key: str) -> str:
        """Write a reference to one of its values."""
        return f"${{{self.space}.{self.name}.{key}}}"


class Rewired(msgspec.Struct, frozen=True):
    """A value with references.

    Attributes:
        text: The value.
        used: Hosts in it that became references.
    """

    text: str
    used: tuple[str, ...]


def rewired(name: str, value: str, targets: Mapping[str, Target]) -> Rewired:
    """Put references into a value in place of hosts that are known, with their ports and credentials."""
    by_host = {host: one for host, one in targets.items() if _names(host).search(value)}
    for host, target in by_host.items():
        found = _address(value, host, target) or _alone(name, value, host, target)
        if found is not None:
            return Rewired(found, (host,))
    for host, target in targets.items():
        found = _part(name, value, target)
        if found is not None:
            return Rewired(found, (host,))
    return Rewired(escaped(value), ())


def mentions(name: str, value: str, host: str) -> bool:
    """Tell whether a value names a host where one can stand."""
    return _address_of(host).search(value) is not None or (
        is_about_hosts(name) and value.partition(":")[0] == host
    )


def _names(host: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(host)}(?![\w.-])")


def _address_of(host: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<who>[^@/\s]*@)?{re.escape(host)}(?::(?P<port>\d+))?(?![\w.:-])"
        r"(?P<path>/[^\s?#]*)?(?P<query>\?[^\s]*)?",
        re.IGNORECASE,
    )


def _address(value: str, host: str, target: Target) -> str | None:
    """Rewrite an address of a host: a URL."""
    match = _address_of(host).search(value)
    if match is None:
        return None
    before, after = escaped(value[: match.start()]), escaped(value[match.end() :])
    path, query = escaped(match["path"] or ""), escaped(match["query"] or "")
    type_ = target.known.type if target.known else ""
    if type_ == "postgres" and _URL_OF_POSTGRES.fullmatch(match["scheme"]):
        if match["scheme"] in ("postgres", "postgresql") and not query:
            return f"{before}{target.ref('url')}{after}"
        who = f"{target.ref('user')}:{target.ref('password')}@{target.ref('host')}:{target.ref('port')}"
        return f"{before}{match['scheme']}://{who}/{target.ref('name')}{query}{after}"
    if type_ == "bucket":
        return f"{before}{target.ref('endpoint')}{path}{query}{after}"
    kept = path if type_ != "cache" and path != "/" else ""
    return f"{before}{target.ref('url')}{kept}{query}{after}"


def _alone(name: str, value: str, host: str, target: Target) -> str | None:
    """Rewrite a host that is the whole value, or all but its port."""
    found, _, port = value.partition(":")
    if (
        found != host
        or not (is_about_hosts(name) or port.isdecimal())
        or (port and not port.isdecimal())
    ):
        return None
    if target.known is not None and target.known.type == "bucket":
        return target.ref("endpoint")
    return f"{target.ref('host')}:{target.ref('port')}" if port else target.ref("host")


def _part(name: str, value: str, target: Target) -> str | None:
    """Rewrite a port, user, password or name of a database that is a value of its own."""
    known = target.known
    if known is None or not value:
        return None
    is_bucket = known.type == "bucket"
    kinds = (
        (_PORT, str(known.port), "port", not is_bucket),
        (_PASSWORD, target.password, "secret_key" if is_bucket else "password", True),
        (_USER, target.user, "access_key" if is_bucket else "user", known.type != "cache"),
        (_DATABASE, target.database, "name", known.type == "postgres"),
    )
    for pattern, of_source, key, has_it in kinds:
        if has_it and of_source and value == of_source and pattern.search(name.upper()):
            return target.ref(key)
    return None
