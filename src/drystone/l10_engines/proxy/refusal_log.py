"""What an Envoy writes down of calls that it refuses: one JSON object each, in a file beside its access log.

The file is apart from the access log, so that whoever asks what was refused reads nothing of what was served, and a service
that tries in a loop pushes nothing else out. A line names the one who tried as tokens do, ``<environment>/<service>``, since
a listener belongs to one service; its kind (``listener``) says what was tried:

============  =========================================================================
``inbound``   a request to a service, which its sidecar refused
``outbound``  a request that the caller had not declared
``catcher``   a connection to something for which the caller has no way
``egress``    a connection by a declared way, to another host than the declared one
``border``    a connection to a declared name, which leads to an address that is not outside
``dns``       the address of a name for which the caller has no way
============  =========================================================================
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config
from drystone.l10_engines.proxy.occasions import all_of, says, status_from

LOG_LIMIT = 4 << 20
"""Bytes after which the file is moved to ``<name>.1``: some fifteen thousand refusals."""

_FILE_LOG = TYPE_PREFIX + "envoy.extensions.access_loggers.file.v3.FileAccessLog"
_TIME = {"time": "%START_TIME%"}
_REQUEST = {
    "service": "%ROUTE_NAME%",
    "method": "%REQ(:METHOD):32%",
    "path": "%PATH(NQ:ORIG_OR_PATH):512%",  # no query: that is where people put tokens
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
}
_REFUSED = (
    "response.code_details.startsWith('rbac_access_denied')"
    " || response.code_details.startsWith('jwt_authn_access_denied')"
    " || response.code_details == 'lua_response'"
)


def refusals_beside(access_log: Path) -> Path:
    """Return where refusals are written down, beside an access log."""
    return access_log.with_name("refusals.log")


def refused_requests(
    access_log: Path, listener: Literal["inbound", "outbound"], *, caller: str, service: str
) -> dict[str, Any]:
    """Return an ``AccessLog`` of an HTTP listener, of requests that the listener itself refuses as nobody's or somebody else's.

    Args:
        access_log: The one beside which they are written.
        listener: Its kind.
        caller: Who calls, as tokens name it; or the operator that tells.
        service: Who is called, as tokens name it.
    """
    fields = {**_TIME, "listener": listener, "caller": caller, **_REQUEST, "service": service}
    # What was answered well is not looked at any further.
    when = all_of(status_from(401, runtime_key="mesh.refused"), says(_REFUSED))
    return {**_written(access_log, fields), "filter": when}


def refused_connections(
    access_log: Path,
    listener: Literal["catcher", "egress", "border"],
    *,
    caller: str,
    name: str = "%REQUESTED_SERVER_NAME%",
) -> dict[str, Any]:
    """Return an ``AccessLog`` of a TCP listener at which all that arrives is refused.

    Args:
        access_log: The one beside which they are written.
        listener: Its kind.
        caller: Whose attempts arrive there, as tokens name it.
        name: The operator that tells whom the client asked for by name: where it speaks TLS, by default.
    """
    fields = {
        **_TIME,
        "listener": listener,
        "caller": caller,
        "destination": "%DOWNSTREAM_LOCAL_ADDRESS%",
        "name": name,
    }
    return _written(access_log, fields)


def refused_names(access_log: Path, *, caller: str) -> dict[str, Any]:
    """Return an ``AccessLog`` of a listener that answers questions for names.

    Those that were answered well are written too; a reader leaves them out by ``answers``. No line has a time: Envoy
    writes these logs without what it knows of a connection.

    Args:
        access_log: The one beside which they are written.
        caller: Who asks, as tokens name it.
    """
    fields = {
        "listener": "dns",
        "caller": caller,
        "name": "%QUERY_NAME%",
        "type": "%QUERY_TYPE%",
        "answers": "%ANSWER_COUNT%",
    }
    return _written(access_log, fields)


def _written(access_log: Path, fields: Config) -> dict[str, Any]:
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": _FILE_LOG,
            "path": str(refusals_beside(access_log)),
            "log_format": {"json_format": fields},
        },
    }
