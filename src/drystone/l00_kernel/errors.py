"""The error tree that every service extends.

::

    PlatformError            500  something the platform cannot do
    ├── Invalid              422  the request can never work as sent
    ├── Unauthenticated      401  the caller did not prove who it is
    ├── Denied               403  the caller may not do this
    ├── NotFound             404  there is no such thing
    ├── Conflict             409  the thing is in a state that forbids this
    ├── TooMany              429  the caller must slow down
    └── Unavailable          503  a dependency is down; the same call may work later
        └── DeadlineExceeded 504  the time that the caller allowed is over

A class is a situation. Its docstring's first line is its default message; its ``code`` names it on the
wire (RFC 9457 ``type``) as ``<service>.<Class>``. Whether a call may be repeated is a class
(``Unavailable``), never a string to parse.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import ClassVar

_LAYER = re.compile(r"l\d\d_\w+")


class PlatformError(Exception):
    """Something the platform refuses or cannot do.

    Args:
        message: What, which, and what to do next; the class's docstring when omitted.
        details: Names of the things concerned, for machines. Never a secret.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, message: str = "", **details: str) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().partition("\n")[0])
        self.message = str(self)
        self.details = details

    @classmethod
    def code(cls) -> str:
        """Name this error on the wire, for example ``deployer.ServiceNotFound``.

        The first part is the package below the layer: ``drystone.l25_deployer.builds.errors`` gives
        ``builds``; an error module directly in a layer gives the layer's own name.
        """
        parts = cls.__module__.split(".")
        place = next((i for i, part in enumerate(parts) if _LAYER.fullmatch(part)), None)
        if place is None:
            return f"{parts[0]}.{cls.__name__}"
        inside = parts[place + 1 : -1]
        owner = inside[0] if inside else parts[place].partition("_")[2]
        return f"{owner}.{cls.__name__}"


class Invalid(PlatformError):
    """The request can never work as sent."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Unauthenticated(PlatformError):
    """The caller did not prove who it is."""

    status = HTTPStatus.UNAUTHORIZED


class Denied(PlatformError):
    """The caller may not do this."""

    status = HTTPStatus.FORBIDDEN


class NotFound(PlatformError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class Conflict(PlatformError):
    """The thing is in a state that forbids this."""

    status = HTTPStatus.CONFLICT


class TooMany(PlatformError):
    """The caller must slow down."""

    status = HTTPStatus.TOO_MANY_REQUESTS


class Unavailable(PlatformError):
    """A dependency is down; the same call may work later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class DeadlineExceeded(Unavailable):
    """The time that the caller allowed is over."""

    status = HTTPStatus.GATEWAY_TIMEOUT
