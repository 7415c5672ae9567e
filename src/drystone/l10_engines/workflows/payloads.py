"""Values as the journal keeps them: JSON of bounded size, and failures without secrets."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TypeVar

import msgspec

from drystone.l00_kernel.errors import PlatformError
from drystone.l10_engines.workflows.errors import PayloadTooLarge, PayloadUnreadable

T = TypeVar("T")

MOST_BYTES = 256 * 1024
"""Of one value as JSON. What is larger belongs into an object store, and its name into the journal."""

MOST_WORDS = 2000
"""Characters of an error's message that are kept."""

_encoder = msgspec.json.Encoder()


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why something did not work, fit to be kept for long and shown to everybody.

    Attributes:
        code: Of a platform's error (``service.Name``), or the name of another exception.
        message: The platform error's message, which holds no secret by its own promise. Of another exception only
            the place: what it says may quote anything.
        step: The step that failed, where it was one.
    """

    code: str
    message: str
    step: str = ""

    def sentence(self) -> str:
        """Say it in one line."""
        where = f"step {self.step}: " if self.step else ""
        return f"{where}{self.code}: {self.message}"


def encode(value: object, what: str) -> str:
    """Write a value as JSON.

    Args:
        value: Whatever msgspec writes.
        what: Names it in messages.

    Raises:
        PayloadTooLarge: It has more than :data:`MOST_BYTES`.
        PayloadUnreadable: JSON has no form for it.
    """
    try:
        written = _encoder.encode(value)
        text = written.decode()
    except (TypeError, ValueError, RecursionError) as e:  # the message may quote the value
        raise PayloadUnreadable(
            f"{what} is a {type(value).__name__} for which there is no JSON; give a Struct of plain values"
        ) from e
    if len(written) > MOST_BYTES:
        raise PayloadTooLarge(
            f"{what} has {len(written)} bytes as JSON and a journal keeps {MOST_BYTES}; put it into an object"
            " store and its name here"
        )
    return text


def decode(text: str, kind: type[T], what: str) -> T:
    """Read a value back.

    Raises:
        PayloadUnreadable: It is not of this type.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as e:
        raise PayloadUnreadable(
            f"{what} is in the journal and cannot be read as {getattr(kind, '__name__', kind)}: the code has another"
            " type than the one that wrote it; give changed code a new version"
        ) from e


def failure_of(error: BaseException, step: str = "") -> Failure:
    """Keep of an exception what may be kept."""
    if isinstance(error, PlatformError):
        return Failure(code=error.code(), message=error.message[:MOST_WORDS], step=step)
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    return Failure(code=type(error).__qualname__, message=f"raised at {place}", step=step)
