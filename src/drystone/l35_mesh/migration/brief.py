"""What the program that moves data is told, and what it says."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from typing_extensions import override

Deed: TypeAlias = Literal["follow", "cut-over", "give-up"]


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """One move of data; it comes by standard input, since it holds a password.

    Attributes:
        home: Path of the home of the platform that the data leaves.
        environment: Where the service is deployed.
        service: Its name.
        resource: The resource's name in its descriptor.
        to: URL of the other end.
        deed: ``follow`` goes on until it is interrupted; ``cut-over`` moves everything; ``give-up`` leaves it here.
    """

    home: str
    environment: str
    service: str
    resource: str
    to: str
    deed: Deed

    @override
    def __repr__(self) -> str:
        return f"Brief({self.service}/{self.environment} {self.resource} {self.deed})"

    @property
    def name(self) -> str:
        """A name for what this move keeps in a database: letters, digits and _, at most 63."""
        words = f"drystone_{self.environment}_{self.service}_{self.resource}".replace("-", "_")
        return words[:63]


class Said(msgspec.Struct, frozen=True):
    """One line of what it says.

    Attributes:
        text: What happened.
        is_error: Whether it ends with that.
    """

    text: str
    is_error: bool = False
