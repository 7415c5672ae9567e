"""Certificates of services' own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from typing_extensions import override

from drystone.l25_deployer.descriptor.block import Rule
from drystone.l25_deployer.descriptor.quantities import Positive
from drystone.l25_deployer.descriptor.schema.resources.common import Resource
from drystone.l25_deployer.descriptor.words import Host


class Certificate(Resource, frozen=True, kw_only=True, tag_field="type", tag="certificate"):
    """A certificate and its key, by which a service proves its names to others (TLS)."""

    KEYS: ClassVar[tuple[str, ...]] = ("certificate", "key", "authority")
    ALSO_CALLED: ClassVar[dict[str, str]] = {"for": "use", "names": "hosts", "life": "days"}

    protect: Annotated[bool, "whether its removal must be confirmed by name"] = False
    hosts: Annotated[
        tuple[Host, ...], "names that it proves; <service>.<environment>.localhost when empty"
    ] = ()
    use: Annotated[Literal["server", "client", "both"], "what it is shown as"] = "server"
    days: Annotated[Positive, "its life; another takes its place when two thirds are over"] = 90

    @override
    def mistakes(self) -> Iterator[Rule]:
        if self.days > 398:
            yield Rule("days", "browsers take no certificate for more than 398 days", "write 90")
