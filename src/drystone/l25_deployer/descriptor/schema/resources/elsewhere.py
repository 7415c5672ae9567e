"""Resources that another platform provides, and types that this one does not know yet."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from typing_extensions import override

from drystone.l25_deployer.descriptor.references import Credential
from drystone.l25_deployer.descriptor.schema.resources.common import Resource
from drystone.l25_deployer.descriptor.words import Identifier, Link, Name, RelativePath


class CloudFormation(Resource, frozen=True, kw_only=True, tag_field="type", tag="cloudformation"):
    """A template of one's own, on AWS."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "outputs")

    template: Annotated[RelativePath, "file of the template"]
    parameters: Annotated[dict[Identifier, Any], "its parameters"] = {}


class External(Resource, frozen=True, kw_only=True, tag_field="type", tag="external"):
    """Something that exists elsewhere."""

    KEYS: ClassVar[tuple[str, ...]] = ("url", "credentials")

    url: Annotated[Link, "where it is"]
    credentials: Annotated[Credential | None, "what opens it, such as ${secrets.PARTNER}"] = None


class Later(Resource, frozen=True, kw_only=True):
    """A type whose parameters are checked by the part of the platform that provides it."""

    KEYS: ClassVar[tuple[str, ...]] = ("id", "name", "url")
    TYPES: ClassVar[tuple[str, ...]] = (
        "workflow",
        "dataset",
        "vector-index",
        "role",
        "oidc-client",
        "policy",
        "domain",
        "graphql-subgraph",
        "egress-ip",
        "config-namespace",
        "flag-set",
        "email-sender",
        "notification-template",
        "media-collection",
        "search-index",
        "tenant-binding",
        "monitor",
        "error-project",
        "dashboard",
        "log-archive",
        "realtime-channel",
    )

    type: Annotated[Name, "which type"]
    params: Annotated[dict[Identifier, Any], "what the type asks for"] = {}

    @property
    @override
    def type_name(self) -> str:
        return self.type
