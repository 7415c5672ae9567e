"""What an Envoy writes down of attempts at instances while a release of their service is tried: who asked, and what came of it.

It is written by the router, for each attempt and not for each request: an attempt at a canary that broke off counts, although another
release then gave the answer. What is written, and of which services, stands on routes: a listener knows nothing of
rollouts, and no connection is let go when one begins.

The file lies beside the access log, is as private as that, and holds names of users, bounded in length. It is kept within
bounds, and emptied an hour after the last attempt; whoever reads it keeps digests alone. Nothing is written of services of which no release is tried.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.occasions import says

WATCHED = "drystone.watched"
"""The namespace of the metadata by which a route says that its attempts are written down."""

LOG_LIMIT = 16 << 20
"""Bytes after which the file is moved to ``<name>.1``: some fifty thousand attempts."""

KEPT = timedelta(hours=1)
"""After the last attempt that was written down, everything is removed."""

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
    "method": "%REQ(:METHOD):16%",
    "path": "%PATH(NQ:ORIG_OR_PATH):200%",  # no query: that is where people put tokens
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
}


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


def watched(by: str, headers: tuple[str, ...]) -> Config:
    """Return the ``Metadata`` of a route whose attempts are to be written down.

    Args:
        by: What is told apart: ``user``, ``tenant`` or ``visitor``; ``request`` for failures alone.
        headers: In which a request says who it comes from: the first that it has decides. At most two.
    """
    names = dict(zip(("first", "second"), headers, strict=False))
    return {"filter_metadata": {WATCHED: {"by": by, **names}}}
