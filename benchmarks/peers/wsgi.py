"""The smallest service for gunicorn, which cannot run ``trivial_server.py``: the version, as header and body."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

VERSION = Path(os.environ["VERSION_FILE"]).read_text()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer every request (PEP 3333); ``/slow`` after a second and a half."""
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1.5)
    headers = [("x-version", VERSION), ("content-length", str(len(VERSION)))]
    start_response("200 OK", headers)
    return [VERSION.encode()]
