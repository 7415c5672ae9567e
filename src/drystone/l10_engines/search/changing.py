"""What writes do to documents: the rules of create, index, update and delete, within one group of changes."""

from __future__ import annotations

import base64
import secrets
from typing import Any, Literal

import msgspec
from msgspec import structs

from drystone.l10_engines.search import mapping
from drystone.l10_engines.search.drafts import Change, Draft
from drystone.l10_engines.search.errors import (
    Refused,
    conflict,
    illegal,
    no_document,
    no_index,
    not_offered,
)
from drystone.l10_engines.search.mapping import Mapping
from drystone.l10_engines.search.records import Document, Record

PRIMARY_TERM = 1
"""There is one copy of an index, whose reign never ends."""

LONGEST_ID = 512
"""Bytes that the name of a document may have."""

LARGEST = 8 * 1024 * 1024
"""Bytes that a document may have."""


class Op(msgspec.Struct, frozen=True):
    """One write.

    Attributes:
        kind: What is done.
        index: Where, as the client calls it.
        id: Of the document; made up when None.
        source: The document, or what an update says; empty for a deletion.
        if_seq: The change that the living document must have been written by.
        if_term: Goes with it.
    """

    kind: Literal["index", "create", "update", "delete"]
    index: str
    id: str | None
    source: bytes = b""
    if_seq: int | None = None
    if_term: int | None = None


class Outcome(msgspec.Struct, frozen=True):
    """What became of a write.

    Attributes:
        kind: What was done.
        index: Where.
        id: Of the document.
        result: ``created``, ``updated``, ``deleted``, ``not_found`` or ``noop``.
        version: Of the document.
        seq: Number of the change.
        source: The document as it is now; None when there is none.
    """

    kind: str
    index: str
    id: str
    result: str
    version: int
    seq: int
    source: bytes | None = None

    def document(self) -> dict[str, Any]:
        """Return it as answers have it."""
        return {
            "_index": self.index,
            "_id": self.id,
            "_version": self.version,
            "result": self.result,
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": self.seq,
            "_primary_term": PRIMARY_TERM,
        }

    def status(self) -> int:
        """Return the status of an answer of its own."""
        return {"created": 201, "not_found": 404}.get(self.result, 200)


def apply(draft: Draft, op: Op) -> Outcome:
    """Do one write.

    Args:
        draft: The group of changes.
        op: What is to be done.

    Raises:
        Refused: It cannot be done; nothing is changed then.
    """
    if op.id is not None and not 0 < len(op.id.encode()) <= LONGEST_ID:
        raise illegal(
            f"id [{op.id[:80]}] has {len(op.id.encode())} bytes; it has 1 to {LONGEST_ID}"
        )
    identity = op.id or base64.urlsafe_b64encode(secrets.token_bytes(15)).decode()
    if op.kind == "delete":
        return _delete(draft, op, identity)
    record = draft.target(op.index)
    before = draft.store.present(record.number, identity) if op.id is not None else None
    _expect(op, record.name, identity, before)
    if op.kind == "update":
        return _update(draft, op, record, identity, before)
    if op.kind == "create" and before is not None:
        raise conflict(
            record.name, identity, f"document already exists (current version [{before.version}])"
        )
    new = _New(identity, before, op.source, _decoded(op.source), op.kind)
    return _write(draft, record, new)


def _decoded(source: bytes) -> dict[str, Any]:
    if len(source) > LARGEST:
        raise illegal(f"a document has {LARGEST} bytes at most; this one has {len(source)}")
    try:
        found = msgspec.json.decode(source)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as e:
        raise Refused("mapper_parsing_exception", f"failed to parse: {e}") from e
    if not isinstance(found, dict):
        raise Refused("mapper_parsing_exception", "failed to parse: a document is an object")
    return found


