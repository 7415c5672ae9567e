"""What the owner of a home decided.

``settings.toml`` in the home, overridden by variables: ``port`` is ``DRYSTONE_PORT``, ``url`` of the table
``[postgres]`` is ``DRYSTONE_POSTGRES_URL``. Each engine runs on this machine unless its table says where it
already runs::

    port = 8400
    runtime = "bubblewrap"

    [postgres]
    url = "postgresql://admin:…@db.example.org/postgres"

    [objects]
    memory = "512MiB"
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from drystone.l00_kernel.errors import Invalid
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.settings_tables import (
    AtRest,
    BackupsSettings,
    CacheSettings,
    ConsoleSettings,
    CostsSettings,
    CredentialsSettings,
    DependenciesSettings,
    EdgeSettings,
    Folder,
    KeysSettings,
    LimitsSettings,
    MetricsSettings,
    Name,
    ObjectsSettings,
    OrchestratorSettings,
    Port,
    PostgresSettings,
    ProxySettings,
    QuotaSettings,
    Runtime,
    SigninSettings,
    TelemetrySettings,
    without_password,
)

PREFIX = "DRYSTONE_"
DEFAULT = "default"
"""Source of a value that nobody decided."""

_SIZE = re.compile(r"(\d{1,15})\s*(B|[KMGT](?:iB|B)?)?", re.IGNORECASE)
_POWERS = "BKMGT"
_SMALLEST_MEMORY = 16 * 1024 * 1024


class SettingsRefused(Invalid):
    """The settings have mistakes."""


class Setting(msgspec.Struct, frozen=True):
    """One setting as people see it.

    Attributes:
        name: For example ``postgres.url``.
        value: As text, without passwords; empty where nothing is set.
        source: ``default``, the file, or the variable.
    """

    name: str
    value: str
    source: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner of a home decided.

    Attributes:
        port: For people and clients, on 127.0.0.1.
        runtime: What isolates instances; ``auto`` takes the strongest that works here.
        default_environment: Where commands work that name none.
        at_rest: How the disks hold what is stored, which a platform cannot see from above them; policies go by it.
        sources: Where each value that is no default comes from, by its name.
    """

    port: Port = 8400
    runtime: Runtime = "auto"
    default_environment: Name = "dev"
    at_rest: AtRest = "unknown"
    postgres: PostgresSettings = PostgresSettings()
    objects: ObjectsSettings = ObjectsSettings()
    cache: CacheSettings = CacheSettings()
    proxy: ProxySettings = ProxySettings()
    edge: EdgeSettings = EdgeSettings()
    dependencies: DependenciesSettings = DependenciesSettings()
    console: ConsoleSettings = ConsoleSettings()
    orchestrator: OrchestratorSettings = OrchestratorSettings()
    keys: KeysSettings = KeysSettings()
    backups: BackupsSettings = BackupsSettings()
    costs: CostsSettings = CostsSettings()
    credentials: CredentialsSettings = CredentialsSettings()
    quota: QuotaSettings = QuotaSettings()
    limits: LimitsSettings = LimitsSettings()
    signin: SigninSettings = SigninSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    sources: dict[str, str] = {}

    @classmethod
    def load(cls, home: Home, environ: Mapping[str, str]) -> Settings:
        """Read a home's settings; neither the home nor its file need exist.

        Args:
            home: Whose.
            environ: Variables; those that start with ``DRYSTONE_`` override the file.

        Raises:
            SettingsRefused: The message holds every mistake.
        """
        mistakes: list[str] = []
        found = {**_from_file(home.settings_file, mistakes), **_from_environ(environ, mistakes)}
        values: dict[str, Any] = {}
        for name, (raw, source) in found.items():
            try:
                values[name] = _convert(raw, _TYPES[name], from_text=source.startswith(PREFIX))
            except ValueError as e:
                # msgspec quotes the value only of an enumeration, which holds no secret.
                mistakes.append(f"{source}: {name}: {e}")
        mistakes += _together(values)
        if mistakes:
            raise SettingsRefused("\n".join(mistakes))
        return cls(**_nested(values), sources={name: source for name, (_, source) in found.items()})

    def explain(self) -> list[Setting]:
        """Return every setting with its value and where it comes from; passwords are left out."""
        return [
            Setting(
                name, _text(without_password(_value(self, name))), self.sources.get(name, DEFAULT)
            )
            for name in _TYPES
        ]


