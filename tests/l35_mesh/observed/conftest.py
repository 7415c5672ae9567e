from __future__ import annotations

from l35_mesh.sidecar.conftest import blue, green, home, rig, stopped

__all__ = ["blue", "green", "home", "rig", "stopped"]
