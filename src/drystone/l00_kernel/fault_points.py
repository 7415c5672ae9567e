"""Named places at which a test may make the platform fail; nothing happens there unless it is asked for.

What is promised of a crash can be held only to a crash at a known place. So every step of what the platform does
declares its places at module level, where all can be listed, and passes them by a call that does nothing::

    SWITCH_WRITTEN = FaultPoint("deploy.switch.written", "the record names the new release, the edge does not")
    …
    SWITCH_WRITTEN.reach()

A process that was started with the variable ``DRYSTONE_FAULT`` has faults at some of them. Its value is a list,
separated by commas, of ``NAME:EFFECT``, with ``@N`` behind it for the N-th time that the place is reached:

* ``kill`` ends the process by SIGKILL;
* ``fail`` raises what a full disk raises, at places before something is written;
* ``stall`` holds the whole process for ten seconds, ``stall=2.5`` for two and a half;
* ``*:note`` fails nothing and writes the name of each place that is reached into ``run/faults-reached``.

A fault happens once in the life of a home: ``run/faults-fired`` remembers it, so that whoever takes over from a killed
process, with the same environment, does not die at the same place for ever. Removing the file arms it again.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

from drystone.l00_kernel.errors import Invalid

VARIABLE = "DRYSTONE_FAULT"
FIRED, REACHED = "faults-fired", "faults-reached"
EFFECTS = ("kill", "fail", "stall", "note")
EVERYWHERE = "*"
STALL_S = 10.0

_NAME = re.compile(r"[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*){2}")
_WISH = re.compile(
    r"(?P<name>[^:@=]*):(?P<effect>[^:@=]*)(=(?P<seconds>\d+(\.\d+)?))?(@(?P<nth>[1-9]\d*))?"
)
_declared: dict[str, FaultPoint] = {}
_said: list[str] = []


class FaultRefused(Invalid):
    """The variable DRYSTONE_FAULT asks for a fault that does not exist."""


class FaultPoint:
    """One place at which a fault may happen.

    Args:
        name: ``operation.step.moment``; stable, since tests and people use it. No two points share one.
        meaning: What is true when it is reached.
        writes: Whether something is written next, which a full disk prevents; only then may it ``fail``.
    """

    __slots__ = ("_fault", "meaning", "name", "writes")

    def __init__(self, name: str, meaning: str, *, writes: bool = False) -> None:
        if not _NAME.fullmatch(name) or name in _declared:
            raise ValueError(f"{name!r} is not operation.step.moment, or another point's name")
        self.name = name
        self.meaning = meaning
        self.writes = writes
        self._fault: _Fault | None = None
        _declared[name] = self

    def reach(self) -> None:
        """Pass by; where a fault is armed, suffer it.

        Raises:
            OSError: The fault is to ``fail``: no space left on the device.
        """
        if self._fault is not None:
            self._fault.reached(self.name)


class _Fault:
    """What one wish does when its place is reached."""

    def __init__(self, wish: str, run: Path, tell: Callable[[str], None]) -> None:
        found = _WISH.fullmatch(wish)
        if found is None or found["effect"] not in EFFECTS:
            raise FaultRefused(
                f"{VARIABLE}: {wish!r} is not NAME:EFFECT, with @N behind it for the N-th time;"
                f" effects are {', '.join(EFFECTS)}"
            )
        self.wish = wish
        self.name = found["name"]
        self.effect = found["effect"]
        self._seconds = float(found["seconds"] or STALL_S)
        self._left = int(found["nth"] or 1)
        self._run = run
        self._tell = tell

    def points(self) -> list[FaultPoint]:
        """Return the places concerned.

        Raises:
            FaultRefused: There is no such place, or it cannot have this fault.
        """
        if (self.name == EVERYWHERE) != (self.effect == "note"):
            raise FaultRefused(f"{VARIABLE}: {self.wish!r}: only {EVERYWHERE}:note is everywhere")
        if self.name == EVERYWHERE:
            return declared()
        if (point := _declared.get(self.name)) is None:
            near = difflib.get_close_matches(self.name, _declared, n=3, cutoff=0.5)
            known = f"near it are: {', '.join(near)}" if near else "docs/reference/fault-points.md"
            raise FaultRefused(f"{VARIABLE}: there is no fault point {self.name!r}; {known}")
        if self.effect == "fail" and not point.writes:
            raise FaultRefused(
                f"{VARIABLE}: nothing is written next at {self.name}, so it cannot fail"
            )
        return [point]

    def has_fired(self) -> bool:
        """Tell whether it happened before, in this home."""
        try:
            return self.wish in (self._run / FIRED).read_text().splitlines()
        except FileNotFoundError:
            return False

    def reached(self, name: str) -> None:
        if self.effect == "note":
            _append(self._run / REACHED, name)
            return
        self._left -= 1
        if self._left:
            return
        _append(self._run / FIRED, self.wish)
        self._tell(f"fault {self.wish}")
        if self.effect == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.effect == "stall":
            time.sleep(self._seconds)
        else:
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} (fault {self.wish})")


def of_agent() -> list[FaultPoint]:
    """Return the points of the agent that its drill goes through: the others have tests of their own, or other keepers."""
    others = ("testing.", "data.", "workflow.", "backup.", "rotate.", "job.")
    return [point for point in declared() if not point.name.startswith(others)]


def declared() -> list[FaultPoint]:
    """Return every point of the modules that have been imported, by name."""
    return [_declared[name] for name in sorted(_declared)]


def arm(wishes: str, run: Path, tell: Callable[[str], None]) -> list[str]:
    """Arm the faults of a variable's value, in place of those that were armed before.

    Args:
        wishes: The value; empty for none.
        run: The folder ``run`` of the home, which exists.
        tell: Hears of each fault before it happens.

    Returns:
        A sentence on each fault, for whoever looks at the platform's state.

    Raises:
        FaultRefused: It names what there is not; nothing is armed.
    """
    faults = [_Fault(wish.strip(), run, tell) for wish in wishes.split(",") if wish.strip()]
    pairs = [(fault, fault.points()) for fault in faults]
    disarm()
    for fault, points in pairs:
        fired = fault.has_fired()
        for point in () if fired else points:
            point._fault = fault  # noqa: SLF001 - of this module
        state = f"has happened and will not again ({run / FIRED})" if fired else "is armed"
        _said.append(f"the fault {fault.wish} {state}; {VARIABLE} is for tests, start without it")
    return remarks()


def remarks() -> list[str]:
    """Return a sentence on each fault that this process was started with."""
    return list(_said)


def disarm() -> None:
    """Take all faults away."""
    _said.clear()
    for point in _declared.values():
        point._fault = None  # noqa: SLF001 - of this module


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)
