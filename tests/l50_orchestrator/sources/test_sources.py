from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drystone.l00_kernel.context import Caller, Context
from drystone.l25_deployer.api import Source
from drystone.l25_deployer.errors import ArtefactRefused
from drystone.l50_orchestrator.sources import keeping
from drystone.l50_orchestrator.sources.api import SourceFile, SourcesApi
from drystone.l50_orchestrator.sources.errors import SourceRefused, SourceUnknown, TooMuchSent
from drystone.l50_orchestrator.sources.keeping import Shelf
from drystone.l50_orchestrator.sources.lists import name_of_piece
from drystone.l50_orchestrator.sources.packing import sent
from drystone.testing.reaches import REACHES, Reach, reach
from l50_orchestrator.sources.shelf import make

ADA = Context(Caller("ada"))
TEXT = """\
schema: 1
service: orders
owner: commerce
process: {command: [./run], dir: app}
environments:
  prod: {process: {dir: built}}
"""


@pytest.fixture(params=REACHES)
async def sources(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SourcesApi]:
    how: Reach = request.param
    async with reach(how, SourcesApi, make, str(tmp_path / "kept")) as found:
        yield found


def written(folder: Path) -> Source:
    for name in ("app", "built", "other"):
        (folder / name).mkdir(parents=True)
        (folder / name / "run").write_text(f"#!/bin/sh\necho {name}\n")
        (folder / name / "run").chmod(0o755)
    (folder / "app" / "large").write_bytes(os.urandom(9 * 1024**2))
    (folder / "app" / "empty").touch()
    (folder / "app" / "link").symlink_to("large")
    return Source(TEXT, "service.yaml", str(folder))


async def test_what_arrives_is_what_was_sent_and_nothing_else(
    sources: SourcesApi, tmp_path: Path
) -> None:
    source = written(tmp_path / "here")
    found = await sent(sources, ADA, source, environment="dev", service="orders")
    digits = found.folder.removeprefix("sha256:")
    there = tmp_path / "kept" / "orders" / "folders" / digits
    assert sorted(str(p.relative_to(there)) for p in there.rglob("*") if not p.is_dir()) == [
        "app/empty",
        "app/large",
        "app/link",
        "app/run",
        "built/run",
    ]
    assert (there / "app/large").read_bytes() == (tmp_path / "here/app/large").read_bytes()
    assert os.access(there / "app/run", os.X_OK)
    assert not os.access(there / "app/large", os.X_OK)
    assert (there / "app/link").readlink() == Path("large")


async def test_only_what_has_changed_travels_again(tmp_path: Path) -> None:
    sources = make(str(tmp_path / "kept"))
    source = written(tmp_path / "here")
    first = await sent(sources, ADA, source, environment="dev", service="orders")
    (tmp_path / "here/app/run").write_text("#!/bin/sh\n")
    pieces = set((tmp_path / "kept/orders/pieces").iterdir())
    second = await sent(sources, ADA, source, environment="dev", service="orders")
    assert first.folder != second.folder
    assert len(set((tmp_path / "kept/orders/pieces").iterdir()) - pieces) == 1


async def test_two_that_send_the_same_at_once_both_succeed(tmp_path: Path) -> None:
    sources = make(str(tmp_path / "kept"))
    source = written(tmp_path / "here")
    found = await asyncio.gather(
        *(sent(sources, ADA, source, environment="dev", service="orders") for _ in range(4))
    )
    assert len({one.folder for one in found}) == 1
    assert len(list((tmp_path / "kept/orders/folders").iterdir())) == 1


async def test_a_source_belongs_to_the_service_that_it_was_sent_for(tmp_path: Path) -> None:
    sources = make(str(tmp_path / "kept"))
    source = written(tmp_path / "here")
    found = await sent(sources, ADA, source, environment="dev", service="orders")
    with pytest.raises(SourceUnknown, match="was not sent for billing"):
        await sources.folder_of(ADA, found.folder, environment="dev", service="billing")
    assert await sources.folder_of(ADA, found.folder, environment="dev", service="orders")
    nothing = await sources.folder_of(ADA, "", environment="dev", service="orders")
    assert list(Path(nothing).iterdir()) == []
    with pytest.raises(SourceRefused, match="no folder of this machine can be named"):
        await sources.folder_of(ADA, "/etc", environment="dev", service="orders")


async def test_what_no_service_is_made_of_is_refused_when_it_arrives(tmp_path: Path) -> None:
    sources = make(str(tmp_path / "kept"))
    with pytest.raises(SourceRefused, match="never belongs to a service"):
        await sources.offer(
            ADA, environment="dev", service="orders", files=[SourceFile(".git/config", "file")]
        )


async def test_one_piece_many_times_is_bounded_by_what_it_would_become(tmp_path: Path) -> None:
    sources = make(str(tmp_path / "kept"))
    piece = bytes(4 * 1024**2)
    await sources.send(ADA, environment="dev", service="orders", pieces=[piece])
    bomb = SourceFile("zeros", "file", (name_of_piece(piece),) * 200)
    with pytest.raises(SourceRefused, match="more than 512 MiB"):
        await sources.offer(ADA, environment="dev", service="orders", files=[bomb])
    assert list((tmp_path / "kept/orders/folders").iterdir()) == []


def test_pieces_that_nobody_uses_make_room_and_young_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PIECES_BYTES", 10)
    shelf = Shelf(tmp_path)
    shelf.put({"a": b"12345"})
    shelf.put({"b": b"12345"})
    with pytest.raises(TooMuchSent):
        shelf.put({"c": b"1"})
    os.utime(tmp_path / "pieces" / "a", (0, 0))
    shelf.put({"c": b"1"})
    assert {one.name for one in (tmp_path / "pieces").iterdir()} == {"b", "c"}


def test_of_sources_that_nobody_needs_the_last_ten_stay(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for number in range(14):
        shelf.make(f"{number:02}", [])
        os.utime(tmp_path / "folders" / f"{number:02}", (number, number))
    shelf.sweep(frozenset({"01"}))
    kept = sorted(one.name for one in (tmp_path / "folders").iterdir())
    assert kept == ["01", *(f"{number:02}" for number in range(4, 14))]


async def test_what_another_environment_is_made_of_may_be_missing_but_not_everything(
    tmp_path: Path,
) -> None:
    sources = make(str(tmp_path / "kept"))
    source = written(tmp_path / "here")
    shutil.rmtree(tmp_path / "here/built")
    found = await sent(sources, ADA, source, environment="dev", service="orders")
    kept = Path(await sources.folder_of(ADA, found.folder, environment="dev", service="orders"))
    assert {one.name for one in kept.iterdir()} == {"app"}
    shutil.rmtree(tmp_path / "here/app")
    with pytest.raises(ArtefactRefused, match="is not a folder"):
        await sent(sources, ADA, source, environment="dev", service="orders")
