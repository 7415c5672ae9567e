"""Where the tokens of other platforms lie: in files of the home, and in no table, so that who reads the database deploys nowhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drystone.l00_kernel.home import Home

FOLDER = "targets"


def token_file(home: Home, target: str) -> Path:
    """Return the file with the token of a target.

    Args:
        home: Whose.
        target: Its name, which has been checked.
    """
    return home.secrets / FOLDER / target
