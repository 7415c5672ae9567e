"""Resources that run code."""

# ruff: noqa: RUF012  (a Struct copies its empty mappings; the tables are constants)

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from drystone.l25_deployer.descriptor.quantities import Duration, Positive, Size
from drystone.l25_deployer.descriptor.schema.resources.common import MEBI, Resource
from drystone.l25_deployer.descriptor.words import Identifier, Name, RelativePath


class Function(Resource, frozen=True, kw_only=True, tag_field="type", tag="function"):
    """A function that runs when something happens."""

    KEYS: ClassVar[tuple[str, ...]] = ("name", "url", "region")

    runtime: Annotated[Literal["python", "javascript", "typescript"], "language"]
    handler: Annotated[Identifier, "what is called"]
    artifact: Annotated[RelativePath | None, "folder or archive of the code"] = None
    timeout: Annotated[Duration, "time for one call"] = timedelta(seconds=30)
    memory: Annotated[Size, "memory of one call"] = 256 * MEBI
    concurrency: Annotated[Positive | None, "calls at once"] = None
    on: Annotated[dict[Name, Any], "what calls it"] = {}
