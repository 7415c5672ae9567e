"""Calls of its own that a release made while one is tried, and that failed: which of them count.

One request that meets a dead service can make a thousand calls, and where it falls is one chance and not a thousand. So of the calls
that carry the same trace or the same id of a request on, one counts. Of calls that carry neither on nobody can tell: of those of the
release that is tried one in a second to the same service counts, while of the one that serves all do. That can only take evidence
away, and a service that is dead for one release alone is still found within seconds; where very many are called, hardly worse is not
found then. What does not count is left out of the calls altogether, so that what is compared is how many of those that count failed.

Where users are told apart, a user counts once, with the first failed call that is made for one of that user's requests. Whose a call is, its
request tells, which is known by the same trace or id. Calls that carry neither on are nobody's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, TypeVar

import msgspec

from drystone.l25_deployer.local.attempts import trace_id

MOST = 10_000
"""So many requests, and moments, of each release are remembered by which calls were counted."""

Side = Literal["stable", "canary"]
_T = TypeVar("_T")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_GIVEN_UP = "DC"
_FLAGS = {
    _GIVEN_UP: "was given up before it was answered",
    "UF": "found nobody who listens",
    "UT": "was not answered in time",
    "SI": "was not answered in time",
}


class FailedCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a service that failed.

    Attributes:
        at: When it began.
        slot: Of the addresses for that dependency, the one at which it was made.
        callee: Who was called, as ``<service>.<environment>``.
        request: By what the request is known for which it was made; the call itself where it carries nothing on.
        is_carried: Whether that is what the release said of the call.
        method: Of the call.
        path: Without its query.
        status: Of the answer; 0 where there was none.
        grpc: Status of gRPC; empty where it was none.
        flags: What the proxy says of it; empty where nothing.
        took: Until its end, in milliseconds.
    """

    at: datetime
    slot: int
    callee: str
    request: str
    is_carried: bool = True
    method: str
    path: str
    status: int
    grpc: str
    flags: str
    took: int

    def told(self) -> str:
        """Say what came of it."""
        text = f"{self.at.astimezone(UTC):%H:%M:%S} its call to {self.callee} failed: {self.method} {self.path} "
        how = _FLAGS.get(self.flags, f"got no answer ({self.flags or '-'})")
        if self.status:
            how = f"was answered {self.status}"
            how += f" (gRPC {self.grpc})" if self.grpc else ""
            how += f" ({self.flags})" if self.flags else ""
        return _CONTROL.sub(" ", f"{text}{how} after {self.took} ms")


class _Line(msgspec.Struct, frozen=True):
    time: datetime
    caller: str
    callee: str
    slot: str = ""
    trace: str | None = None
    request_id: str | None = None
    carried: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    grpc: str | None = None
    flags: str | None = None
    duration_ms: int | None = None


_DECODER = msgspec.json.Decoder(_Line)


def read(line: bytes, issuer: str) -> FailedCall | None:
    """Read one line; None for one of another service, or of another form.

    Args:
        line: Of the log of attempts.
        issuer: Who called, as ``<environment>/<service>``.
    """
    try:
        said = _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if said.caller != issuer or said.time.tzinfo is None or not said.slot.isdecimal():
        return None
    status = said.status or 0
    is_grpc = status == 200 and said.grpc not in {None, "", "-", "OK"}
    return FailedCall(
        at=said.time,
        slot=int(said.slot),
        callee=said.callee,
        request=trace_id(said.trace) or said.request_id or "",
        is_carried=said.carried not in {None, "", "-"},
        method=said.method or "-",
        path=said.path or "-",
        status=status,
        grpc=said.grpc or "" if is_grpc else "",
        flags="" if said.flags in {None, "-"} else str(said.flags),
        took=max(0, said.duration_ms or 0),
    )


class CallSums(msgspec.Struct):
    """What was counted of one release; it only rises.

    Attributes:
        failed: Calls that failed and count.
        users: Users whose first failed call was here.
        requests: Digests of the requests for which one was counted, the oldest first.
        moments: Digests of services and seconds of calls that carry nothing on, likewise; of the release that is tried alone.
    """

    failed: int = 0
    users: int = 0
    requests: dict[int, None] = {}
    moments: dict[int, None] = {}


class Calls(msgspec.Struct):
    """What is known of the failed calls of both releases.

    Attributes:
        stable: Of the release that serves.
        canary: Of the one that is tried.
        nobodys: On which side calls failed of which nobody knows yet for whose request, by digest of that.
        had: Digests of the users who had a failed call.
        salt: Of the digests of requests.
    """

    stable: CallSums = msgspec.field(default_factory=CallSums)
    canary: CallSums = msgspec.field(default_factory=CallSums)
    nobodys: dict[int, Side] = {}
    had: dict[int, None] = {}
    salt: str = ""

    def digest(self, what: str) -> int:
        """Return by what a request, or a moment, is remembered."""
        named = f"{self.salt} {what}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(named, digest_size=6).digest(), "big")

    def count(self, calls: Iterable[tuple[Side, FailedCall]]) -> None:
        """Count calls that failed."""
        for side, one in calls:
            sums = self.stable if side == "stable" else self.canary
            if one.request and not _is_new(sums.requests, self.digest(one.request)):
                continue
            moment = self.digest(f"{one.callee} {int(one.at.timestamp())}")
            if side == "canary" and not one.is_carried and not _is_new(sums.moments, moment):
                continue
            sums.failed += 1

    def count_users(self, calls: Iterable[tuple[Side, FailedCall]], askers: Askers) -> None:
        """Count users who had a failed call, also of earlier calls, by the requests that are known by now."""
        for side, one in calls:
            if (
                one.is_carried
                and one.request
                and (digest := self.digest(one.request)) not in self.nobodys
            ):
                _remember(self.nobodys, digest, side)
        for request in [one for one in self.nobodys if one in askers.who]:
            side, who = self.nobodys.pop(request), askers.who[request]
            if who not in self.had:
                _remember(self.had, who, None)
                (self.stable if side == "stable" else self.canary).users += 1

    def without_users(self) -> Calls:
        """Return what is known apart from users, where others are to be told apart from now on."""
        return Calls(
            stable=msgspec.structs.replace(self.stable, users=0),
            canary=msgspec.structs.replace(self.canary, users=0),
            salt=self.salt,
        )


class Askers:
    """Whose requests came lately, by digests of both."""

    def __init__(self) -> None:
        self.who: dict[int, int] = {}

    def note(self, requests: Iterable[int], who: int) -> None:
        """Take note of whose a request is, by all that it may be known by."""
        for one in requests:
            _remember(self.who, one, who)


def _is_new(known: dict[int, None], digest: int) -> bool:
    """Remember something; tell whether it was not known."""
    if digest in known:
        return False
    _remember(known, digest, None)
    return True


def _remember(known: dict[int, _T], digest: int, what: _T) -> None:
    known[digest] = what
    while len(known) > MOST:
        del known[next(iter(known))]
