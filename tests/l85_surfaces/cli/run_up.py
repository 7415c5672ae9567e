"""``drystone up``, keeping a small agent: ``python run_up.py HOME MOOD [--detach] [--json] [--port N]``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from drystone.l85_surfaces.cli import bringing_up
from drystone.l85_surfaces.cli.application import tell_failures
from drystone.l85_surfaces.cli.terminal import Terminal

AGENT = Path(__file__).with_name("small_agent.py")


def main(folder: Path, mood: str, options: list[str]) -> int:
    """Bring the platform up and tell failures as the command line does."""
    wanted = {"port": int(options[options.index("--port") + 1])} if "--port" in options else {}
    json = "--json" in options
    return tell_failures(
        lambda: asyncio.run(
            bringing_up.bring_up(
                folder,
                wanted,
                Terminal(json=json),
                detach="--detach" in options,
                agent=[sys.executable, str(AGENT), str(folder), mood],
            )
        ),
        json=json,
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:]))
