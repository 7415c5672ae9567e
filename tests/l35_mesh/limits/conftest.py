from __future__ import annotations

from l10_engines.proxy.conftest import blue, home

__all__ = ["blue", "home"]
