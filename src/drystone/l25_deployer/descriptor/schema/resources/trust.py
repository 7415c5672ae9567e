"""Resources that hold keys and secrets."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from drystone.l25_deployer.descriptor.quantities import Duration
from drystone.l25_deployer.descriptor.schema.resources.common import Resource
from drystone.l25_deployer.descriptor.words import Name, ServiceName


class EncryptionKey(Resource, frozen=True, kw_only=True, tag_field="type", tag="encryption-key"):
    """A key that never leaves the platform."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "url", "arn")

    encrypt: Annotated[tuple[ServiceName, ...], "further services that may encrypt"] = ()
    decrypt: Annotated[tuple[ServiceName, ...], "further services that may decrypt"] = ()
    rotate: Annotated[Duration, "age at which a new version replaces it"] = timedelta(days=365)
    regions: Annotated[tuple[Name, ...], "regions in which it works"] = ()


class AsapKey(Resource, frozen=True, kw_only=True, tag_field="type", tag="asap-key"):
    """A key to sign calls to other services."""

    KEYS: ClassVar[tuple[str, ...]] = ("id", "issuer", "audience", "private_key")

    audience: Annotated[tuple[ServiceName, ...], "services that it may call"] = ()
    rotate: Annotated[Duration, "age at which another replaces it"] = timedelta(days=90)


class Secret(Resource, frozen=True, kw_only=True, tag_field="type", tag="secret"):
    """A secret that the platform makes up."""

    KEYS: ClassVar[tuple[str, ...]] = ("value",)

    generate: Annotated[Literal["password", "rsa", "ed25519", "hex32"], "what is made"] = "password"
    rotate: Annotated[Duration | None, "age at which another replaces it"] = None
