"""By what an answer of a proxy is recognised, for its access logs and for what it says itself (Envoy's ``AccessLogFilter``)."""

from __future__ import annotations

from typing import Any

from drystone.l10_engines.proxy.messages import TYPE_PREFIX, Config

_CEL = TYPE_PREFIX + "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"


def flags(*flags: str) -> Config:
    """Recognise what Envoy marks by one of these response flags."""
    return {"response_flag_filter": {"flags": list(flags)}}


def status_is(status: int, *, runtime_key: str) -> Config:
    """Recognise answers of one status.

    Args:
        status: Of HTTP.
        runtime_key: Where an operator of Envoy may put another status in its place; Envoy wants one, and one for each use.
    """
    return _status("EQ", status, runtime_key)


def status_from(least: int, *, runtime_key: str) -> Config:
    """Recognise answers of this status and all above; ``runtime_key`` as in :func:`status_is`."""
    return _status("GE", least, runtime_key)


def any_error(area: str) -> Config:
    """Recognise every answer with a status of 400 and more."""
    return status_from(400, runtime_key=f"{area}.problem")


def says(expression: str) -> Config:
    """Recognise an occasion by an expression of CEL (Common Expression Language) over Envoy's attributes."""
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": {"@type": _CEL, "expression": expression},
        }
    }


def any_of(*occasions: Config) -> Config:
    """Recognise what one of these recognises; Envoy asks them in their order, and none behind the first that does."""
    return {"or_filter": {"filters": list(occasions)}}


def grpc_is(*statuses: str) -> Config:
    """Recognise calls of gRPC that ended with one of these statuses, by their names in capitals."""
    kind = {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
    # Envoy takes the status of HTTP for one of gRPC where there is none.
    return all_of(
        {"header_filter": {"header": kind}},
        {"grpc_status_filter": {"statuses": list(statuses)}},
    )


def all_of(*occasions: Config) -> Config:
    """Recognise what each of these recognises."""
    return {"and_filter": {"filters": list(occasions)}}


def _status(op: str, status: int, runtime_key: str) -> dict[str, Any]:
    value = {"default_value": status, "runtime_key": runtime_key}
    return {"status_code_filter": {"comparison": {"op": op, "value": value}}}
