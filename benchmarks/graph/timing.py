"""How times are taken of what only computes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds of processor time that something takes, and what it gives."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result
