"""The directory in which one platform lives, and what lies where in it.

::

    home.json     format of this directory, and the path at which it was used last
    settings.toml what its owner decided; may be written before anything else exists
    run/          locks, process records, logs of keeper and agent, and the sockets where their paths fit
    sockets       link to the sockets where they do not: a socket's path has at most 107 bytes (unix(7))
    engines/ services/ instances/ artifacts/ volumes/ secrets/ trust/ downloads/ dependencies/ sources/ usage/
    jobs/ functions/  how runs of jobs stand, and how far functions have come with streams
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

import msgspec
from typing_extensions import override

from drystone.l00_kernel.atomic import PARTIAL, read_if_exists, write_atomically
from drystone.l00_kernel.errors import Conflict, Invalid, NotFound
from drystone.l00_kernel.ownership import require_safe_file, require_safe_place

FORMAT = 2
"""Of the directory's layout; raised when an older platform could no longer read it.

1: records named files by absolute paths. 2: by paths relative to the home, and ``home.json`` names its place.
"""

FORMAT_FILE = "home.json"
SOCKET_PATH_LIMIT = 107
_LONGEST_SOCKET_NAME = 24
_OWNER = "home"
"""In a folder of sockets outside a home: the path of the home to which it belongs."""

_BEFORE_CREATION = frozenset({"run", "settings.toml"})
"""What may lie in a directory that becomes a home: its owner's settings, and the lock of a keeper."""


class NoHome(NotFound):
    """No platform was ever started in this directory."""


class NotAHome(Conflict):
    """The directory holds something else."""


class NewerHome(Conflict):
    """The home was written by a newer version of the platform."""


class HomeUnusable(Invalid):
    """The directory cannot be made or written."""


class SocketPathTooLong(Invalid):
    """The path is too long for a socket."""


class HomeFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    """What ``home.json`` says.

    Attributes:
        format: Of the directory's layout.
        place: The path, without links, at which it was last made ready for use; None when nobody knows.
    """

    format: int
    place: str | None = None


