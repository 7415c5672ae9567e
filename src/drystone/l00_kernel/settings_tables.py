"""The tables of ``settings.toml``: what can be decided of each part of the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import msgspec
from typing_extensions import override

Runtime: TypeAlias = Literal["auto", "processes", "bubblewrap", "podman"]
AtRest: TypeAlias = Literal["unknown", "encrypted", "plain"]
Port: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Name: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class _Engine(msgspec.Struct, frozen=True, kw_only=True):
    """Hides what may hold a password."""

    @override
    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}={without_password(getattr(self, name))!r}" for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({shown})"


class PostgresSettings(_Engine, frozen=True, kw_only=True):
    """The database server.

    Attributes:
        url: Of a server that runs already, with an administrative role; one runs here when None.
        memory: Bytes that a server run here may use; the engine's own choice when None.
    """

    url: str | None = None
    memory: int | None = None


class ObjectsSettings(_Engine, frozen=True, kw_only=True):
    """The object store.

    Attributes:
        endpoint: URL of an S3 API that runs already; one runs here when None.
        access_key_file: File with its access key; goes with ``endpoint``.
        secret_key_file: File with its secret key; goes with ``endpoint``.
        memory: Bytes that a store run here may use.
    """

    endpoint: str | None = None
    access_key_file: Path | None = None
    secret_key_file: Path | None = None
    memory: int | None = None


class CacheSettings(_Engine, frozen=True, kw_only=True):
    """The cache.

    Attributes:
        url: ``redis://`` or ``rediss://`` URL of a server that runs already. When None, each cache has a
            server of its own here, with the memory that its descriptor asks for.
    """

    url: str | None = None


class ProxySettings(_Engine, frozen=True, kw_only=True):
    """The edge, which always runs here, and the sidecars.

    Attributes:
        memory: Bytes that it may use.
        open: Whether people at this machine reach services that are not public. Services never do, unless they declare it.
        placement: Where sidecars run of services that do not say it: ``node`` is this proxy, ``instance`` a process for each.
    """

    memory: int | None = None
    open: bool = True
    placement: Literal["node", "instance"] = "node"


Folder: TypeAlias = Annotated[str, msgspec.Meta(pattern="^/")]

_Ranges: TypeAlias = Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]


class EdgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How people outside come in.

    Attributes:
        address: IP address at which ways in are there for others than this machine, at the same ports; ``0.0.0.0`` is every one.
            Nothing else of the edge is there. Nowhere when not set.
        https_port: Where the edge answers over HTTPS, once a service has a way in that wants it; 43 above ``port`` when not set.
        networks: Networks by name, each with its ranges of addresses, that ways in may allow or deny beside ``public``, ``private``
            and ``loopback``.
    """

    address: str | None = None
    https_port: Port | None = None
    networks: dict[Name, _Ranges] = {}


class DependenciesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The view of the dependency model.

    Attributes:
        idle_minutes: When nobody has looked for so long, it ends; it comes back with the next request.
    """

    idle_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 15


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The operations page.

    Attributes:
        idle_minutes: When nobody has looked for so long, it ends; it comes back with the next request.
    """

    idle_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 15


class OrchestratorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The orchestrator.

    Attributes:
        url: Where it answers from afar, by tokens alone. When not set, ``orchestrator.`` in place of ``signin.`` in the address of
            the sign-in, which is ``http://orchestrator.localhost`` at the port of the edge unless that is elsewhere.
    """

    url: str | None = None


class KeysSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Service keys.

    Attributes:
        algorithm: Of keys that are made from now on. RS256 is for verifiers that know nothing else; its keys and tokens are longer.
    """

    algorithm: Literal["ES256", "RS256"] = "ES256"


class BackupsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Copies of what services keep.

    Attributes:
        folder: Where they lie, on another disk preferably; ``backups`` in the home when not set.
        places: Further places by name, each the absolute path of a folder that is there, for ``copy_to`` of a descriptor.
    """

    folder: Path | None = None
    places: dict[Name, Folder] = {}


class CostsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What services cost.

    Attributes:
        prices: File with a table of prices of one's own; the platform's when not set.
        budgets: File with what may be spent each month; nothing is compared when not set.
    """

    prices: Path | None = None
    budgets: Path | None = None


class CredentialsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Passwords and keys by which services reach their resources.

    Attributes:
        rotate_days: Age in days at which they are replaced of which no descriptor says one; 0 for never.
    """

    rotate_days: Annotated[int, msgspec.Meta(ge=0, le=36500)] = 0


class QuotaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How much services may claim together by their descriptors; what is 0 or not set is without a bound.

    Attributes:
        cpu: CPUs of all instances.
        memory: Bytes of memory of all instances and caches.
        disk: Bytes of disk that all resources may hold, by their ``storage``.
        services: Services, in an environment each.
        instances: Instances.
        resources: Resources.
    """

    cpu: Annotated[float, msgspec.Meta(ge=0)] = 0
    memory: int | None = None
    disk: int | None = None
    services: Annotated[int, msgspec.Meta(ge=0)] = 0
    instances: Annotated[int, msgspec.Meta(ge=0)] = 0
    resources: Annotated[int, msgspec.Meta(ge=0)] = 0


class LimitsSettings(_Engine, frozen=True, kw_only=True):
    """The rate limiter.

    Attributes:
        url: ``redis://`` or ``rediss://`` URL of a server in which limits with ``counted: exact`` are counted, together with every
            other platform that names the same. When None, the limiter counts in its own memory.
        rate_limit_service: Whether proxies that the platform does not configure may ask, by Envoy's rate limit service.
    """

    url: str | None = None
    rate_limit_service: bool = False


class SigninSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How people and builds sign in.

    Attributes:
        url: Where people reach the sign-in, where that is not ``http://signin.localhost`` at the port of the edge.
        issuer: Address of an OpenID provider; the embedded one is used when not set.
        client_id: Name of this platform at that provider.
        client_secret_file: File with its secret there; goes with ``issuer``.
        user_claim: What in a token of the provider names the user.
        groups_claim: What in it lists the groups.
        staff_group: Only members of this group may sign in; everybody may when not set.
        session_hours: How long somebody stays signed in.
        trusted_builds_file: File that says which builds of which providers are trusted.
        idle_minutes: When nobody has signed in for so long, it ends; it comes back with the next request.
    """

    url: str | None = None
    issuer: str | None = None
    client_id: str = "drystone"
    client_secret_file: Path | None = None
    user_claim: str = "sub"
    groups_claim: str = "groups"
    staff_group: str | None = None
    session_hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 12
    trusted_builds_file: Path | None = None
    idle_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 15


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the proxies have counted, for Prometheus and others that collect its format.

    Attributes:
        port: Of 127.0.0.1, at which ``/metrics`` answers whoever is on this machine; closed when not set.
    """

    port: Port | None = None


class TelemetrySettings(_Engine, frozen=True, kw_only=True):
    """Where proxies send what they see, beside what can be asked of them.

    Attributes:
        otlp: Address of a collector of OpenTelemetry for spans, such as ``http://127.0.0.1:4318``; OTLP over HTTP.
        zipkin: Address of a Zipkin for spans, in place of the other, such as ``http://127.0.0.1:9411``.
        statsd: IP address and port of a StatsD server for numbers, such as ``127.0.0.1:8125``.
    """

    otlp: str | None = None
    zipkin: str | None = None
    statsd: str | None = None


def without_password(value: Any) -> Any:
    """Return a value without the password that a URL may hold."""
    if not isinstance(value, str) or "://" not in value:
        return value
    try:
        url = urlsplit(value)
    except ValueError:
        return "…"
    # A query may hold credentials too (libpq, 32.1.1.2), so only the place is shown.
    place = url.netloc.rpartition("@")[2]
    return urlunsplit((url.scheme, place, url.path, "", ""))