def _leaves(struct: type[msgspec.Struct], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the type of each setting."""
    for field in msgspec.structs.fields(struct):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _leaves(field.type, f"{before}{field.name}.")
        elif field.name != "sources":
            yield before + field.name, field.type


_TYPES: dict[str, Any] = dict(_leaves(Settings))
_VARIABLES = {PREFIX + name.replace(".", "_").upper(): name for name in _TYPES}
_TABLES = frozenset(name.partition(".")[0] for name in _TYPES if "." in name)


def _from_file(file: Path, mistakes: list[str]) -> dict[str, tuple[Any, str]]:
    """Return name, value and source of what a file sets."""
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        mistakes.append(f"{file}: {e}")
        return {}
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if key in _TABLES and isinstance(value, dict):
            flat.update({f"{key}.{inner}": content for inner, content in value.items()})
        else:
            flat[key] = value
    for name in flat.keys() - _TYPES.keys():
        known = _TYPES.keys() | _TABLES
        mistakes.append(f"{file}: there is no setting {name}{_suggest(name, known)}")
    return {name: (value, str(file)) for name, value in flat.items() if name in _TYPES}


def _from_environ(environ: Mapping[str, str], mistakes: list[str]) -> dict[str, tuple[Any, str]]:
    """Return name, value and source of what variables set.

    Variables of other purposes have the same prefix, so only one that resembles a setting is a mistake.
    """
    found: dict[str, tuple[Any, str]] = {}
    for variable, value in environ.items():
        if name := _VARIABLES.get(variable):
            found[name] = (value, variable)
        elif variable.startswith(PREFIX):
            near = difflib.get_close_matches(variable, _VARIABLES, n=1, cutoff=0.9)
            mistakes += [f"{variable} is no setting; did you mean {near[0]}?"] if near else []
    return found


def _suggest(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"


def _convert(raw: Any, kind: Any, *, from_text: bool) -> Any:
    """Return a setting's value.

    Raises:
        ValueError: It is not of this type.
    """
    if kind == int | None:
        return parse_size(str(raw))
    if kind == Path | None:
        path = Path(msgspec.convert(raw, str))
        if not path.is_absolute():
            raise ValueError("the path must be absolute")
        return path
    if from_text and typing.get_origin(kind) is dict:
        raw = _lists(raw)
        if typing.get_args(kind)[1] == Folder:
            raw = {name: ",".join(of) for name, of in raw.items()}
    return msgspec.convert(raw, kind, strict=not from_text)


def _lists(text: str) -> dict[str, list[str]]:
    """Read what a variable says of lists by name: ``office=10.1.0.0/16,10.2.0.0/16;home=192.0.2.0/24``."""
    entries = (entry.partition("=") for entry in text.split(";") if entry.strip())
    return {name.strip(): [one.strip() for one in found.split(",")] for name, _, found in entries}


def parse_size(text: str) -> int:
    """Return a number of bytes: ``536870912``, ``512M``, ``512MiB``; units are powers of 1024.

    Raises:
        ValueError: It is no size, or less than 16 MiB, in which no engine runs.
    """
    if not (match := _SIZE.fullmatch(text.strip())):
        raise ValueError("not a size; write it as 512MiB or 2GiB")
    unit = (match[2] or "B")[0].upper()
    size: int = int(match[1]) * 1024 ** _POWERS.index(unit)
    if size < _SMALLEST_MEMORY:
        raise ValueError("no engine runs in less than 16MiB")
    return size


def _together(values: Mapping[str, Any]) -> list[str]:
    """Return mistakes between settings."""
    mistakes = [*_of_signin(values), *_of_networks(values.get("edge.networks", {}))]
    if "edge.address" in values and not _is_for_others(values["edge.address"]):
        mistakes.append(
            "edge.address is an IP address that others reach, such as 0.0.0.0, and not 127.0.0.1"
        )
    keys = ("objects.access_key_file", "objects.secret_key_file")
    given = [name for name in keys if name in values]
    if "objects.endpoint" in values and len(given) < 2:
        mistakes.append(f"objects.endpoint needs {' and '.join(keys)}")
    if "objects.endpoint" not in values and given:
        mistakes.append(f"{given[0]} is of no use without objects.endpoint")
    return mistakes


def _of_signin(values: Mapping[str, Any]) -> list[str]:
    mistakes = []
    if "signin.client_secret_file" in values and "signin.issuer" not in values:
        mistakes.append("signin.client_secret_file is of no use without signin.issuer")
    addresses = [
        name for name in ("signin.url", "signin.issuer", "orchestrator.url") if name in values
    ]
    mistakes += [
        f"{name} must be an address with https, or one of this machine such as"
        " http://signin.localhost:8400, without a query or a user"
        for name in addresses
        if not _is_safe_address(values[name])
    ]
    return mistakes


def _is_for_others(address: str) -> bool:
    """Tell whether it is an address at which the edge does not listen anyway."""
    try:
        return str(ipaddress.ip_address(address)) not in {"127.0.0.1", "::1"}
    except ValueError:
        return False


def _of_networks(networks: Mapping[str, tuple[str, ...]]) -> list[str]:
    mistakes = []
    for name, ranges in networks.items():
        for one in ranges:
            try:
                ipaddress.ip_network(one)
            except ValueError:
                mistakes.append(f"edge.networks.{name}: {one!r} is no range: write 10.0.0.0/8")
    return mistakes


def _is_safe_address(text: str) -> bool:
    """Tell whether what is sent to an address can be read by nobody on the way."""
    near = r"(?:127\.0\.0\.1|(?:[a-z0-9-]+\.)*localhost)"
    far = r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*"
    rest = r"(?::\d{1,5})?(?:/[A-Za-z0-9._~/-]*)?"
    return re.fullmatch(rf"(?:http://{near}|https://{far}){rest}", text) is not None


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of Settings from values by dotted names."""
    nested: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    for field in msgspec.structs.fields(Settings):
        if field.name in _TABLES:
            inside = {
                name.partition(".")[2]: value
                for name, value in values.items()
                if name.startswith(f"{field.name}.")
            }
            nested[field.name] = field.type(**inside)
    return nested


def _value(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _text(value: Any) -> str:
    """Return a value as it is written in the file; empty where nothing is set."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        lists = {n: of if isinstance(of, str) else ",".join(of) for n, of in value.items()}
        return ";".join(f"{name}={of}" for name, of in lists.items())
    return str(value or "")
