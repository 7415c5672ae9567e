"""Steps of something that takes a while: a line when each ends and, on a terminal, what runs now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from drystone.l00_kernel.visible import visible
from drystone.l85_surfaces.cli.terminal import Style

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from drystone.l85_surfaces.cli.terminal import Terminal

_NOTHING_YET = ""


class Steps:
    """Shows which steps run, with a spinner and the time so far, below the lines already written.

    A context manager; leaving it removes what is still shown as running. Until the platform says something, it
    shows that it waits for that.

    Args:
        out: Where to.
    """

    def __init__(self, out: Terminal) -> None:
        self._out = out
        self._running: dict[str, TaskID] = {}
        self._bars: Bars | None = None

    def __enter__(self) -> Self:
        if self._out.live:
            self._bars = _bars(colour=self._out.paint.colour)
            self._bars.start()
            self.began(_NOTHING_YET, "waiting for the platform")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars:
            self._bars.stop()

    def began(self, name: str, text: str) -> None:
        """Show a step as running; a step that runs already changes its text."""
        if not self._bars:
            return
        if name != _NOTHING_YET:
            self.ended(_NOTHING_YET)
        text = visible(text.partition("\n")[0])
        if name in self._running:
            self._bars.update(self._running[name], description=text)
        else:
            self._running[name] = self._bars.add_task(text, total=None)

    def ended(self, name: str) -> None:
        """Show a step no longer as running."""
        if self._bars and name in self._running:
            self._bars.remove_task(self._running.pop(name))

    def line(self, text: str) -> None:
        """Write a line that stays, above what runs."""
        self.ended(_NOTHING_YET)
        self._out.line(text)

    def mark(self, *, good: bool) -> str:
        """Return the sign that begins the line of an ended step."""
        paint = self._out.paint
        return paint("✓", Style.GOOD) if good else paint("✗", Style.BAD)


def _bars(*, colour: bool) -> Bars:
    from rich.console import Console  # noqa: PLC0415 - a tenth of a second, for terminals only
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.table import Column  # noqa: PLC0415

    return Progress(
        SpinnerColumn(finished_text=""),
        TextColumn(
            "{task.description}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
        TimeElapsedColumn(),
        console=Console(no_color=not colour),
        transient=True,
    )