def _expect(op: Op, index: str, identity: str, before: Document | None) -> None:
    if (op.if_seq is None) != (op.if_term is None):
        raise illegal("if_seq_no and if_primary_term belong together")
    if op.if_seq is None:
        return
    if before is None or before.seq != op.if_seq or op.if_term != PRIMARY_TERM:
        now = (
            "no document was found"
            if before is None
            else f"current document has seqNo [{before.seq}] and primary term [1]"
        )
        raise conflict(
            index, identity, f"required seqNo [{op.if_seq}], primary term [{op.if_term}]. {now}"
        )


class _New(msgspec.Struct, frozen=True):
    """A document that is to be written, and the one that it replaces."""

    identity: str
    before: Document | None
    source: bytes
    said: dict[str, Any]
    kind: str


def _write(draft: Draft, record: Record, new: _New) -> Outcome:
    identity, before = new.identity, new.before
    read = draft.reader(record).read(new.said, identity)
    if read.learnt:
        learnt = Mapping(read.learnt, record.mapping.dynamic, record.mapping.meta)
        record = draft.remap(record, mapping.merged(record.mapping, learnt, learnt=True))
    several = [p for p, v in read.values.items() if len(v) > 1 and p not in record.columns.several]
    if several:
        found = structs.replace(record.columns, several=(*record.columns.several, *several))
        record = structs.replace(record, columns=found)
        draft.put(record)
    seq, version = record.next_seq, 1 if before is None else before.version + 1
    if before is not None:
        draft.store.kill(before.row, seq)
    row = draft.store.put(record.number, identity, seq, version, new.source)
    draft.records[record.number] = structs.replace(record, next_seq=seq + 1)
    draft.touched.add(record.number)
    written = Document(row, identity, seq, version, new.source)
    draft.changes.append(Change(record.number, identity, written, read))
    result = "created" if before is None else "updated"
    return Outcome(new.kind, record.name, identity, result, version, seq, new.source)


def _delete(draft: Draft, op: Op, identity: str) -> Outcome:
    if draft.named(op.index) is None and all(alias.name != op.index for alias in draft.aliases):
        raise no_index(op.index)
    record = draft.target(op.index)
    before = draft.store.present(record.number, identity)
    _expect(op, record.name, identity, before)
    seq = record.next_seq
    draft.records[record.number] = structs.replace(record, next_seq=seq + 1)
    draft.touched.add(record.number)
    if before is None:
        return Outcome("delete", record.name, identity, "not_found", 1, seq)
    draft.store.kill(before.row, seq)
    draft.changes.append(Change(record.number, identity, None, None))
    return Outcome("delete", record.name, identity, "deleted", before.version + 1, seq)


_UPDATES = {"doc", "upsert", "doc_as_upsert", "detect_noop", "_source"}


def _update(
    draft: Draft, op: Op, record: Record, identity: str, before: Document | None
) -> Outcome:
    said = _decoded(op.source)
    for key in said.keys() - _UPDATES:
        raise not_offered(f"[{key}] of an update", "Send the fields that change as 'doc'.")
    part = said.get("doc", {})
    if not isinstance(part, dict) or not isinstance(said.get("upsert", {}), dict):
        raise illegal("'doc' and 'upsert' of an update are objects")
    if before is None:
        whole = part if said.get("doc_as_upsert") else said.get("upsert")
        if whole is None:
            raise no_document(record.name, identity)
        fresh = _New(identity, None, msgspec.json.encode(whole), whole, "update")
        return _write(draft, record, fresh)
    old = msgspec.json.decode(before.source)
    new = merge(old, part)
    if new == old and said.get("detect_noop", True):
        return Outcome(
            "update", record.name, identity, "noop", before.version, before.seq, before.source
        )
    changed = _New(identity, before, msgspec.json.encode(new), new, "update")
    return _write(draft, record, changed)


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return an object with what another one says instead; objects within are merged, lists are replaced."""
    found = dict(old)
    for key, value in new.items():
        before = found.get(key)
        found[key] = (
            merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
        )
    return found
