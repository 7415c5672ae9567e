"""How to reach an account, and what was made in it."""

from __future__ import annotations

import msgspec
from typing_extensions import override

REGION = "us-local-1"
"""The one region, whichever a request is signed for.

It is none of AWS: the first generation of its command line sends requests for queues of those to AWS, whatever the endpoint in its environment.
"""


class AccountAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a client needs to use an account; its ``repr`` hides the secret.

    Attributes:
        endpoint: URL of every protocol, without a path.
        account: Twelve digits; part of the names of everything in it.
        access_key: The key's public half.
        secret_key: The key's secret half.
        region: The region that requests are signed for.
    """

    endpoint: str
    account: str
    access_key: str
    secret_key: str
    region: str = REGION

    @override
    def __repr__(self) -> str:
        return f"AccountAccess({self.access_key}@{self.endpoint}/{self.account})"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What a declaration came to.

    Attributes:
        name: What a client calls it.
        arn: Its name among all things.
        url: Where a client that wants a URL finds it.
        stream: Name of the stream of its changes, if there is one.
    """

    name: str
    arn: str
    url: str = ""
    stream: str = ""
