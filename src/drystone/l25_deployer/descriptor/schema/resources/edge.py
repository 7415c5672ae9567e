"""Resources that let people outside in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Rule
from drystone.l25_deployer.descriptor.schema.resources.common import Resource
from drystone.l25_deployer.descriptor.words import Host, Name, UrlPath

_PATH = re.compile(r"/|(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+/?")


class EdgeRoute(Resource, frozen=True, kw_only=True, tag_field="type", tag="edge-route"):
    """A way in for people outside."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "host")

    protect: Annotated[bool, "whether its removal must be confirmed by name"] = False
    hosts: Annotated[tuple[Host, ...], "names that lead here"]
    allow: Annotated[tuple[Name, ...], "networks that may come in"] = ("public",)
    deny: Annotated[tuple[Name, ...], "networks that may not"] = ()
    paths: Annotated[tuple[UrlPath, ...], "paths that lead here"] = ("/",)
    waf: Annotated[bool, "whether what looks like an attack is refused"] = True
    waf_report: Annotated[bool, "whether it is only written down, and let through"] = False
    tls: Annotated[bool, "whether the way is encrypted"] = True

    @override
    def mistakes(self) -> Iterator[Rule]:
        if not self.hosts:
            yield Rule("hosts", "no host leads here", "write for example [orders.example.com]")
        for path in self.paths:
            if not _PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
                yield Rule(
                    "paths",
                    f"requests cannot be told apart by '{path}', which has a query, an escape or empty parts",
                    "write for example [/, /api]",
                )
