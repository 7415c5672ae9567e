"""What the keeper of sources promises: a folder comes over a network as what its files are, and only what is not there travels.

Whoever deploys from afar first offers a list of files, each with the SHA-256 of its pieces. The answer names the pieces that are missing; they are
sent, and the offer is repeated, until none is missing and the folder is kept under the SHA-256 of its list. Every call may be repeated.
"""

from __future__ import annotations

import abc
from typing import ClassVar, Literal

import msgspec

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l00_kernel.shortage import DiskFull
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l50_orchestrator.sources import errors

PIECE = 4 * 1024**2
"""Bytes of the largest piece; all pieces of a file but the last have as many."""

PREFIX = "sha256:"
"""How the name of a source begins; it stands in place of the folder of a descriptor."""


class SourceFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One file or link of a source.

    Attributes:
        path: Relative to the folder of the descriptor, with forward slashes.
        kind: A file, one that is executable, or a link.
        pieces: SHA-256 of its pieces in their order, as 64 hexadecimal digits each; none of an empty file, or of a link.
        target: Where a link leads, which is inside the folder; empty for others.
    """

    path: str
    kind: Literal["file", "program", "link"]
    pieces: tuple[str, ...] = ()
    target: str = ""


class SourceOffer(msgspec.Struct, frozen=True):
    """What became of an offer.

    Attributes:
        source: Name of the source, ``sha256:`` and 64 hexadecimal digits.
        missing: SHA-256 of the pieces to send; none when the source is kept.
    """

    source: str
    missing: tuple[str, ...] = ()


class SourcesApi(Api):
    """Take what services are made of."""

    name: ClassVar[str] = "sources"
    errors = (errors.SourceRefused, errors.TooMuchSent, DiskFull, DatabaseUnavailable)

    @call("PUT", "/v1/environments/{environment}/services/{service}/source")
    @abc.abstractmethod
    async def offer(
        self, ctx: Context, *, environment: str, service: str, files: list[SourceFile]
    ) -> SourceOffer:
        """Keep a source, or tell what is missing of it.

        Args:
            ctx: Who asks; may deploy the service there.
            environment: Where it is to be deployed.
            service: Which service.
            files: All files and links.

        Raises:
            SourceRefused: A path leads outside, two are the same, or there is too much.
            Denied: The caller may not deploy the service there.
        """

    @call("PUT", "/v1/environments/{environment}/services/{service}/pieces")
    @abc.abstractmethod
    async def send(
        self, ctx: Context, *, environment: str, service: str, pieces: list[bytes]
    ) -> None:
        """Take pieces of files; their names follow from what they hold.

        Raises:
            SourceRefused: One is too large.
            TooMuchSent: The platform holds as many pieces for this service as it takes.
            Denied: The caller may not deploy the service there.
        """
