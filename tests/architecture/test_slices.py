"""Each layer stands on the layers below it alone, really and not only by its import statements.

A fresh interpreter imports all modules, layer by layer from the lowest, while an import hook refuses what is
above the layer it is at. It also finds imports that only happen in a function that runs at import, and modules
that do something when they are imported.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src/drystone"
LAYERS = sorted(p.name for p in SOURCE.iterdir() if p.name[0] == "l" and p.name[1:3].isdigit())

PROGRAM = """
import importlib, pkgutil, sys, threading

allowed = set()

class Above:
    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        if parts[0] == "drystone" and len(parts) > 1 and ".".join(parts[:2]) not in allowed:
            raise ImportError(f"{name} is above")

sys.meta_path.insert(0, Above())
for layer in (f"drystone.{name}" for name in sys.argv[1:]):
    allowed.add(layer)
    package = importlib.import_module(layer)
    count = 1
    for module in pkgutil.walk_packages(package.__path__, layer + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
            count += 1
    print(layer, count, threading.active_count())
"""


def test_every_layer_stands_on_those_below_it() -> None:
    done = run(*LAYERS)
    assert done.returncode == 0, done.stderr
    for name, line in zip(LAYERS, done.stdout.splitlines(), strict=True):
        layer, modules, threads = line.split()
        assert layer == f"drystone.{name}"
        assert int(modules) > 1, layer
        assert threads == "1", layer


@pytest.mark.parametrize("name", LAYERS[1:])
def test_what_is_below_cannot_be_left_out(name: str) -> None:
    done = run(name)
    assert done.returncode == 1
    assert "is above" in done.stderr


def run(*layers: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, *layers]
    return subprocess.run(command, capture_output=True, text=True, check=False)
