"""Requests about indices: their fields, their settings, their other names."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from drystone.l10_engines.search import drafts, mapping
from drystone.l10_engines.search.drafts import Draft
from drystone.l10_engines.search.errors import (
    Refused,
    illegal,
    no_index,
    not_offered,
    unreadable,
)
from drystone.l10_engines.search.mapping import Mapping
from drystone.l10_engines.search.node import Answer, Node, Request
from drystone.l10_engines.search.records import Alias, Record

_LATER = {"index.refresh_interval"}
_AT_FIRST = {"index.number_of_shards", "index.number_of_replicas"}
"""Accepted, since an index of any number of parts and copies is the same for its clients; there is one of each here."""

_ALIAS = {"index", "indices", "alias", "aliases", "is_write_index", "must_exist"}


def _flat(said: Any, prefix: str = "") -> dict[str, str]:
    """Return settings by their whole names."""
    if not isinstance(said, dict):
        raise unreadable("settings are an object")
    found: dict[str, str] = {}
    for key, value in said.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found |= _flat(value, name + ".")
        else:
            found[name if name.startswith("index.") else f"index.{name}"] = (
                str(value).lower() if isinstance(value, bool) else str(value)
            )
    return found


def _settings(said: Any, known: set[str]) -> dict[str, str]:
    found = _flat(said or {})
    for name, value in found.items():
        if name.startswith("index.analysis."):
            raise not_offered(
                "[index.analysis]",
                "There are the analyzers standard, simple, whitespace, keyword and those of languages.",
            )
        if name not in known:
            raise not_offered(f"the setting [{name}]", f"There are {', '.join(sorted(known))}.")
        if name == "index.refresh_interval" and value != "-1" and not value.rstrip("ms").isdigit():
            raise illegal(f"failed to parse setting [{name}] with value [{value}] as a time value")
        if name in _AT_FIRST and not value.isdigit():
            raise illegal(f"Failed to parse value [{value}] for setting [{name}]")
    return found


async def create(node: Node, request: Request) -> Answer:
    """Make an index."""
    name, body = request.names["index"], request.json() or {}
    if not isinstance(body, dict) or body.keys() - {"mappings", "settings", "aliases"}:
        raise unreadable("the body of an index has mappings, settings and aliases")
    fields, settings = (
        mapping.read(body.get("mappings", {})),
        _settings(body.get("settings"), _LATER | _AT_FIRST),
    )
    aliases = body.get("aliases", {})

    def work(draft: Draft) -> None:
        record = drafts.create(draft, name, fields, settings)
        for alias, more in aliases.items():
            _add(draft, record, alias, more or {})

    await node.change(work)
    return Answer({"acknowledged": True, "shards_acknowledged": True, "index": name})


async def delete(node: Node, request: Request) -> Answer:
    """Remove indices and all documents in them."""
    names = request.names["index"]
    held = {alias.name for alias in node.keeper.catalog.aliases}
    for name in names.split(","):
        if name in held:
            raise illegal(
                f"The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."
            )
    found = node.resolve(names, must=not request.flag("ignore_unavailable"))

    def work(draft: Draft) -> None:
        for record in found:
            if draft.records.pop(record.number, None) is None:
                raise no_index(record.name)
            draft.store.drop(record.number)
        gone = {record.number for record in found}
        draft.aliases = tuple(alias for alias in draft.aliases if alias.number not in gone)
        draft.changes = [change for change in draft.changes if change.number not in gone]

    await node.change(work, grows=False)
    return Answer({"acknowledged": True})


async def exists(node: Node, request: Request) -> Answer:
    """Tell whether there are such indices."""
    found = node.resolve(request.names["index"])
    return Answer("", 200 if found else 404)


async def get(node: Node, request: Request) -> Answer:
    """Everything about indices."""
    found = {}
    for record in node.resolve(request.names["index"], must=not request.flag("ignore_unavailable")):
        found[record.name] = {
            "aliases": _aliases(node, record),
            "mappings": record.mapping.document(),
            "settings": _shown_settings(record),
        }
    return Answer(found)


def _shown_settings(record: Record) -> dict[str, Any]:
    said = {name.removeprefix("index."): value for name, value in record.settings.items()}
    return {
        "index": {
            "number_of_shards": "1",
            "number_of_replicas": "0",
            **said,
            "creation_date": str(record.created),
            "uuid": record.uuid,
            "provided_name": record.name,
        }
    }


async def get_mapping(node: Node, request: Request) -> Answer:
    """The fields of indices."""
    found = node.resolve(request.names.get("index", ""))
    return Answer({record.name: {"mappings": record.mapping.document()} for record in found})


async def put_mapping(node: Node, request: Request) -> Answer:
    """Add fields."""
    found, said = node.resolve(request.names["index"]), request.json() or {}
    numbers = [record.number for record in found]

    def work(draft: Draft) -> None:
        for number in numbers:
            if number in draft.records:
                remap(draft, draft.records[number], said)

    await node.change(work, visible=True)
    return Answer({"acknowledged": True})


def remap(draft: Draft, record: Record, said: Any) -> None:
    """Add fields to an index.

    Args:
        draft: The group of changes.
        record: The index.
        said: A mapping, as somebody wrote it.

    Raises:
        Refused: A field that is there would become another one.
    """
    if isinstance(said, dict):
        said = {"dynamic": record.mapping.dynamic, **said}
    new: Mapping = mapping.merged(record.mapping, mapping.read(said))
    if new != record.mapping:
        draft.remap(record, new)
        draft.touched.add(record.number)


async def get_settings(node: Node, request: Request) -> Answer:
    """The settings of indices."""
    found = node.resolve(request.names.get("index", ""))
    return Answer({record.name: {"settings": _shown_settings(record)} for record in found})


async def put_settings(node: Node, request: Request) -> Answer:
    """Change settings."""
    found, body = node.resolve(request.names.get("index", "")), request.json() or {}
    said = body.get("settings", body) if isinstance(body, dict) else body
    new = _settings(said, _LATER | {"index.number_of_replicas"})
    numbers = [record.number for record in found]

    def work(draft: Draft) -> None:
        for number in numbers:
            if number in draft.records:
                record = draft.records[number]
                draft.put(structs.replace(record, settings={**record.settings, **new}))

    await node.change(work)
    return Answer({"acknowledged": True})


def _aliases(node: Node, record: Record, name: str = "") -> dict[str, Any]:
    return {
        alias.name: {} if alias.is_write is None else {"is_write_index": alias.is_write}
        for alias in node.keeper.catalog.aliases
        if alias.number == record.number
        and (not name or alias.name in name.split(",") or name in ("_all", "*"))
    }


async def get_alias(node: Node, request: Request) -> Answer:
    """The other names of indices."""
    name = request.names.get("name", "")
    records = node.resolve(request.names.get("index", ""))
    found = {record.name: {"aliases": _aliases(node, record, name)} for record in records}
    if name:
        found = {index: said for index, said in found.items() if said["aliases"]}
        if not found:
            return Answer({"error": f"alias [{name}] missing", "status": 404}, 404)
    return Answer(found)


async def put_alias(node: Node, request: Request) -> Answer:
    """Give indices another name."""
    records, name = node.resolve(request.names["index"]), request.names["name"]
    said = request.json() or {}

    def work(draft: Draft) -> None:
        for record in records:
            _add(draft, record, name, said)

    await node.change(work)
    return Answer({"acknowledged": True})


async def delete_alias(node: Node, request: Request) -> Answer:
    """Take another name from indices."""
    records, name = node.resolve(request.names["index"]), request.names["name"]
    await node.change(
        lambda draft: _remove(draft, records, name.split(","), must=True), grows=False
    )
    return Answer({"acknowledged": True})


async def aliases(node: Node, request: Request) -> Answer:
    """Change other names, all at once: no search sees some of it."""
    body = request.json()
    actions = body.get("actions") if isinstance(body, dict) else None
    if not isinstance(actions, list) or not actions or body.keys() - {"actions"}:
        raise unreadable("the body of a change of aliases has [actions]")

    def work(draft: Draft) -> None:
        for action in actions:
            if not isinstance(action, dict) or len(action) != 1:
                raise unreadable("an action is an object with one key")
            ((kind, said),) = action.items()
            _act(draft, node, kind, said)

    await node.change(work)
    return Answer({"acknowledged": True})


def _act(draft: Draft, node: Node, kind: str, said: Any) -> None:
    if kind not in ("add", "remove", "remove_index") or not isinstance(said, dict):
        raise illegal(f"[{kind}] is no action; there are add, remove and remove_index")
    for key in said.keys() - _ALIAS:
        raise not_offered(f"[{key}] of an alias")
    names = said.get("indices", said.get("index", []))
    indices = ",".join(names) if isinstance(names, list) else str(names)
    wanted = said.get("aliases", said.get("alias", []))
    wanted = wanted if isinstance(wanted, list) else [wanted]
    records = [
        draft.records[record.number]
        for record in node.resolve(indices)
        if record.number in draft.records
    ]
    if not indices or not records:
        raise no_index(indices)
    if kind == "remove_index":
        for record in records:
            del draft.records[record.number]
            draft.store.drop(record.number)
            draft.aliases = tuple(alias for alias in draft.aliases if alias.number != record.number)
            draft.changes = [change for change in draft.changes if change.number != record.number]
        return
    if not wanted:
        raise illegal(f"[{kind}] names an [alias]")
    if kind == "remove":
        _remove(draft, records, wanted, must=said.get("must_exist", True))
        return
    for record in records:
        for name in wanted:
            _add(
                draft, record, name, {key: said[key] for key in ("is_write_index",) if key in said}
            )


def _add(draft: Draft, record: Record, name: str, said: Any) -> None:
    if not isinstance(said, dict):
        raise unreadable("an alias is an object")
    for key in said.keys() - {"is_write_index"}:
        raise not_offered(f"[{key}] of an alias")
    drafts.check_name(name)
    if draft.named(name) is not None:
        raise Refused(
            "invalid_alias_name_exception",
            f"Invalid alias name [{name}]: an index or data stream exists with the same name as the alias",
            index=name,
        )
    alias = Alias(name, record.number, said.get("is_write_index"))
    if alias.is_write and any(
        a.name == name and a.is_write and a.number != record.number for a in draft.aliases
    ):
        raise illegal(f"alias [{name}] has more than one write index")
    others = tuple(a for a in draft.aliases if (a.name, a.number) != (name, record.number))
    draft.aliases = tuple(sorted((*others, alias), key=lambda a: (a.name, a.number)))
    draft.store.add_alias(alias)


def _remove(draft: Draft, records: list[Record], names: list[str], *, must: bool) -> None:
    found = False
    for record in records:
        for name in names:
            found |= draft.store.drop_alias(name, record.number)
    if must and not found:
        raise Refused(
            "aliases_not_found_exception", f"aliases [{','.join(names)}] missing", status=404
        )
    gone = {(name, record.number) for record in records for name in names}
    draft.aliases = tuple(
        alias for alias in draft.aliases if (alias.name, alias.number) not in gone
    )
