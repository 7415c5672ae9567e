"""What a client is refused, in the form that OpenSearch gives its errors."""

from __future__ import annotations

from typing import Any

from drystone.l00_kernel.errors import Invalid


class NotDeclarable(Invalid):
    """An index is there with fields that do not become what is asked for in place."""


class Refused(Exception):
    """A request is refused.

    Args:
        kind: The type of the error, as clients tell errors apart.
        reason: What is wrong and what to do, for people.
        status: Of the answer.
        index: Which index it is about; empty when it is about none.
    """

    def __init__(self, kind: str, reason: str, *, status: int = 400, index: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.status = status
        self.index = index

    def cause(self) -> dict[str, Any]:
        """Return the error as it stands in an item of an answer."""
        about = {"index": self.index, "index_uuid": "_na_"} if self.index else {}
        return {"type": self.kind, "reason": self.reason, **about}

    def body(self) -> dict[str, Any]:
        """Return the whole answer."""
        cause = self.cause()
        return {"error": {"root_cause": [cause], **cause}, "status": self.status}


def illegal(reason: str) -> Refused:
    """Return the refusal of something that cannot be meant."""
    return Refused("illegal_argument_exception", reason)


def unreadable(reason: str) -> Refused:
    """Return the refusal of a body that is not of the form that the request has."""
    return Refused("parsing_exception", reason)


def not_offered(what: str, instead: str = "") -> Refused:
    """Return the refusal of something that OpenSearch has and this engine has not.

    Args:
        what: Its name, as it stands in the request.
        instead: What to do, as a sentence.
    """
    more = f" {instead}" if instead else ""
    return Refused(
        "not_offered_exception", f"{what} is not offered by the search of this platform.{more}"
    )


def no_index(name: str) -> Refused:
    """Return the refusal of an index that is not there."""
    return Refused("index_not_found_exception", f"no such index [{name}]", status=404, index=name)


def no_document(index: str, identity: str) -> Refused:
    """Return the refusal to change a document that is not there."""
    return Refused(
        "document_missing_exception", f"[{identity}]: document missing", status=404, index=index
    )


def conflict(index: str, identity: str, why: str) -> Refused:
    """Return the refusal of a change whose expectation does not hold."""
    return Refused(
        "version_conflict_engine_exception",
        f"[{identity}]: version conflict, {why}",
        status=409,
        index=index,
    )


def not_of_type(path: str, kind: str, identity: str, why: str) -> Refused:
    """Return the refusal of a document whose value does not fit its field."""
    return Refused(
        "mapper_parsing_exception",
        f"failed to parse field [{path}] of type [{kind}] in document with id '{identity}': {why}",
    )


def no_room(reason: str) -> Refused:
    """Return the refusal of a write for which there is no room; clients come back after a while."""
    return Refused("cluster_block_exception", reason, status=429)


def damaged(reason: str) -> Refused:
    """Return what is said about data that is not what was written."""
    return Refused("corrupted_data_exception", reason, status=500)