class Home:
    """Where one platform keeps everything.

    Making this object touches nothing; :meth:`create` makes the directory and :meth:`open` checks it.

    Args:
        path: The directory; made absolute, links are kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links

    @override
    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Home) and other.path == self.path

    @override
    def __hash__(self) -> int:
        return hash(self.path)

    @classmethod
    def create(cls, path: Path, *, sockets_in: Path = Path("/tmp")) -> Home:  # noqa: S108 - short, and the folder made there is private
        """Make a home, or open the one that is there; what is missing in it is made.

        Its own user alone may enter it. Where root runs the platform, others may pass through it and
        ``engines``, because engines that refuse to run as root lie below.

        Args:
            path: The directory; its parents are made.
            sockets_in: Where the sockets go if the home's own path is too long for them.

        Raises:
            NotAHome: The directory holds something else.
            NewerHome: A newer platform wrote it.
            HomeUnusable: The directory cannot be made or written.
            OthersCanWrite: Another user could put something else in its place, or has put something in.
        """
        home = cls(path)
        home._refuse_foreign()
        home._refuse_unsafe()
        try:
            home._make(sockets_in)
        except OSError as e:
            reason = (
                f"{home.path} is on a read-only file system ({e.filename}); find out why, make it writable"
                " and start again"
                if e.errno == errno.EROFS
                else f"{home.path} cannot be a home: {e.strerror} ({e.filename});"
                " choose a directory that you may write"
            )
            raise HomeUnusable(reason, home=str(home.path)) from e
        return home

    def _make(self, sockets_in: Path) -> None:
        passable = 0o711 if os.geteuid() == 0 else 0o700
        _make_folder(self.path, passable)
        # First of all, so that a creation that is interrupted leaves a home and no foreign directory.
        if read_if_exists(self._format_file) is None:
            self.settle()
        for folder in (self.run, self.services, self.instances, self.artifacts):
            _make_folder(folder, 0o700)
        for folder in (self.volumes, self.secrets, self.downloads):
            _make_folder(folder, 0o700)
        if self.settings_file.exists():
            self.settings_file.chmod(0o600)  # it may hold passwords
        _make_folder(self.engines, passable)
        self._make_sockets(sockets_in)

    @classmethod
    def open(cls, path: Path) -> Home:
        """Return the home at a path.

        Raises:
            NoHome: There is none.
            NotAHome: The directory holds something else.
            NewerHome: A newer platform wrote it.
        """
        home = cls(path)
        home._refuse_foreign()
        if not home._format_file.exists():
            raise NoHome(f"there is no platform in {home.path}; start one with `drystone up`")
        return home

    @property
    def real(self) -> Path:
        """Where the directory lies, whatever links lead there."""
        return self.path.resolve()

    def written(self) -> HomeFormat:
        """Return which format the home has and where it was used last.

        Raises:
            NoHome: There is none.
            NotAHome: What says so is damaged.
        """
        found = read_if_exists(self._format_file)
        if found is None:
            raise NoHome(f"there is no platform in {self.path}; start one with `drystone up`")
        try:
            return msgspec.json.decode(found, type=HomeFormat)
        except msgspec.MsgspecError as e:
            raise NotAHome(
                f'{self._format_file} is damaged; it should be {{"format": {FORMAT}}}, or the number'
                " that a copy of this home has there"
            ) from e

    def settle(self) -> None:
        """Write down that the home has the present format and that all in it fits the path at which it lies."""
        written = HomeFormat(FORMAT, str(self.real))
        write_atomically(self._format_file, msgspec.json.encode(written))

    @property
    def settings_file(self) -> Path:
        """What the owner decided; need not exist."""
        return self.path / "settings.toml"

    @property
    def run(self) -> Path:
        """Locks, process records and the logs of keeper and agent."""
        return self.path / "run"

    @property
    def label(self) -> str:
        """Names the home on this machine: its processes, groups and containers carry it."""
        return hashlib.sha256(os.fsencode(self.real)).hexdigest()[:16]

    @property
    def networks(self) -> Path:
        """A file per network of a service, on which it is mounted. Made when the first service gets one.

        It does not lie in the home, which can then be copied and removed like any other directory.
        """
        return Path("/run/drystone", self.label)

    @property
    def engines(self) -> Path:
        """A folder per engine."""
        return self.path / "engines"

    @property
    def services(self) -> Path:
        """A folder per environment, in it one per service: stack documents, releases, history."""
        return self.path / "services"

    @property
    def instances(self) -> Path:
        """A folder per instance."""
        return self.path / "instances"

    @property
    def artifacts(self) -> Path:
        """A folder per artifact, by its digest."""
        return self.path / "artifacts"

    @property
    def volumes(self) -> Path:
        """A folder per volume."""
        return self.path / "volumes"

    @property
    def usage(self) -> Path:
        """A document per month: for how long what was there."""
        return self.path / "usage"

    @property
    def secrets(self) -> Path:
        """Credentials that the platform made; for nobody else's eyes."""
        return self.path / "secrets"

    @property
    def trust(self) -> Path:
        """Certificates and service keys; for nobody else's eyes. Made when the first service gets a key."""
        return self.path / "trust"

    @property
    def downloads(self) -> Path:
        """Packages that were fetched for a build, for the next one."""
        return self.path / "downloads"

    @property
    def access_log(self) -> Path:
        """Where the edge writes a line for each request; what it wrote before lies beside it, as ``access.log.1``."""
        return self.run / "access.log"

    @property
    def dependencies(self) -> Path:
        """What people keep about dependencies: versions of the model, and evidence. Made by the first who writes there."""
        return self.path / "dependencies"

    @property
    def evidence(self) -> Path:
        """What traffic showed, as far as somebody has imported it; :mod:`drystone.l05_graph.forms.evidence` describes it."""
        return self.dependencies / "evidence.jsonl"

    @property
    def agent_socket(self) -> Path:
        """Where the agent answers."""
        return self.socket("agent.sock")

    @property
    def xds_socket(self) -> Path:
        """Where the agent tells the edge its routes."""
        return self.socket("xds.sock")

    def socket(self, name: str) -> Path:
        """Return the path of a socket, short enough to be one once the home was created.

        Raises:
            SocketPathTooLong: The name is longer than the 24 bytes that are kept free for it.
        """
        if len(os.fsencode(name)) > _LONGEST_SOCKET_NAME:
            raise SocketPathTooLong(
                f"{name!r} is longer than {_LONGEST_SOCKET_NAME} bytes; choose a shorter name",
                name=name,
            )
        return self._sockets / name

    @property
    def _format_file(self) -> Path:
        return self.path / FORMAT_FILE

    @property
    def _link(self) -> Path:
        return self.path / "sockets"

    @property
    def _sockets(self) -> Path:
        try:
            folder = self._link.readlink()
        except OSError:  # no link, or no home yet: then nobody listens there
            return self.run
        # The link of a copy leads to the sockets of the original.
        return folder if self._owns(folder) else self.run

    def _owns(self, folder: Path) -> bool:
        """Tell whether a folder is private, and holds sockets of this very home."""
        if not _is_private(folder, self.path.stat().st_uid):
            return False
        return read_if_exists(folder / _OWNER) == os.fsencode(self.real)

    def _refuse_foreign(self) -> None:
        """Refuse a directory that holds something else; an empty or missing one may become a home."""
        try:
            found = read_if_exists(self._format_file)
            entries = {entry.name for entry in self.path.iterdir()} if self.path.exists() else set()
        except NotADirectoryError as e:
            raise NotAHome(f"{self.path} is no directory; choose another home") from e
        if found is None:
            if others := sorted(e for e in entries - _BEFORE_CREATION if not e.startswith(PARTIAL)):
                raise NotAHome(
                    f"{self.path} is not a platform's home: it holds {', '.join(others[:3])}"
                    f"{' …' if len(others) > 3 else ''}; choose an empty or new directory",
                    home=str(self.path),
                )
            return
        written = self.written().format
        if written > FORMAT:
            raise NewerHome(
                f"{self.path} was written by a newer platform (format {written}, this one knows {FORMAT}); "
                "install that version or choose another home",
                home=str(self.path),
            )

    def _refuse_unsafe(self) -> None:
        """Refuse a directory that others could replace, or could have put something into."""
        require_safe_place(self.path)
        if self.path.exists():
            for entry in self.path.iterdir():
                if (
                    entry != self._link
                ):  # that one leads out of the home, and is judged when it is used
                    require_safe_file(entry)

    def _make_sockets(self, elsewhere: Path) -> None:
        """See to it that sockets have a folder with a short path, in the home where that fits."""
        if len(os.fsencode(self.run)) + 1 + _LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
            return
        if self._link.is_symlink():
            former = self._link.readlink()
            if self._owns(former):
                return
            _remove_orphaned(former)
        # The name is new each time, so that nobody else can have made the folder before.
        folder = Path(tempfile.mkdtemp(prefix="drystone-", dir=elsewhere))
        if len(os.fsencode(folder)) + 1 + _LONGEST_SOCKET_NAME > SOCKET_PATH_LIMIT:
            folder.rmdir()
            raise SocketPathTooLong(f"{elsewhere} is too long for sockets; choose a shorter folder")
        folder.chmod(0o700)  # whatever the umask
        (folder / _OWNER).write_bytes(os.fsencode(self.real))
        (folder / _OWNER).chmod(0o600)
        self._link.unlink(missing_ok=True)
        self._link.symlink_to(folder)


def _make_folder(folder: Path, mode: int) -> None:
    for parent in reversed(folder.parents):
        if not parent.exists():  # whatever the umask: others may pass, as is usual, and not write
            parent.mkdir(mode=0o755, exist_ok=True)
            parent.chmod(0o755)
    folder.mkdir(mode=mode, exist_ok=True)
    folder.chmod(mode)


def _is_private(folder: Path, user: int) -> bool:
    """Tell whether this user alone may enter a folder, and it is no link."""
    try:
        entry = folder.lstat()
    except FileNotFoundError:
        return False
    private = stat.S_ISDIR(entry.st_mode) and not stat.S_IMODE(entry.st_mode) & 0o077
    return private and entry.st_uid == user


def _remove_orphaned(folder: Path) -> None:
    """Remove a folder of sockets whose home is not there any more, since it was moved."""
    if not _is_private(folder, os.geteuid()):
        return
    owner = read_if_exists(folder / _OWNER)
    if owner is not None and not Path(os.fsdecode(owner)).exists():
        shutil.rmtree(folder, ignore_errors=True)
