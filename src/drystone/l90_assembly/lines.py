"""The platform's own log as lines, one JSON object each."""

from __future__ import annotations

import traceback
from contextlib import suppress
from typing import TextIO

import msgspec
from typing_extensions import override

from drystone.l00_kernel.clock import Clock
from drystone.l00_kernel.ports import Field, Level, Log


class LineLog(Log):
    """Writes each record as a line; everything but debug records.

    A line for which there is no room is lost: nothing that is reported may fail because the report does.

    Args:
        out: Where to.
        clock: Tells when.
    """

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._out = out
        self._clock = clock

    @override
    def write(
        self, level: Level, event: str, *, error: BaseException | None = None, **fields: Field
    ) -> None:
        if level == "debug":
            return
        record: dict[str, object] = {"at": self._clock.now(), "level": level, "event": event}
        record |= fields
        if error is not None:
            record["error"] = str(error)
            record["trace"] = "".join(traceback.format_exception(error))
        with suppress(OSError):
            self._out.write(msgspec.json.encode(record).decode() + "\n")
            self._out.flush()
