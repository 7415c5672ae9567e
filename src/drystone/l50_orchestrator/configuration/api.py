"""What configuration in files promises: nothing is done twice, nothing by halves without being told, nothing removed unasked."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator
from typing import ClassVar, Literal

import msgspec
from typing_extensions import override

from drystone.l00_kernel.contract import Api, Context, call
from drystone.l10_engines.postgres.errors import DatabaseUnavailable
from drystone.l50_orchestrator.configuration import errors


class File(msgspec.Struct, frozen=True):
    """One file.

    Attributes:
        path: Below the folder, with ``/``.
        text: What is in it.
    """

    path: str
    text: str

    @override
    def __repr__(self) -> str:
        return f"File({self.path!r}, {len(self.text)} characters)"


class StepView(msgspec.Struct, frozen=True):
    """One thing to do.

    Attributes:
        action: What.
        kind: To what: ``services``.
        name: To which.
        changes: What differs, ``team: 'money' → 'commerce'``; of a change alone.
    """

    action: Literal["create", "change", "remove"]
    kind: str
    name: str
    changes: tuple[str, ...] = ()


class ConfigurationPlan(msgspec.Struct, frozen=True):
    """What applying would do.

    Attributes:
        steps: In their order.
        words: What to give as ``confirm``, since something would be removed; empty when nothing would.
    """

    steps: tuple[StepView, ...]
    words: str = ""


class Applied(msgspec.Struct, frozen=True):
    """How far it is.

    Attributes:
        state: Whether another apply has to end first, or a step is done, or all are.
        number: How many steps are done.
        of: How many there are.
        step: The one that was done last; None for the other states.
    """

    state: Literal["waiting", "done", "finished"]
    number: int = 0
    of: int = 0
    step: StepView | None = None


class ConfigurationApi(Api):
    """Bring the orchestrator to what files say.

    Files are mappings of kinds (``teams``, ``environments``, ``services`` and so on) to names to items. What stands in no file is
    left alone, unless ``prune`` is asked for: then everything else of the kinds that the files mention is removed.
    """

    name: ClassVar[str] = "configuration"
    errors = (
        errors.FilesRefused,
        errors.RemovalNotConfirmed,
        errors.ApplyStopped,
        errors.AppliedElsewhere,
        DatabaseUnavailable,
    )

    @call("POST", "/v1/configuration/plan")
    @abc.abstractmethod
    async def plan(
        self, ctx: Context, *, files: list[File], prune: bool = False
    ) -> ConfigurationPlan:
        """Tell what applying would do, and do nothing.

        Raises:
            FilesRefused: They have mistakes; the message shows all of them with file, line and column.
        """

    @call("POST", "/v1/configuration/apply")
    @abc.abstractmethod
    def apply(
        self, ctx: Context, *, files: list[File], prune: bool = False, confirm: str = ""
    ) -> AsyncIterator[Applied]:
        """Bring everything to what the files say, step by step.

        Of several that apply at once one does, and the others wait. Each step asks whether the caller may.

        Args:
            ctx: Who asks.
            files: All of them.
            prune: Remove what the files do not have, of the kinds that they mention.
            confirm: The words of the plan, where something is removed.

        Raises:
            FilesRefused: They have mistakes; nothing was done.
            RemovalNotConfirmed: Something would be removed, and ``confirm`` has other words; nothing was done.
            ApplyStopped: A step failed. The message says why, how many are done, and what is left.
            AppliedElsewhere: Another apply did not end within ten minutes.
        """
