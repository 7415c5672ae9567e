from __future__ import annotations

import asyncio
import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from drystone.l00_kernel.atomic import write_atomically
from drystone.l10_engines.proxy.bootstrap import static_bootstrap
from drystone.l10_engines.proxy.edge import EdgeService, Endpoint, Pool, edge_snapshot
from drystone.l10_engines.proxy.edge_clusters import ADS_SOURCE
from drystone.l10_engines.proxy.errors import InvalidProxyConfig
from drystone.l10_engines.proxy.generation import LAST_GOOD, LEAST_GOOD
from drystone.l10_engines.proxy.last_good import LastGood
from drystone.l10_engines.proxy.settings import ProxySettings
from drystone.l10_engines.proxy.snapshot import Snapshot
from drystone.l10_engines.proxy.static_form import StaticForm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drystone.l10_engines.proxy.messages import Config

SETTINGS = ProxySettings(port=8400, access_log=Path("access.log"))

services = st.dictionaries(
    st.sampled_from(["a.dev", "b.dev", "c.dev"]),
    st.tuples(st.integers(1024, 1030), st.booleans()),
)
tokens = st.dictionaries(st.sampled_from(["t", "u"]), st.sampled_from(["one", "two"]))
checks = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from(["strict", "loose"]))


def whole(
    ports: Mapping[str, tuple[int, bool]], said: Mapping[str, str], checked: Mapping[str, str]
) -> Snapshot:
    """An edge with services, those that have a port of their own besides, secrets, and listeners with filters sent apart."""
    made = edge_snapshot(
        [
            EdgeService(
                name=name,
                hosts=(f"{name}.localhost",),
                pools=(Pool("blue", 100, (Endpoint(port),)),),
                timeout=timedelta(seconds=port % 7 + 1),
                internal_port=2000 + ord(name[0]) if has_own else None,
            )
            for name, (port, has_own) in ports.items()
        ],
        port=8400,
        access_log=SETTINGS.access_log,
    )
    asking: Config = {"name": "asks", "of": {"name": "t", "sds_config": ADS_SOURCE}}
    filters = {
        name: {"name": name, "filters": [{"name": name, "config_discovery": ADS_SOURCE}]}
        for name in checked
    }
    return replace(
        made,
        clusters={**made.clusters, "asks": asking},
        listeners={**made.listeners, **filters},
        secrets={name: {"name": name, "text": text} for name, text in said.items()},
        extensions={n: {"name": n, "typed_config": {"of": text}} for n, text in checked.items()},
    )


def read(parts: Sequence[bytes] | None) -> object:
    return None if parts is None else json.loads(b"".join(parts))


@given(st.lists(st.tuples(services, tokens, checks), min_size=1, max_size=6))
def test_whatever_came_before_the_form_is_that_of_the_snapshot_alone(
    steps: list[tuple[Mapping[str, tuple[int, bool]], Mapping[str, str], Mapping[str, str]]],
) -> None:
    form = StaticForm(SETTINGS)
    for step in steps:
        snapshot = whole(*step)
        everything, least = form.take(snapshot)
        assert read(everything) == static_bootstrap(snapshot, SETTINGS)
        needed = static_bootstrap(snapshot.without(snapshot.optional), SETTINGS)
        assert read(least) == (needed if snapshot.optional else None)


def test_only_what_is_another_object_is_encoded_again() -> None:
    form = StaticForm(SETTINGS)
    ports = {"a.dev": (1024, True), "b.dev": (1025, True)}
    first = whole(ports, {}, {})
    before = form.take(first)[0]
    moved = whole({**ports, "b.dev": (1026, True)}, {}, {}).endpoints["b.dev"]
    after = form.take(replace(first, endpoints={**first.endpoints, "b.dev": moved}))[0]
    known = {id(part) for part in before}
    (new,) = (part for part in after if id(part) not in known and b"1026" in part)
    assert json.loads(new)["name"] == "b.dev"
    others = [part for part in after if id(part) not in known and part is not new]
    assert sum(map(len, others)) < len(new), "secrets alone are written each time"


def test_a_listener_that_names_what_is_not_there_has_no_form() -> None:
    form = StaticForm(SETTINGS)
    made = whole({"a.dev": (1024, True)}, {}, {"x": "strict"})
    form.take(made)
    with pytest.raises(InvalidProxyConfig, match="extension 'x'"):
        form.take(replace(made, extensions={}))


async def test_an_older_configuration_never_comes_to_lie_over_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older, newer = whole({"a.dev": (1024, True)}, {}, {}), whole({}, {}, {})
    reached, let_go = threading.Event(), threading.Event()

    def slow(path: Path, content: Sequence[bytes]) -> None:
        if not reached.is_set():
            reached.set()
            assert let_go.wait(30)
        write_atomically(path, content)

    monkeypatch.setattr(f"{LastGood.__module__}.write_atomically", slow)
    kept = LastGood(tmp_path, SETTINGS)
    kept.accept(older)
    first = asyncio.create_task(kept.keep())
    await asyncio.to_thread(reached.wait, 30)
    first.cancel()
    kept.accept(newer)
    second = asyncio.create_task(kept.keep())
    await asyncio.sleep(0)
    let_go.set()
    await second
    assert first.cancelled()
    assert json.loads((tmp_path / LAST_GOOD).read_bytes()) == static_bootstrap(newer, SETTINGS)
    assert not (tmp_path / LEAST_GOOD).exists()
