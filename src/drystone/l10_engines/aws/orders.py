"""What the agent and the process say to each other."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from drystone.l10_engines.aws.access import AccountAccess, Made
from drystone.l10_engines.aws.declarations import Declaration

ADMINISTRATION = "/drystone/"
"""Below it the agent says what is to be there; it proves itself with :data:`TOKEN`."""

TOKEN = "x-drystone-token"  # noqa: S105 - the name of a header


class Wanted(msgspec.Struct, frozen=True):
    """What the agent asks for.

    Attributes:
        owner: Whose account; it is opened at the first declaration.
        name: Of what is declared, unique in the account.
        declaration: What it is to be, or was, for a removal.
    """

    owner: str
    name: str
    declaration: Declaration


class Renewal(msgspec.Struct, frozen=True):
    """What becomes of the key of an account.

    Attributes:
        owner: Whose account.
        step: ``begin`` makes another key that opens it, too; ``end`` lets that one alone open it, ``withdraw`` the former one.
    """

    owner: str
    step: Literal["begin", "end", "withdraw"]


class Copying(msgspec.Struct, frozen=True):
    """What is to be copied, or to come back.

    Attributes:
        wanted: The resource.
        file: Absolute path of the copy; empty where none is needed.
    """

    wanted: Wanted
    file: str = ""


class Contents(msgspec.Struct, frozen=True):
    """What a copy holds.

    Attributes:
        count: Items, messages, records or keys.
        digest: A sum of all of them that does not depend on their order.
    """

    count: int
    digest: str


class Waiting(msgspec.Struct, frozen=True):
    """How much waits in a queue.

    Attributes:
        count: Messages that can be taken; None where there is no such queue.
    """

    count: int | None


class Standing(msgspec.Struct, frozen=True):
    """What came of a declaration.

    Attributes:
        access: The account; its endpoint is left empty.
        made: What was declared; its URL is a path.
    """

    access: AccountAccess
    made: Made


class Ask(msgspec.Struct, frozen=True):
    """What the agent asks a service in the name of an account.

    Attributes:
        owner: Whose account.
        service: One that speaks JSON.
        action: What.
        data: About what.
    """

    owner: str
    service: str
    action: str
    data: dict[str, Any]


class Seen(msgspec.Struct, frozen=True):
    """What the agent has seen of messages and records that were added.

    Attributes:
        life: Of the process; empty before the first answer.
        number: Of the last addition.
    """

    life: str = ""
    number: int = 0


class Added(msgspec.Struct, frozen=True):
    """What was added since.

    Attributes:
        seen: To be asked with the next time.
        owners: In whose accounts; None when that is not known, since the process began anew.
    """

    seen: Seen
    owners: frozenset[str] | None = None
