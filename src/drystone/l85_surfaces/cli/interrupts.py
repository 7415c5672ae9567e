"""Ctrl-C during something that should not simply be dropped."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def first_interrupt() -> Iterator[asyncio.Event]:
    """Turn the first Ctrl-C into an event; the second cancels the task that entered.

    Yields:
        The event. Whoever enters decides what the first Ctrl-C means; after the second, the task sees
        ``KeyboardInterrupt``.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    pressed = asyncio.Event()
    left = False

    def press() -> None:
        nonlocal left
        if pressed.is_set():
            left = True
            if task:
                task.cancel()
        pressed.set()

    loop.add_signal_handler(signal.SIGINT, press)
    try:
        yield pressed
    except asyncio.CancelledError as e:
        if left:
            raise KeyboardInterrupt from e
        raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
