"""What can go wrong between a caller and an implementation, whatever the contract."""

from __future__ import annotations

from http import HTTPStatus

from drystone.l00_kernel.errors import Conflict, Invalid, NotFound, PlatformError, Unavailable


class NoSuchCall(NotFound):
    """Nothing is served at this path."""


class WrongMethod(Invalid):
    """This path does not take this method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class BodyTooLarge(Invalid):
    """The body is larger than this server takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class BodyTooSlow(Invalid):
    """The body takes too long to come in."""

    status = HTTPStatus.REQUEST_TIMEOUT


class WrongMediaType(Invalid):
    """The body is not application/json."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class KeyReused(Conflict):
    """The Idempotency-Key was used before, for a different request; use a new key."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class CallRunning(Conflict):
    """A stream with the same Idempotency-Key is open; its answer cannot be sent twice."""


class Unreachable(Unavailable):
    """The service is out of reach."""


class BadAnswer(PlatformError):
    """The answer is not what the contract promises; the two sides are of different versions."""

    status = HTTPStatus.BAD_GATEWAY
