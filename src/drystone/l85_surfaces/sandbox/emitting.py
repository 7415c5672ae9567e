"""Events made up from their schemas, for services that want them: as CloudEvents 1.0 in the structured form."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from drystone.l85_surfaces.sandbox.documents import event_schema
from drystone.l85_surfaces.sandbox.errors import DocumentUnfit, EventUnknown
from drystone.l85_surfaces.sandbox.mocking.samples import Samples
from drystone.l85_surfaces.sandbox.mocking.schemas import Schemas
from drystone.l85_surfaces.sandbox.mocking.words import Json, Unfit
from drystone.l85_surfaces.sandbox.stand_ins import ENDINGS
from drystone.l85_surfaces.sandbox.workspace import LOCAL, Workspace

KIND = "application/cloudevents+json"
LIMIT_S = 30.0
_BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
_NAMESPACE = uuid.UUID("5d4f4f0a-7c2a-4f0e-9d0c-0d1a4e3b6c11")


class Taker(msgspec.Struct, frozen=True):
    """A service that wants a type of event.

    Attributes:
        service: Its name.
        method: Of the request by which it takes one; empty where it takes it from a queue.
        path: Of the request, or the name of the queue.
    """

    service: str
    method: str
    path: str

    @property
    def way(self) -> str:
        """How it takes one, for people."""
        return f"{self.method} {self.path}" if self.method else f"queue {self.path}"


class Delivered(msgspec.Struct, frozen=True):
    """What became of one event at one service.

    Attributes:
        id: Of the event.
        service: Who got it.
        status: What it answered; 0 where it did not.
        data: What the event says.
    """

    id: str
    service: str
    status: int
    data: Json


def schema_of(workspace: Workspace, kind: str) -> Path:
    """Find the schema of a type of event: that of the service that publishes it, or ``mocks/TYPE.json`` of the workspace.

    Raises:
        EventUnknown: There is none.
    """
    for one in workspace.members.values():
        if kind in one.publishes:
            return one.publishes[kind]
    files = (workspace.base / "mocks" / f"{kind}{ending}" for ending in ENDINGS)
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        known = sorted({name for one in workspace.members.values() for name in one.publishes})
        raise EventUnknown(
            f"nothing says what {kind} looks like; put its JSON Schema at mocks/{kind}.json"
            + (f", or choose one of {', '.join(known)}" if known else "")
        )
    return found


def takers_of(workspace: Workspace, kind: str) -> list[Taker]:
    """Return the services that want a type of event and take it by a request or from a queue of theirs.

    Raises:
        EventUnknown: Nobody does.
    """
    wants = {name: one.wants[kind] for name, one in workspace.members.items() if kind in one.wants}
    found = []
    for name, to in sorted(wants.items()):
        method, _, path = to.partition(" ")
        if path.startswith("/"):
            found.append(Taker(name, method, path))
        elif workspace.members[name].resources.get(to) == "queue":
            found.append(Taker(name, "", to))
    if not found:
        by = ", ".join(f"{name} by {to}" for name, to in wants.items())
        raise EventUnknown(
            f"no service here takes {kind} by a request or from a queue of its own"
            + (f"; it is wanted: {by}" if by else "")
        )
    return found


def events(schema: Path, kind: str, *, count: int, first: int = 0) -> list[Mapping[str, Json]]:
    """Make events up, the same ones each time.

    Args:
        schema: File of the JSON Schema of what they say.
        kind: Their type.
        count: How many.
        first: Number of the first one.

    Raises:
        DocumentUnfit: The schema cannot be followed.
    """
    said = event_schema(schema)
    samples = Samples(Schemas(said))
    made = list[Mapping[str, Json]]()
    for number in range(first, first + count):
        try:
            data = samples.of(said, number)
        except Unfit as e:
            raise DocumentUnfit(f"{schema}: {e}", file=str(schema)) from e
        made.append(
            {
                "specversion": "1.0",
                "id": str(uuid.uuid5(_NAMESPACE, f"{kind} {number}")),
                "source": "sandbox",
                "type": kind,
                "time": (_BEGIN + timedelta(seconds=number)).isoformat(),
                "datacontenttype": "application/json",
                "data": data,
            }
        )
    return made


def deliver(event: Mapping[str, Json], taker: Taker, port: int) -> Delivered:
    """Give one event to one service, by the edge of the sandbox.

    Args:
        event: It.
        taker: The service.
        port: Of the edge, at 127.0.0.1.
    """
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{taker.path}",
        data=json.dumps(event).encode(),
        method=taker.method,
        headers={"content-type": KIND, "host": f"{taker.service}.{LOCAL}.localhost"},
    )
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:  # noqa: S310 - the same
            status = int(answer.status)
    except urllib.error.HTTPError as e:
        status = e.code
        e.close()
    except OSError:
        status = 0
    return Delivered(str(event["id"]), taker.service, status, event["data"])
