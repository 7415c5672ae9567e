"""Files of a service that the edge serves at hosts of their own, beside the service."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings)

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, ClassVar

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Rule
from drystone.l25_deployer.descriptor.quantities import Count, Duration
from drystone.l25_deployer.descriptor.schema.resources.common import Resource
from drystone.l25_deployer.descriptor.words import (
    HeaderName,
    HeaderValue,
    Host,
    Pattern,
    RelativePath,
)


class StaticSite(Resource, frozen=True, kw_only=True, tag_field="type", tag="static-site"):
    """Files of the service's own folder that the edge serves at a host of their own."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "host")

    protect: Annotated[bool, "whether its removal must be confirmed by name"] = False
    dir: Annotated[RelativePath, "folder of the files, within that of the process"]
    hosts: Annotated[tuple[Host, ...], "names that lead here"]
    index: Annotated[RelativePath, "file that answers for a folder"] = "index.html"
    spa: Annotated[bool, "whether the index answers for paths that do not exist"] = False
    cache: Annotated[dict[Pattern, Duration], "how long browsers keep files, by pattern"] = {}
    headers: Annotated[dict[HeaderName, HeaderValue], "headers of every answer"] = {}
    csp: Annotated[HeaderValue | None, "Content-Security-Policy; strict when absent"] = None
    keep_assets: Annotated[Count, "of how many earlier releases files are still served"] = 10
    tls: Annotated[bool, "whether the way is encrypted"] = True

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not self.hosts:
            yield Rule("hosts", "no host leads here", "write for example [www.example.com]")
        if any(span < timedelta() for span in self.cache.values()):
            yield Rule("cache", "a browser keeps a file for 0s at least", "write 0s")
