"""Which requests there are, and which options each may have. Whatever is not here is refused by its name."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import unquote

from drystone.l10_engines.search import api_documents as documents
from drystone.l10_engines.search import api_indices as indices
from drystone.l10_engines.search import api_search as searches
from drystone.l10_engines.search.errors import Refused, illegal
from drystone.l10_engines.search.node import Answer, Node, Request

Handler: TypeAlias = Callable[[Node, Request], Awaitable[Answer]]

_EVERYWHERE = {
    "pretty",
    "human",
    "error_trace",
    "format",
    "timeout",
    "master_timeout",
    "cluster_manager_timeout",
}
"""Without a meaning here, or for how an answer looks; an answer comes as soon as it is there."""

_INDICES = {
    "ignore_unavailable",
    "allow_no_indices",
    "expand_wildcards",
    "local",
    "flat_settings",
    "include_defaults",
}
_CHANGE = {"refresh", "if_seq_no", "if_primary_term", "wait_for_active_shards", "require_alias"}
_SOURCE = {"_source", "_source_includes", "_source_excludes"}
_READ = {*_SOURCE, "preference", "realtime", "refresh"}
_SEARCH = {
    *_INDICES,
    *_SOURCE,
    "from",
    "size",
    "sort",
    "q",
    "df",
    "default_operator",
    "track_total_hits",
    "rest_total_hits_as_int",
    "version",
    "seq_no_primary_term",
    "preference",
    "request_cache",
    "search_type",
    "scroll",
    "batched_reduce_size",
    "ccs_minimize_roundtrips",
    "max_concurrent_shard_requests",
    "pre_filter_shard_size",
}
_BULK = {"refresh", "wait_for_active_shards", "batch_interval", "batch_size"}
_WAIT = {
    "wait_for_status",
    "wait_for_no_relocating_shards",
    "wait_for_no_initializing_shards",
    "level",
    "wait_for_nodes",
}

_TABLE: tuple[tuple[str, str, Handler, set[str]], ...] = (
    ("GET HEAD", "/", searches.info, set()),
    ("GET", "/_cluster/health", searches.health, _WAIT | _INDICES),
    ("GET", "/_cluster/health/{index}", searches.health, _WAIT | _INDICES),
    ("GET", "/_cat/indices", searches.cat_indices, {"v", "bytes", *_INDICES}),
    ("GET", "/_cat/indices/{index}", searches.cat_indices, {"v", "bytes", *_INDICES}),
    ("GET POST", "/_analyze", searches.analyze, set()),
    ("GET POST", "/_search", searches.search, _SEARCH),
    (
        "GET POST",
        "/_search/scroll",
        searches.scroll,
        {"scroll", "scroll_id", "rest_total_hits_as_int"},
    ),
    ("GET POST", "/_search/scroll/{id}", searches.scroll, {"scroll", "rest_total_hits_as_int"}),
    ("DELETE", "/_search/scroll", searches.end_scroll, {"scroll_id"}),
    ("DELETE", "/_search/scroll/{id}", searches.end_scroll, set()),
    ("GET POST", "/_msearch", searches.many, {"search_type", "max_concurrent_searches"}),
    ("GET POST", "/_count", searches.count, {"q", "df", "default_operator", *_INDICES}),
    ("GET POST", "/_refresh", searches.refresh, _INDICES),
    ("GET POST", "/_flush", searches.refresh, {"force", "wait_if_ongoing", *_INDICES}),
    ("PUT POST", "/_bulk", documents.bulk, _BULK),
    ("GET POST", "/_mget", documents.many, _READ),
    ("POST", "/_aliases", indices.aliases, set()),
    ("GET", "/_alias", indices.get_alias, _INDICES),
    ("GET HEAD", "/_alias/{name}", indices.get_alias, _INDICES),
    ("GET", "/_mapping", indices.get_mapping, _INDICES),
    ("GET", "/_settings", indices.get_settings, _INDICES),
    ("PUT", "/{index}", indices.create, {"wait_for_active_shards"}),
    ("DELETE", "/{index}", indices.delete, _INDICES),
    ("HEAD", "/{index}", indices.exists, _INDICES),
    ("GET", "/{index}", indices.get, _INDICES),
    ("GET", "/{index}/_mapping", indices.get_mapping, _INDICES),
    ("PUT POST", "/{index}/_mapping", indices.put_mapping, _INDICES),
    ("GET", "/{index}/_settings", indices.get_settings, _INDICES),
    ("PUT", "/{index}/_settings", indices.put_settings, _INDICES),
    ("GET", "/{index}/_alias", indices.get_alias, _INDICES),
    ("GET HEAD", "/{index}/_alias/{name}", indices.get_alias, _INDICES),
    ("PUT POST", "/{index}/_alias/{name}", indices.put_alias, set()),
    ("DELETE", "/{index}/_alias/{name}", indices.delete_alias, set()),
    ("POST", "/{index}/_doc", documents.write, _CHANGE | {"op_type"}),
    ("PUT POST", "/{index}/_doc/{id}", documents.write, _CHANGE | {"op_type"}),
    ("GET HEAD", "/{index}/_doc/{id}", documents.get, _READ),
    ("DELETE", "/{index}/_doc/{id}", documents.delete, _CHANGE),
    ("GET HEAD", "/{index}/_source/{id}", documents.source, _READ),
    ("PUT POST", "/{index}/_create/{id}", documents.create, _CHANGE),
    ("POST", "/{index}/_update/{id}", documents.update, _CHANGE | {"_source", "retry_on_conflict"}),
    (
        "POST",
        "/{index}/_delete_by_query",
        documents.delete_by_query,
        {"refresh", "conflicts", *_INDICES},
    ),
    ("PUT POST", "/{index}/_bulk", documents.bulk, _BULK),
    ("GET POST", "/{index}/_mget", documents.many, _READ),
    ("GET POST", "/{index}/_search", searches.search, _SEARCH),
    ("GET POST", "/{index}/_msearch", searches.many, {"search_type", "max_concurrent_searches"}),
    ("GET POST", "/{index}/_count", searches.count, {"q", "df", "default_operator", *_INDICES}),
    ("GET POST", "/{index}/_refresh", searches.refresh, _INDICES),
    ("GET POST", "/{index}/_flush", searches.refresh, {"force", "wait_if_ongoing", *_INDICES}),
)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", path)
    text = "".join(f"(?P<{p[1:-1]}>[^/]+)" if p.startswith("{") else re.escape(p) for p in parts)
    return re.compile(text.replace("(?P<index>[^/]+)", "(?P<index>(?!_(?!all))[^/]+)"))


_ROUTES = [
    (set(methods.split()), _pattern(path), handler, known)
    for methods, path, handler, known in _TABLE
]


def find(method: str, path: str, options: dict[str, str]) -> tuple[Handler, dict[str, str]]:
    """Return what answers a request, and the names in its path.

    Args:
        method: Of HTTP.
        path: As it was sent, with its percent signs.
        options: After the question mark.

    Raises:
        Refused: There is no such request, or it has an option that is not known.
    """
    path = path.rstrip("/") or "/"
    others: set[str] = set()
    for methods, pattern, handler, known in _ROUTES:
        found = pattern.fullmatch(path)
        if found is None:
            continue
        if method not in methods:
            others |= methods
            continue
        for name in options.keys() - known - _EVERYWHERE:
            raise illegal(
                f"request [{path}] contains unrecognized parameter: [{name}]; it is not offered here"
            )
        return handler, {name: unquote(part) for name, part in found.groupdict().items()}
    if others:
        raise Refused(
            "method_not_allowed_exception",
            f"Incorrect HTTP method for uri [{path}] and method [{method}], allowed: [{', '.join(sorted(others))}]",
            status=405,
        )
    raise Refused(
        "not_offered_exception",
        f"no handler found for uri [{path[:200]}] and method [{method}]; the search of this platform has indices, documents,"
        " bulk, search, count, aliases, mappings and settings",
    )
