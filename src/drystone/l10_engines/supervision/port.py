"""What the platform asks of an engine, whether it runs here or elsewhere."""

from __future__ import annotations

import abc
import enum

import msgspec


class EngineState(enum.StrEnum):
    """What is known of an engine."""

    STOPPED = "stopped"
    """Nobody asked for it."""
    STARTING = "starting"
    """It runs, or is about to; nobody has seen it answer yet."""
    READY = "ready"
    """It answered, and has not ended since."""
    FAILED = "failed"
    """It was asked for and does not run."""
    EXTERNAL = "external"
    """It is somebody else's; the platform only connects to it."""


class EngineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A report on one engine; holds no secret.

    Attributes:
        name: The engine's name among all engines of one home.
        state: What is known of it.
        version: What the engine says of itself; None before it was asked.
        pid: Its main process; None when it does not run here.
        endpoint: ``host:port`` on which it serves its clients; empty when not known.
        memory_limit: The bound in bytes that it was given; None when it has none from us.
        directory: Where it keeps its data, log and record; empty for an external one.
        restarts: How often its process was started again, as seen by this object.
        last_error: Why the latest start failed; empty after one that worked.
    """

    name: str
    state: EngineState
    version: str | None = None
    pid: int | None = None
    endpoint: str = ""
    memory_limit: int | None = None
    directory: str = ""
    restarts: int = 0
    last_error: str = ""


class Engine(abc.ABC):
    """One engine: a database server, an object store, a cache.

    An engine that runs here outlives the process that started it: another ``Engine`` over the same
    directory finds it and takes it over.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abc.abstractmethod
    async def start(self) -> None:
        """Return when the engine answers: adopt it if it runs, start it if not. Idempotent.

        Raises:
            EngineFailed: It cannot start or does not answer; the message holds the last lines of its
                log and what to do.
        """

    @abc.abstractmethod
    async def stop(self) -> None:
        """End the engine cleanly and within bounds, so that nothing of it runs on return. Idempotent."""

    @abc.abstractmethod
    async def is_ready(self) -> bool:
        """Tell, by its own protocol and within a second, whether it serves clients now."""

    async def is_responsive(self) -> bool:
        """Tell whether it is worth waiting for: ready, or busy with becoming so.

        A database that replays its log is responsive and not ready; killing it would only make it
        begin again.
        """
        return await self.is_ready()

    async def keep_reserve(self) -> None:
        """Set aside again, where there is room, what was given up on a full disk; called every few seconds."""
        return

    @abc.abstractmethod
    async def wait(self) -> str:
        """Return how the engine's process ended, once it has.

        An external engine's process is nobody's business here: this then never returns.
        """

    @abc.abstractmethod
    def status(self) -> EngineStatus:
        """Return what is known, without asking the engine."""
