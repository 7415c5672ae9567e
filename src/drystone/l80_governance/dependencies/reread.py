"""Files that people change while the view runs: each is read anew when it has changed."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from drystone.l00_kernel.errors import Invalid, Unavailable

Value = TypeVar("Value")


class Reread(Generic[Value]):
    """What a file says.

    Args:
        path: Of the file.
        make: Reads its content.
        most: It has so many bytes at most.
        missing: What is said while there is no file; without it, a file has to be there.
    """

    def __init__(
        self, path: Path, make: Callable[[bytes], Value], *, most: int, missing: Value | None = None
    ) -> None:
        self._path = path
        self._make = make
        self._most = most
        self._missing = missing
        self._seen: tuple[int, int, int] | None = None
        self._value: Value | None = None
        self._reading = threading.Lock()

    def value(self) -> Value:
        """Return what it says now.

        Raises:
            Invalid: It is too large, or what ``make`` raises.
            Unavailable: It cannot be read.
        """
        with self._reading:
            try:
                return self._current()
            except FileNotFoundError as e:
                self._seen = None
                if self._missing is not None:
                    return self._missing
                raise Unavailable(f"{self._path} is not there; put it back, or end the view") from e
            except OSError as e:
                self._seen = None
                raise Unavailable(f"{self._path} cannot be read: {e.strerror}") from e

    def _current(self) -> Value:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._value is None or seen != self._seen:
                content = file.read(self._most + 1)
                if len(content) > self._most:
                    raise Invalid(f"{self._path} has more than {self._most:,} bytes; divide it")
                self._value = self._make(content)
                self._seen = seen
        return self._value
