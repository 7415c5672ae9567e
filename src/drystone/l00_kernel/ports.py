"""Soft ports: what a service uses when it is there and does well without.

Each has a driver that does nothing, which is the default. They are handed to constructors, never reached
through a global, so that a service's constructor tells what it touches. Field values are plain: text,
numbers, truth values; never a secret.
"""

from __future__ import annotations

import abc
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal, TypeAlias

from typing_extensions import override

if TYPE_CHECKING:
    from drystone.l00_kernel.context import Context

Field: TypeAlias = str | int | float | bool | None
Level: TypeAlias = Literal["debug", "info", "warning", "error"]


class Log(abc.ABC):
    """Records of what happened, for people who look later."""

    @abc.abstractmethod
    def write(
        self, level: Level, event: str, *, error: BaseException | None = None, **fields: Field
    ) -> None:
        """Record an event; never raises and never waits.

        Args:
            level: How much it matters.
            event: What happened, the same words each time; what differs goes into the fields.
            error: The exception behind it; its traceback is recorded.
            fields: What it concerns.
        """

    def debug(self, event: str, **fields: Field) -> None:
        """Record what only a developer wants to know."""
        self.write("debug", event, error=None, **fields)

    def info(self, event: str, **fields: Field) -> None:
        """Record something expected."""
        self.write("info", event, error=None, **fields)

    def warning(self, event: str, *, error: BaseException | None = None, **fields: Field) -> None:
        """Record something unexpected that was dealt with."""
        self.write("warning", event, error=error, **fields)

    def error(self, event: str, *, error: BaseException | None = None, **fields: Field) -> None:
        """Record something that somebody must look at."""
        self.write("error", event, error=error, **fields)


class NullLog(Log):
    """Records nothing."""

    @override
    def write(
        self, level: Level, event: str, *, error: BaseException | None = None, **fields: Field
    ) -> None:
        pass


class Metrics(abc.ABC):
    """Numbers over time. Names are dotted words; labels have few different values."""

    @abc.abstractmethod
    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Add to something that only grows."""

    @abc.abstractmethod
    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Tell how much there is of something now."""

    @abc.abstractmethod
    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add one sample to a distribution; durations are in seconds."""


class NullMetrics(Metrics):
    """Counts nothing."""

    @override
    def count(self, name: str, by: int = 1, **labels: str) -> None:
        pass

    @override
    def gauge(self, name: str, value: float, **labels: str) -> None:
        pass

    @override
    def observe(self, name: str, value: float, **labels: str) -> None:
        pass


class Trace(abc.ABC):
    """Which piece of work belongs to which request."""

    @abc.abstractmethod
    def span(self, name: str, **fields: Field) -> AbstractContextManager[None]:
        """Enclose a piece of work; an exception that leaves it marks it as failed."""


class NullTrace(Trace):
    """Traces nothing."""

    @override
    def span(self, name: str, **fields: Field) -> AbstractContextManager[None]:
        return nullcontext()


class Flags(abc.ABC):
    """Switches that people turn while the platform runs."""

    @abc.abstractmethod
    def is_on(self, flag: str, *, otherwise: bool, **subject: str) -> bool:
        """Tell whether a flag is on for a subject.

        Args:
            flag: Its name.
            otherwise: The answer where the flag is unknown or nobody can be asked.
            subject: Whom it is about, for example ``tenant="t-1"``.
        """


class NullFlags(Flags):
    """Knows no flag."""

    @override
    def is_on(self, flag: str, *, otherwise: bool, **subject: str) -> bool:
        return otherwise


class Audit(abc.ABC):
    """Who changed what."""

    @abc.abstractmethod
    async def record(self, ctx: Context, action: str, subject: str, **fields: Field) -> None:
        """Record a change before it is answered.

        Args:
            ctx: Who asked for it.
            action: What was done, for example ``service.destroy``.
            subject: To what; an ARI where there is one.
            fields: Further particulars.
        """


class NullAudit(Audit):
    """Keeps no record."""

    @override
    async def record(self, ctx: Context, action: str, subject: str, **fields: Field) -> None:
        pass
