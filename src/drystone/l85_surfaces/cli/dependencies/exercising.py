"""Exercises that people play: what is typed becomes steps, and the file keeps the state after each.

The file is written before the next line is read, so that an exercise survives whatever happens to the terminal, and goes on
another day where it ended.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from drystone.l00_kernel.atomic import write_atomically
from drystone.l00_kernel.errors import PlatformError
from drystone.l05_graph.disaster import Disaster, PeopleChange, TakesLonger
from drystone.l05_graph.exercise import Facilitator
from drystone.l05_graph.exercise_state import (
    Action,
    Advance,
    Begin,
    Done,
    Exercise,
    Failed,
    Inject,
)
from drystone.l05_graph.forms.values import Unfit, duration, number
from drystone.l05_graph.model import Model
from drystone.l85_surfaces.cli.errors import FileUnreadable, Misuse
from drystone.l85_surfaces.cli.terminal import Terminal, is_terminal
from drystone.l85_surfaces.cli.views.deps import exercise as views

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_BYTES = 64 * 1024 * 1024


def lead(model: Model, disaster: Disaster, file: str, *, json: bool) -> int:
    """Lead through an exercise: read steps from standard input until they end.

    Args:
        model: The components.
        disaster: What is lost, when the exercise begins.
        file: Where the state is kept; an exercise that is there goes on.
        json: Whether to tell a machine the state in the end, and nobody the steps.

    Returns:
        The exit code.

    Raises:
        FileUnreadable: The file is there and is no exercise.
        ModelInvalid: Model and disaster do not fit together.
        OtherModel: The exercise was begun with another model.
    """
    path, out = Path(file), Terminal(json=json)
    state = _kept(path)
    game = _Game(Facilitator(model, disaster if state is None else state.disaster), model, out)
    game.begin(path, state)
    asks = is_terminal(sys.stdin) and out.live
    for line in _lines(asks=asks):
        if not game.typed(line):
            break
    out.document(game.state)
    out.line(f"the exercise is kept in {path}; the same command goes on with it")
    return 0


def _lines(*, asks: bool) -> Iterable[str]:
    while True:
        if asks:
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line


def _kept(path: Path) -> Exercise | None:
    """Return the exercise of a file; None when there is no file."""
    try:
        with path.open("rb") as opened:
            written = opened.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise FileUnreadable(f"{path} cannot be read: {e.strerror}", file=str(path)) from e
    try:
        return msgspec.json.decode(written, type=Exercise)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise FileUnreadable(
            f"{path} holds no exercise ({e}); name a file that is not there to begin one",
            file=str(path),
        ) from e


class _Game:
    """One exercise at one terminal."""

    def __init__(self, facilitator: Facilitator, model: Model, out: Terminal) -> None:
        self._facilitator, self._model, self._out = facilitator, model, out
        self._path = Path()
        self.state = facilitator.begin()
        self._verbs: dict[str, Callable[[list[str]], Action]] = {
            "begin": _begin,
            "go": _advance,
            "done": lambda words: Done(component=_one(words, "done COMPONENT")),
            "failed": lambda words: Failed(component=_one(words, "failed COMPONENT")),
            "people": _people,
            "longer": _longer,
        }

    def begin(self, path: Path, kept: Exercise | None) -> None:
        """Begin, or go on with what was kept."""
        self._path = path
        if kept is not None:
            # Playing what was done again finds out whether it fits the model.
            self._facilitator.step(kept, Advance(by=views.NOTHING))
            self.state = self._facilitator.replay(kept.actions)
        self._keep()
        self._out.lines(views.state(self._facilitator, self.state, self._out.paint))
        self._out.lines(views.HELP)

    def typed(self, line: str) -> bool:
        """Do what somebody typed; False when the exercise shall end."""
        words = line.split()
        verb, rest = (words[0].lower(), words[1:]) if words else ("go", [])
        before = len(self.state.log)
        try:
            match verb:
                case "quit" | "exit":
                    return False
                case "help" | "?":
                    self._out.lines(views.HELP)
                case "show":
                    self._out.lines(
                        views.state(self._facilitator, self.state, self._out.paint, show_all=True)
                    )
                case "log":
                    self._out.lines(views.log(self.state.log))
                case "undo":
                    self.state = self._facilitator.undo(self.state)
                    self._keep()
                    self._show(len(self.state.log))
                case _:
                    self._step(verb, rest)
                    self._show(before)
        except (PlatformError, Unfit) as e:
            said = e.message if isinstance(e, PlatformError) else str(e)
            self._out.lines(views.refused(said, self._out.paint))
        return True

    def _step(self, verb: str, words: list[str]) -> None:
        make = self._verbs.get(verb)
        if make is None:
            raise Misuse(f"there is no step '{verb}'; type help to see them")
        self.state = self._facilitator.step(self.state, make(words))
        self._keep()

    def _show(self, before: int) -> None:
        self._out.lines(views.log(self.state.log[before:]))
        self._out.lines(views.state(self._facilitator, self.state, self._out.paint))

    def _keep(self) -> None:
        try:
            write_atomically(self._path, msgspec.json.encode(self.state))
        except OSError as e:
            why = os.strerror(e.errno) if e.errno else str(e)
            raise FileUnreadable(f"{self._path} cannot be written: {why}") from e


def _one(words: list[str], form: str) -> str:
    if len(words) != 1:
        raise Misuse(f"type {form}")
    return words[0]


def _begin(words: list[str]) -> Begin:
    by_hand = words[1:] in (["by", "hand"], ["!"])
    if not words or (len(words) > 1 and not by_hand):
        raise Misuse("type begin COMPONENT, or begin COMPONENT by hand")
    return Begin(component=words[0], by_hand=by_hand)


def _advance(words: list[str]) -> Advance:
    if len(words) > 1:
        raise Misuse("type go, or go TIME such as go 30m")
    return Advance(by=duration(words[0]) if words else None)


def _people(words: list[str]) -> Inject:
    if len(words) < 2:
        raise Misuse("type people CREW +1, or people CREW -1")
    by = words[-1]
    try:
        change = int(by)
    except ValueError:
        raise Misuse(f"people change by a whole number, not by '{by}'") from None
    if abs(change) > 10_000:
        raise Misuse(f"{change} people are more than any crew has")
    return Inject(event=PeopleChange(at=views.NOTHING, crew=" ".join(words[:-1]), by=change))


def _longer(words: list[str]) -> Inject:
    if len(words) != 2:
        raise Misuse("type longer COMPONENT FACTOR, such as longer database 2")
    return Inject(event=TakesLonger(at=views.NOTHING, component=words[0], factor=number(words[1])))
