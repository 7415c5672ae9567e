"""Where a sandbox keeps its platform, and what it remembers there.

::

    HOME/sandbox/        mark of a sandbox: without it, a home is that of a platform that must not be touched
        sandbox.json     name and workspace
        plan.json        how everything is served
        key              who has read it may open the dashboard
        attendant.json   the process that serves the dashboard
        mocks/NAME/      folder of a mock, deployed as any other service
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from drystone.l00_kernel.atomic import read_if_exists, write_atomically
from drystone.l00_kernel.home import Home
from drystone.l10_engines.processes.identity import ProcessId, is_alive
from drystone.l85_surfaces.sandbox.choices import Choice
from drystone.l85_surfaces.sandbox.errors import NoSandbox, NotASandbox

T = TypeVar("T")


class Identity(msgspec.Struct, frozen=True):
    """Which sandbox this is: its name, and the folder of its workspace."""

    name: str
    base: str


class Plan(msgspec.Struct, frozen=True):
    """What runs in a sandbox.

    Attributes:
        choices: How everything is served.
        resources: Types of the resources by service and name.
        variables: Names of the variables that hold settings of resources, by service.
        since: When that was decided.
    """

    choices: tuple[Choice, ...]
    resources: dict[str, dict[str, str]]
    variables: dict[str, list[str]]
    since: datetime


class Attendant(msgspec.Struct, frozen=True):
    """The process that serves the dashboard.

    Attributes:
        process: Which.
        port: Of 127.0.0.1.
        is_attached: Whether it ends, and takes the platform down, with the terminal that began it.
    """

    process: ProcessId
    port: int
    is_attached: bool


class Place:
    """The home of one sandbox. Making this object touches nothing.

    Args:
        home: The directory.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "sandbox"

    def claim(self, base: Path) -> None:
        """Make the home if there is none, and mark it as that of a sandbox.

        Raises:
            NotASandbox: A platform lives there, or a sandbox of other services.
            PlatformError: It cannot be a home.
        """
        found = self.identity()
        wanted = Identity(name_of(base), str(base))
        if found is not None:
            if found != wanted:
                raise NotASandbox(
                    f"{self.home} is the sandbox of {found.base}; choose another --home, or name that folder"
                )
            return
        self._require_free()
        Home.create(self.home)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        write_atomically(self.folder / "key", secrets.token_urlsafe(24).encode())
        (self.folder / "key").chmod(0o600)
        self._write("sandbox.json", wanted)

    def identity(self) -> Identity | None:
        """Return which sandbox lives here; None where none does."""
        return self._read("sandbox.json", Identity)

    def require(self) -> Identity:
        """Return which sandbox lives here.

        Raises:
            NoSandbox: None does.
        """
        found = self.identity()
        if found is None:
            raise NoSandbox(
                f"there is no sandbox in {self.home}; start one with `drystone sandbox`"
            )
        return found

    def plan(self) -> Plan | None:
        """Return what was decided last; None before."""
        return self._read("plan.json", Plan)

    def keep(self, plan: Plan) -> None:
        """Write down what was decided."""
        self._write("plan.json", plan)

    @property
    def key(self) -> str:
        """What opens the dashboard; a secret."""
        return (self.folder / "key").read_text()

    def attendant(self) -> Attendant | None:
        """Return the process that serves the dashboard; None where it does not run."""
        found = self._read("attendant.json", Attendant)
        return found if found is not None and is_alive(found.process) else None

    def last_port(self) -> int | None:
        """Return the port at which the dashboard was last."""
        found = self._read("attendant.json", Attendant)
        return None if found is None else found.port

    def introduce(self, attendant: Attendant) -> None:
        """Write down who serves the dashboard."""
        self._write("attendant.json", attendant)

    def dashboard(self) -> str | None:
        """Return the address of the dashboard with its key; None where nobody serves it."""
        found = self.attendant()
        return None if found is None else f"http://127.0.0.1:{found.port}/?key={self.key}"

    def _require_free(self) -> None:
        """Refuse the home of a platform that was ever started: it could be somebody's real one."""
        if (self.home / "home.json").exists() and (self.home / "run/agent.lock").exists():
            raise NotASandbox(
                f"{self.home} is the home of a platform and not of a sandbox; a sandbox has one of its own,"
                " so leave --home out or name an empty folder",
                home=str(self.home),
            )

    def _read(self, name: str, kind: type[T]) -> T | None:
        found = read_if_exists(self.folder / name)
        try:
            return None if found is None else msgspec.json.decode(found, type=kind)
        except msgspec.MsgspecError as e:
            raise NotASandbox(f"{self.folder / name} is damaged: {e}; remove it") from e

    def _write(self, name: str, value: object) -> None:
        write_atomically(self.folder / name, msgspec.json.encode(value))


def home_for(base: Path, environ: Mapping[str, str], *, is_root: bool) -> Path:
    """Return where the sandbox of a workspace lives, in the data folder of its user.

    That of root is in ``/var/lib``, as its platform is: PostgreSQL runs as another user, which may not enter ``/root``.

    Args:
        base: Of the workspace.
        environ: Variables of the user.
        is_root: Whether root asks.
    """
    folder = Path(environ.get("XDG_DATA_HOME") or Path("~/.local/share").expanduser(), "drystone")
    folder = Path("/var/lib/drystone-sandboxes") if is_root else folder / "sandboxes"
    return folder / f"{name_of(base)}-{hashlib.sha256(os.fsencode(base)).hexdigest()[:8]}"


def name_of(base: Path) -> str:
    """Return what the sandbox of a folder is called."""
    return re.sub(r"[^a-z0-9]+", "-", base.name.lower()).strip("-")[:40] or "sandbox"
