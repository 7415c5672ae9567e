"""The folders of what stands in for a service: its own descriptor, our small program, and what it answers by."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from drystone.l85_surfaces.sandbox import mocking
from drystone.l85_surfaces.sandbox.choices import Choice
from drystone.l85_surfaces.sandbox.documents import openapi
from drystone.l85_surfaces.sandbox.mocking.words import Json
from drystone.l85_surfaces.sandbox.workspace import DESCRIPTOR, Member

HEALTH = "/_sandbox/health"
ENDINGS = (".yaml", ".yml", ".json")
OWNER = "sandbox"
"""Who looks after what stands in; nobody else does."""


def document_of(base: Path, name: str, near: Sequence[Member]) -> Path | None:
    """Find the OpenAPI document of a service.

    It is ``openapi.yaml`` beside its own descriptor, or ``NAME.yaml`` in a folder ``mocks`` or ``openapi`` of the workspace or of a
    service that needs it; ``.yml`` and ``.json`` count too.

    Args:
        base: Of the workspace.
        name: The service.
        near: Those who need it, and itself where its descriptor is known.
    """
    stems = [one.folder / "openapi" for one in near if one.name == name]
    folders = [base, *(one.folder for one in near)]
    stems += [folder / kind / name for folder in folders for kind in ("mocks", "openapi")]
    files = (stem.with_name(stem.name + ending) for stem in stems for ending in ENDINGS)
    return next((file for file in files if file.is_file()), None)


def write_mock(folder: Path, choice: Choice) -> Path:
    """Write the folder of a mock, or of what answers while an address behind a proxy does not.

    Args:
        folder: Made anew.
        choice: What it stands in for.

    Returns:
        Its descriptor.

    Raises:
        DocumentUnfit: Its OpenAPI document cannot be stood in for.
    """
    document: Mapping[str, Json] = {"openapi": "3.1.0", "paths": {}}
    settings: dict[str, Json] = {"delay": choice.delay, "errors": choice.errors}
    if choice.way == "mock":
        document = openapi(Path(choice.to))
    else:
        settings["instead"] = (
            f"{choice.name} is passed on to {choice.to}, and that does not answer; start it, then"
            " `drystone sandbox` again"
        )
    shutil.rmtree(folder, ignore_errors=True)
    code = folder.joinpath(*mocking.__name__.split("."))
    code.mkdir(parents=True)
    for package in [*code.relative_to(folder).parents][:-1]:
        (folder / package / "__init__.py").touch()
    for module in sorted(Path(mocking.__file__).parent.glob("*.py")):
        shutil.copyfile(module, code / module.name)
    (folder / "document.json").write_text(json.dumps(document))
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / DESCRIPTOR).write_text(json.dumps(_descriptor(choice), indent=2))
    return folder / DESCRIPTOR


def digest(folder: Path) -> str:
    """Return what tells the content of a mock's folder from any other."""
    found = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
            found.update(file.read_bytes())
    return found.hexdigest()


def _descriptor(choice: Choice) -> dict[str, Json]:
    """Return the descriptor of what stands in; YAML reads JSON, too."""
    does = "Answers what its OpenAPI document promises."
    if choice.way == "proxy":
        does = f"Passes requests on to {urlsplit(choice.to).netloc}."
    return {
        "schema": 1,
        "service": choice.name,
        "owner": OWNER,
        "description": does,
        "tier": 0,
        "process": {"command": [sys.executable, "-m", mocking.__name__, "${port}"]},
        "health": {"path": HEALTH},
        "size": {"memory": "256Mi"},
        "stop": {"drain": "1s", "grace": "2s"},
    }
