"""The view of one survey, without a platform."""

from __future__ import annotations

import socket
from pathlib import Path

from drystone.l10_engines.on_demand.serving import serve_until_told
from drystone.l80_governance.dependencies.app import application
from drystone.l80_governance.dependencies.guard import Guarded
from drystone.l80_governance.dependencies.models import FileModels


async def serve_survey(path: Path, listener: socket.socket) -> None:
    """Show a survey until the process is told to end.

    Args:
        path: Of the survey; versions and evidence lie beside it.
        listener: A socket that listens for this machine alone.
    """
    await serve_until_told(Guarded(application(FileModels(path))), listener)
