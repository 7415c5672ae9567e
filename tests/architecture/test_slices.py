"""Each layer stands on the layers below it alone, really and not only by its import statements.

For every layer, a fresh interpreter imports all modules up to it while an import hook refuses what is
above. It also finds imports that only happen in a function that runs at import, and modules that do
something when they are imported.
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

allowed = {f"drystone.{name}" for name in sys.argv[1:]}

class Above:
    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        if parts[0] == "drystone" and len(parts) > 1 and ".".join(parts[:2]) not in allowed:
            raise ImportError(f"{name} is above")

sys.meta_path.insert(0, Above())
count = 0
for layer in sorted(allowed):
    package = importlib.import_module(layer)
    for module in pkgutil.walk_packages(package.__path__, layer + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
            count += 1
print(count, threading.active_count())
"""


@pytest.mark.parametrize("height", range(len(LAYERS)), ids=LAYERS)
def test_a_layer_stands_on_those_below_it(height: int) -> None:
    done = run(*LAYERS[: height + 1])
    assert done.returncode == 0, done.stderr
    modules, threads = map(int, done.stdout.split())
    assert modules > height
    assert threads == 1


def test_what_is_above_is_refused() -> None:
    done = run(LAYERS[-1])
    assert done.returncode == 1
    assert "is above" in done.stderr


def run(*layers: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, *layers]
    return subprocess.run(command, capture_output=True, text=True, check=False)
