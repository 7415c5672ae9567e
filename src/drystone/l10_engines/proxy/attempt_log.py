"""What an Envoy writes down while a release of a service is tried: attempts at its instances, and its own calls that failed.

It is written by the router, for each attempt and not for each request: an attempt at a canary that broke off counts, although another
release then gave the answer. What is written, and of which services, stands on routes: a listener knows nothing of
rollouts, and no connection is let go when one begins.

A call that the service itself makes and that fails is written by the listener at which it makes it, once, whatever was repeated on the
way. Which release made it is told by the listener: each release of a rollout has listeners of its own for the same dependencies.

The file lies beside the access log, is as private as that, and holds names of users, bounded in length. It is kept within
bounds, and emptied an hour after the last attempt; whoever reads it keeps digests alone. Nothing is written of services of which no release is tried.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.occasions import (
    all_of,
    any_of,
    flags,
    grpc_is,
    says,
    status_from,
    status_is,
)

WATCHED = "drystone.watched"
"""The namespace of the metadata by which a route says that its attempts are written down."""

LOG_LIMIT = 16 << 20
"""Bytes after which the file is moved to ``<name>.1``: some fifty thousand attempts."""

KEPT = timedelta(hours=1)
"""After the last attempt that was written down, everything is removed."""

CARRIED_HEADER = "x-drystone-carried"
"""The header in which a sidecar notes by what a call is known, if who makes it says so, before the sidecar gives it an id itself."""

VISITOR_COOKIE = "drystone-visitor"

_FILE_LOG = TYPE_PREFIX + "envoy.extensions.access_loggers.file.v3.FileAccessLog"
_TOLD = f"xds.route_metadata.filter_metadata['{WATCHED}']"
_COOKIE = rf"r'(?s)^(?:.*;\s*)?{VISITOR_COOKIE}=([0-9a-f-]+).*$'"
_WHEN = (
    f"'{WATCHED}' in xds.route_metadata.filter_metadata"
    f" && ({_TOLD}['by'] != 'request' || response.flags != 0 || response.code >= 500)"
)
_FIELDS = {
    "time": "%START_TIME%",
    "service": "%ROUTE_NAME%",
    "instance": "%UPSTREAM_HOST%",
    "by": f"%METADATA(ROUTE:{WATCHED}:by)%",
    # A header that a route does not name, or a request lacks, is null; so is a cookie where no visitors are told apart.
    "first": f"%CEL(request.headers[{_TOLD}['first']]):128%",
    "second": f"%CEL(request.headers[{_TOLD}['second']]):128%",
    "visitor": rf"%CEL({_TOLD}['by'] == 'visitor' ? re.extract(request.headers['cookie'], {_COOKIE}, r'\1') : ''):64%",
    "request_id": "%REQ(X-REQUEST-ID):64%",
    "trace": "%REQ(TRACEPARENT):64%",
    "method": "%REQ(:METHOD):16%",
    "path": "%PATH(NQ:ORIG_OR_PATH):200%",  # no query: that is where people put tokens
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
}

_CALL_FAILED = all_of(
    any_of(
        status_from(500, runtime_key="calls.failed"),
        status_is(0, runtime_key="calls.unanswered"),
        flags("UF", "UC", "UT", "UR", "LR", "SI", "UPE"),
        grpc_is(
            *("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED"),
            *("INTERNAL", "UNAVAILABLE", "DATA_LOSS"),
        ),
    ),
    # Asked last, since an expression takes longer than all that is before it.
    says(f"'{WATCHED}' in xds.route_metadata.filter_metadata"),
)


def attempts_beside(access_log: Path) -> Path:
    """Return where attempts are written down, beside an access log."""
    return access_log.with_name("attempts.log")


def attempts(access_log: Path) -> dict[str, Any]:
    """Return the ``AccessLog`` of a router, for the attempts of watched routes.

    Args:
        access_log: The one beside which they are written.
    """
    return {
        "name": "envoy.access_loggers.file",
        "filter": says(_WHEN),
        "typed_config": {
            "@type": _FILE_LOG,
            "path": str(attempts_beside(access_log)),
            "log_format": {"json_format": _FIELDS},
        },
    }


def failed_calls(access_log: Path, *, caller: str, slot: str) -> dict[str, Any]:
    """Return the ``AccessLog`` of a listener at which a service calls others, for the calls of watched routes that failed.

    One failed if it was answered with 500 or above, or by gRPC with a status that means as much, or if its answer never came or broke off.

    Args:
        access_log: The one beside which they are written.
        caller: Operator for who calls.
        slot: Operator for the number of the listener among those that lead to the same dependency.
    """
    fields = {
        "time": "%START_TIME%",
        "caller": caller,
        "slot": slot,
        "callee": "%ROUTE_NAME%",
        "trace": "%REQ(TRACEPARENT):64%",
        "request_id": "%REQ(X-REQUEST-ID):64%",
        "carried": f"%REQ({CARRIED_HEADER}):64%",
        "method": "%REQ(:METHOD):16%",
        "path": "%PATH(NQ:ORIG_OR_PATH):200%",
        "status": "%RESPONSE_CODE%",
        "grpc": "%GRPC_STATUS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
    }
    return {
        "name": "envoy.access_loggers.file",
        "filter": _CALL_FAILED,
        "typed_config": {
            "@type": _FILE_LOG,
            "path": str(attempts_beside(access_log)),
            "log_format": {"json_format": fields},
        },
    }


def watched(by: str, headers: tuple[str, ...] = ()) -> Config:
    """Return the ``Metadata`` of a route whose attempts are to be written down.

    Args:
        by: What is told apart: ``user``, ``tenant`` or ``visitor``; ``request`` for failures alone, also of calls.
        headers: In which a request says who it comes from: the first that it has decides. At most two.
    """
    names = dict(zip(("first", "second"), headers, strict=False))
    return {"filter_metadata": {WATCHED: {"by": by, **names}}}
