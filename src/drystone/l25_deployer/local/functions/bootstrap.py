"""Runs in a process of its own and calls a function of a service, again and again, as it is told over a socket.

python bootstrap.py SOCKET FOLDER HANDLER

It belongs to the service and not to the platform: it runs by the service's own Python, whatever its packages, and so needs
nothing but the standard library of Python 3.8. Frames are those of :mod:`drystone.l10_engines.aws.handing_over`: two lengths of four bytes,
a head in JSON and bytes. The first that it sends says whether the handler was found; then comes one for each that it is sent.
"""

# ruff: noqa: T201, BLE001  (what it prints is the function's log; whatever the function raises is its answer)
from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import sys
import time
import traceback

_LENGTHS = struct.Struct(">II")


class CallContext:
    """What a handler is told of its call, as Lambda tells it.

    Args:
        head: What the platform says of the call.
    """

    def __init__(self, head: dict) -> None:  # type: ignore[type-arg]
        self.aws_request_id = head["id"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.invoked_function_arn = head["arn"]
        self.log_group_name = f"/aws/lambda/{self.function_name}"
        self.log_stream_name = os.environ.get("DRYSTONE_INSTANCE", "")
        self.identity = None
        self.client_context = head.get("client_context")
        self._deadline = time.monotonic() + head["seconds"]

    def get_remaining_time_in_millis(self) -> int:
        """Return how long the call may still take."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def main() -> None:
    """Find the handler and answer calls until the platform closes the socket."""
    place, folder, wanted = sys.argv[1:4]
    sys.argv = [sys.argv[0]]
    sys.path[0:0] = [folder]
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(place)
    stream = connection.makefile("rb")
    try:
        module, _, name = wanted.rpartition(".")
        handler = getattr(importlib.import_module(module.replace("/", ".")), name)
        handler.__call__  # noqa: B018 - says what it is, if it cannot be called
    except Exception as e:
        traceback.print_exc()
        _send(connection, {"ok": False}, _told(e))
        return
    _send(connection, {"ok": True}, b"")
    while True:
        lengths = stream.read(_LENGTHS.size)
        if len(lengths) < _LENGTHS.size:
            return
        head_length, body_length = _LENGTHS.unpack(lengths)
        head = json.loads(stream.read(head_length))
        body = stream.read(body_length)
        _answer(connection, handler, head, body)


def _answer(connection: socket.socket, handler, head: dict, body: bytes) -> None:  # type: ignore[no-untyped-def, type-arg]
    print(f"START {head['id']}", flush=True)
    is_ok = True
    try:
        made = handler(json.loads(body or b"null"), CallContext(head))
        answer = json.dumps(made).encode()
    except Exception as e:
        is_ok = False
        traceback.print_exc()
        answer = _told(e)
    print(f"END {head['id']}", flush=True)
    sys.stderr.flush()
    _send(connection, {"ok": is_ok}, answer)


def _told(error: Exception) -> bytes:
    frames = traceback.extract_tb(error.__traceback__)[1:]
    lines = [f'  File "{f.filename}", line {f.lineno}, in {f.name}\n    {f.line}\n' for f in frames]
    said = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": lines}
    return json.dumps(said).encode()


def _send(connection: socket.socket, head: dict, body: bytes) -> None:  # type: ignore[type-arg]
    said = json.dumps(head).encode()
    connection.sendall(_LENGTHS.pack(len(said), len(body)) + said + body)


if __name__ == "__main__":
    main()
