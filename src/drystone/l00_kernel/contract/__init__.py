"""One declaration of an API, three ways to reach it.

A contract is an abstract class. From it come an HTTP server (:func:`serve`), a typed client
(:func:`connect`), an in-process loopback through the wire form (:func:`loopback`) and an OpenAPI document
(:func:`openapi`). Whoever holds a ``SecretsApi`` does not know which it is::

    class SecretsApi(Api):
        name = "secrets"
        errors = (SecretNotFound,)

        @call("GET", "/v1/secrets/{path}")
        @abc.abstractmethod
        async def read(self, ctx: Context, *, path: str) -> Secret: ...

        @call("GET", "/v1/secrets/{path}/watch")
        @abc.abstractmethod
        def watch(self, ctx: Context, *, path: str) -> AsyncIterator[Secret]: ...

Declaring and implementing needs msgspec alone. The server and the client, with Starlette and httpx2 behind
them, are imported when their names are first used, because the start of every command waits for this package.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from drystone.l00_kernel.context import ANONYMOUS, Caller, Context
from drystone.l00_kernel.contract.declaration import Api, call
from drystone.l00_kernel.contract.page import Page, every, first, make_cursor, read_cursor

if TYPE_CHECKING:
    from drystone.l00_kernel.contract.client import connect
    from drystone.l00_kernel.contract.description import openapi
    from drystone.l00_kernel.contract.inprocess import loopback
    from drystone.l00_kernel.contract.server import serve
else:
    _LAZY = {
        "connect": "client",
        "loopback": "inprocess",
        "openapi": "description",
        "serve": "server",
    }

    def __getattr__(name):
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


__all__ = [
    "ANONYMOUS",
    "Api",
    "Caller",
    "Context",
    "Page",
    "call",
    "connect",
    "every",
    "first",
    "loopback",
    "make_cursor",
    "openapi",
    "read_cursor",
    "serve",
]
