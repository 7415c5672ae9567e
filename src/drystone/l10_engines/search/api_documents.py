"""Requests about documents: one at a time, and many."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import msgspec

from drystone.l10_engines.search import changing
from drystone.l10_engines.search.changing import PRIMARY_TERM, Op, Outcome
from drystone.l10_engines.search.drafts import Draft
from drystone.l10_engines.search.errors import Refused, illegal, not_offered, unreadable
from drystone.l10_engines.search.node import Answer, Node, Request
from drystone.l10_engines.search.records import Document, Record
from drystone.l10_engines.search.searching import identities
from drystone.l10_engines.search.source import chooser

CHUNK = 500
"""Writes of one request that are one group at most, so that others need not wait for all of them."""

MOST_WRITES = 100_000
"""Writes that one request may have."""

_ACTIONS = ("index", "create", "update", "delete")


def _visible(request: Request) -> bool:
    said = request.options.get("refresh", "false")
    if said not in ("", "true", "false", "wait_for"):
        raise illegal(f"Unknown value for refresh: [{said}].")
    return said != "false"


def _op(request: Request, kind: str, identity: str | None) -> Op:
    return Op(
        cast("Any", kind),
        request.names["index"],
        identity,
        request.body,
        request.number("if_seq_no"),
        request.number("if_primary_term"),
    )


async def _written(node: Node, request: Request, op: Op) -> Outcome:
    return await node.change(
        lambda draft: changing.apply(draft, op),
        visible=_visible(request),
        grows=op.kind != "delete",
    )


async def write(node: Node, request: Request) -> Answer:
    """PUT or POST of a document."""
    kind = request.options.get("op_type", "index")
    if kind not in ("index", "create"):
        raise illegal(f"opType must be 'create' or 'index', found: [{kind}]")
    found = await _written(node, request, _op(request, kind, request.names.get("id")))
    return Answer(found.document(), found.status())


async def create(node: Node, request: Request) -> Answer:
    """A document that must not be there."""
    found = await _written(node, request, _op(request, "create", request.names["id"]))
    return Answer(found.document(), found.status())


async def update(node: Node, request: Request) -> Answer:
    """Some fields of a document."""
    found = await _written(node, request, _op(request, "update", request.names["id"]))
    wanted = request.options.get("_source")
    more: dict[str, Any] = {}
    if wanted not in (None, "false") and found.source is not None:
        more["get"] = {"found": True, "_source": chooser(wanted)(msgspec.json.decode(found.source))}
    return Answer({**found.document(), **more}, found.status())


async def delete(node: Node, request: Request) -> Answer:
    """Remove a document."""
    found = await _written(node, request, _op(request, "delete", request.names["id"]))
    return Answer(found.document(), found.status())


def _about(request: Request) -> Any:
    if "_source_includes" in request.options or "_source_excludes" in request.options:
        includes, excludes = (
            request.options.get(f"_source_{side}") for side in ("includes", "excludes")
        )
        return {
            "includes": includes.split(",") if includes else [],
            "excludes": excludes.split(",") if excludes else [],
        }
    return request.options.get("_source")


def _shown(index: str, identity: str, found: Document | None, wanted: Any) -> dict[str, Any]:
    if found is None:
        return {"_index": index, "_id": identity, "found": False}
    shown: dict[str, Any] = {
        "_index": index,
        "_id": identity,
        "_version": found.version,
        "_seq_no": found.seq,
        "_primary_term": PRIMARY_TERM,
        "found": True,
    }
    if wanted in (None, True, "true"):
        return {**shown, "_source": msgspec.Raw(found.source)}
    chosen = chooser(wanted)(msgspec.json.decode(found.source))
    return shown if chosen is None else {**shown, "_source": chosen}


async def get(node: Node, request: Request) -> Answer:
    """A document as it is now, whether searches see it or not."""
    record, identity = node.one(request.names["index"]), request.names["id"]
    found = await node.compute(lambda: node.keeper.store.get(record.number, identity))
    return Answer(
        _shown(record.name, identity, found, _about(request)), 404 if found is None else 200
    )


async def source(node: Node, request: Request) -> Answer:
    """What a document holds, and nothing else."""
    record, identity = node.one(request.names["index"]), request.names["id"]
    found = await node.compute(lambda: node.keeper.store.get(record.number, identity))
    if found is None:
        raise Refused(
            "resource_not_found_exception",
            f"Document not found [{record.name}]/[{identity}]",
            status=404,
        )
    return Answer(chooser(_about(request))(msgspec.json.decode(found.source)))


async def many(node: Node, request: Request) -> Answer:
    """Several documents by their names."""
    body = request.json()
    if not isinstance(body, dict) or body.keys() - {"docs", "ids"}:
        raise unreadable("the body of a multi get has [docs] or [ids]")
    asked = body.get("docs", []) + [{"_id": identity} for identity in body.get("ids", [])]
    if not asked or len(asked) > 10_000:
        raise illegal("a multi get names 1 to 10000 documents")

    def read() -> list[dict[str, Any]]:
        found = []
        for one in asked:
            if not isinstance(one, dict) or "_id" not in one:
                raise illegal("a document of a multi get has an [_id]")
            for key in one.keys() - {"_id", "_index", "_source"}:
                raise not_offered(f"[{key}] of a multi get")
            name = str(one.get("_index", request.names.get("index", "")))
            identity = str(one["_id"])
            try:
                record = node.one(name)
            except Refused as e:
                found.append({"_index": name, "_id": identity, "error": e.body()["error"]})
                continue
            document = node.keeper.store.get(record.number, identity)
            found.append(
                _shown(record.name, identity, document, one.get("_source", _about(request)))
            )
        return found

    return Answer({"docs": await node.compute(read)})


def ops_of(body: bytes, index: str) -> list[tuple[str, Op | Refused]]:
    """Read many writes.

    Args:
        body: Lines of JSON: what is done, and with what.
        index: Where, when a line does not say so.

    Raises:
        Refused: It is not of this form.
    """
    if not body.endswith(b"\n"):
        raise illegal("The bulk request must be terminated by a newline [\\n]")
    lines = iter(enumerate(body.split(b"\n"), 1))
    found: list[tuple[str, Op | Refused]] = []
    for number, line in lines:
        if not line.strip():
            continue
        if len(found) >= MOST_WRITES:
            raise illegal(f"a bulk request has {MOST_WRITES} writes at most; send several")
        try:
            said = msgspec.json.decode(line)
            ((kind, about),) = said.items()
        except (
            msgspec.DecodeError,
            ValueError,
            AttributeError,
            RecursionError,
            UnicodeDecodeError,
        ) as e:
            raise illegal(
                f"Malformed action/metadata line [{number}], expected an object with one action"
            ) from e
        if kind not in _ACTIONS or not isinstance(about, dict):
            raise illegal(
                f"Malformed action/metadata line [{number}], expected one of {', '.join(_ACTIONS)}"
            )
        content = b"" if kind == "delete" else next(lines, (0, b""))[1]
        if kind != "delete" and not content.strip():
            raise illegal(f"Malformed bulk request: line [{number}] has no document after it")
        found.append((kind, _line(kind, about, content, index)))
    if not found:
        raise Refused(
            "action_request_validation_exception", "Validation Failed: 1: no requests added;"
        )
    return found


def _line(kind: str, about: dict[str, Any], content: bytes, index: str) -> Op | Refused:
    for key in about.keys() - {
        "_index",
        "_id",
        "if_seq_no",
        "if_primary_term",
        "retry_on_conflict",
        "_type",
    }:
        return not_offered(f"[{key}] of a write")
    identity = about.get("_id")
    if kind in ("update", "delete") and identity is None:
        return illegal(f"an {kind} names an [_id]")
    name = about.get("_index", index)
    if not name:
        return illegal("a write names an [_index]")
    return Op(
        cast("Any", kind),
        str(name),
        None if identity is None else str(identity),
        content,
        about.get("if_seq_no"),
        about.get("if_primary_term"),
    )


async def bulk(node: Node, request: Request) -> Answer:
    """Many writes; each is answered for itself."""
    begun = time.perf_counter()
    ops = await node.compute(lambda: ops_of(request.body, request.names.get("index", "")))
    visible = _visible(request)
    items: list[dict[str, Any]] = []
    seen: set[int] = set()
    for start in range(0, len(ops), CHUNK):
        some = ops[start : start + CHUNK]
        is_last = start + CHUNK >= len(ops)
        items += await node.change(
            lambda draft, some=some: _applied(draft, some, seen),  # type: ignore[misc]
            visible=visible and is_last,
        )
    return Answer(
        {
            "took": int((time.perf_counter() - begun) * 1000),
            "errors": any("error" in inner for item in items for inner in item.values()),
            "items": items,
        }
    )


def _applied(
    draft: Draft, ops: list[tuple[str, Op | Refused]], seen: set[int]
) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for kind, op in ops:
        index, identity = ("", None) if isinstance(op, Refused) else (op.index, op.id)
        try:
            if isinstance(op, Refused):
                raise op
            found = changing.apply(draft, op)
            items.append({op.kind: {**found.document(), "status": found.status()}})
        except Refused as e:
            items.append(
                {kind: {"_index": index, "_id": identity, "status": e.status, "error": e.cause()}}
            )
    draft.touched |= seen
    seen |= draft.touched
    return items


async def delete_by_query(node: Node, request: Request) -> Answer:
    """Remove every document that a query finds, as it is searched now."""
    begun = time.perf_counter()
    body = request.json()
    if not isinstance(body, dict) or body.keys() - {"query"} or "query" not in body:
        raise unreadable("the body of a delete by query has a [query] and nothing else")
    proceed = request.options.get("conflicts", "abort") == "proceed"
    snapshots = await node.snapshots(request.names["index"])
    deleted = conflicts = total = 0
    for snapshot in snapshots:
        found = await node.compute(lambda s=snapshot: identities(s, node.keeper.store, body))  # type: ignore[misc]
        total += len(found)
        for start in range(0, len(found), CHUNK):
            some = found[start : start + CHUNK]
            record = snapshot.record
            gone, met = await node.change(
                lambda draft, some=some, record=record: _removed(draft, record, some),  # type: ignore[misc]
                grows=False,
                visible=_visible(request) and start + CHUNK >= len(found),
            )
            deleted, conflicts = deleted + gone, conflicts + met
        await asyncio.sleep(0)
    answer = {
        "took": int((time.perf_counter() - begun) * 1000),
        "timed_out": False,
        "total": total,
        "deleted": deleted,
        "batches": -(-total // CHUNK),
        "version_conflicts": conflicts,
        "noops": 0,
        "failures": [],
    }
    return Answer(answer, 409 if conflicts and not proceed else 200)


def _removed(draft: Draft, record: Record, names: list[tuple[str, int]]) -> tuple[int, int]:
    gone = met = 0
    for identity, seq in names:
        try:
            op = Op("delete", record.name, identity, b"", seq, PRIMARY_TERM)
            gone += changing.apply(draft, op).result == "deleted"
        except Refused as e:
            if e.kind != "version_conflict_engine_exception":
                raise
            met += 1
    return gone, met
