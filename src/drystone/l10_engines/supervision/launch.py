"""How an engine's process is started, and how long it is waited for."""

from __future__ import annotations

from datetime import timedelta

import msgspec


class Launch(msgspec.Struct, frozen=True):
    """How to start an engine's process.

    Attributes:
        command: Program and arguments.
        env: Its whole environment; nothing of the agent's own reaches it.
        user: Numeric user to run as; this process's own when None.
        group: Numeric group to run as.
    """

    command: tuple[str, ...]
    env: dict[str, str]
    user: int | None = None
    group: int | None = None


class Patience(msgspec.Struct, frozen=True):
    """How long an engine is waited for.

    Attributes:
        silence: How long it may say nothing at all while it starts.
        start: How long a start may take that shows signs of life, such as the replay of a log.
        stop: How long it may take to end when it is asked to.
        leftovers: How long its children may outlive its main process.
    """

    silence: timedelta = timedelta(seconds=30)
    start: timedelta = timedelta(minutes=10)
    stop: timedelta = timedelta(seconds=20)
    leftovers: timedelta = timedelta(seconds=5)
