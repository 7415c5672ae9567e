"""Which operation of an OpenAPI document a request means (OpenAPI 3.1, sections 4.8.8 and 4.8.9)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from drystone.l85_surfaces.sandbox.mocking.words import Json, Unfit, pointed

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PARAMETER = re.compile(r"\{([^{}/]+)\}")


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        method: In capitals.
        template: Its path as the document writes it, after that of the server.
        said: What the document says of it.
        parameters: Of the path and the operation, references followed.
    """

    method: str
    template: str
    said: Mapping[str, Json]
    parameters: tuple[Mapping[str, Json], ...]


@dataclass(frozen=True)
class Found:
    """What a request means.

    Attributes:
        operation: None where the path or the method is not in the document.
        values: Of the parameters of the path.
        allowed: Methods of the path; empty where no path fits.
    """

    operation: Operation | None
    values: Mapping[str, str]
    allowed: tuple[str, ...] = ()


class Operations:
    """The operations of one document.

    Args:
        document: It, version 3.
    """

    def __init__(self, document: Mapping[str, Json]) -> None:
        self._document = document
        self._bases = _bases(document)
        self._paths: list[tuple[tuple[bool, ...], re.Pattern[str], str, dict[str, Operation]]] = []
        for template, item in document.get("paths", {}).items():
            if isinstance(item, dict) and template.startswith("/"):
                sorting = tuple("{" in part for part in template.split("/"))
                self._paths.append(
                    (sorting, _pattern(template), template, self._of(template, item))
                )
        self._paths.sort(key=lambda one: one[0])  # a path without parameters comes first

    @property
    def templates(self) -> list[str]:
        """Every path with its methods, such as ``GET /orders``."""
        return [
            f"{method} {template}" for _, _, template, inside in self._paths for method in inside
        ]

    def find(self, method: str, path: str) -> Found:
        """Return what a request means.

        Args:
            method: In capitals.
            path: Without the query, as it was sent.
        """
        allowed: list[str] = []
        for inner in self._inside(path):
            for _, pattern, _, operations in self._paths:
                if fitting := pattern.fullmatch(inner):
                    values = [unquote(one) for one in fitting.groups()]
                    wanted = "GET" if method == "HEAD" and "HEAD" not in operations else method
                    if one := operations.get(wanted):
                        names = _PARAMETER.findall(one.template)
                        return Found(one, dict(zip(names, values, strict=True)))
                    allowed += operations
        return Found(None, {}, tuple(dict.fromkeys(allowed)))

    def near(self, method: str, path: str) -> list[str]:
        """Return what the document has that is most like a request."""
        close = difflib.get_close_matches(f"{method} {path[:200]}", self.templates, n=3, cutoff=0.4)
        return close or self.templates[:3]

    def _inside(self, path: str) -> list[str]:
        """Return a path without the one of a server; both are tried."""
        return [
            *(path[len(base) :] for base in self._bases if path.startswith(f"{base}/")),
            path,
        ]

    def _of(self, template: str, item: Mapping[str, Json]) -> dict[str, Operation]:
        shared = self._parameters(item.get("parameters", ()))
        found = {}
        for method in METHODS:
            said = item.get(method)
            if isinstance(said, dict):
                own = self._parameters(said.get("parameters", ()))
                every = {(one.get("in"), one.get("name")): one for one in (*shared, *own)}
                found[method.upper()] = Operation(
                    method.upper(), template, said, tuple(every.values())
                )
        return found

    def _parameters(self, said: Sequence[Json]) -> list[Mapping[str, Json]]:
        return [one for each in said if isinstance(one := self.followed(each), dict)]

    def followed(self, said: Json) -> Json:
        """Return what something is when it may be a reference.

        Raises:
            Unfit: The reference leads in a circle.
        """
        for _ in range(20):
            if not (isinstance(said, dict) and isinstance(said.get("$ref"), str)):
                return said
            said = pointed(self._document, said["$ref"])
        raise Unfit("a reference leads in a circle")


def _bases(document: Mapping[str, Json]) -> list[str]:
    servers = document.get("servers", ())
    urls = [one.get("url") for one in servers if isinstance(one, dict)]
    paths = [urlsplit(url).path.rstrip("/") for url in urls if isinstance(url, str)]
    return list(dict.fromkeys(path for path in paths if path))


def _pattern(template: str) -> re.Pattern[str]:
    parts = _PARAMETER.split(template)
    return re.compile(
        "".join("([^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
    )
