"""An implementation of contracts as a server process of its own, on a socket that it inherits.

``python -m drystone.testing.alone FD MODULE FILE NAME [ARGUMENT…]``; see :mod:`drystone.testing.reaches`.
"""

from __future__ import annotations

import importlib.util
import socket
import sys
from pathlib import Path

import uvicorn
import uvloop

from drystone.l00_kernel.contract import Api, serve
from drystone.l00_kernel.contract.inprocess import claimed_caller


def load(module: str, file: Path, name: str) -> type[Api]:
    """Return what a file calls by a name; test modules are on no import path."""
    spec = importlib.util.spec_from_file_location(module, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is not a Python module")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[module] = loaded
    spec.loader.exec_module(loaded)
    made: type[Api] = getattr(loaded, name)
    return made


def main(fd: str, module: str, file: str, name: str, *arguments: str) -> None:
    """Serve until SIGTERM."""
    implementation = load(module, Path(file), name)(*arguments)
    config = uvicorn.Config(
        serve(implementation, authenticate=claimed_caller),
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=2,
    )
    listening = socket.socket(fileno=int(fd))
    uvloop.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main(*sys.argv[1:])
