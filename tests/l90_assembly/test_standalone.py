from __future__ import annotations

from pathlib import Path

import pytest

from drystone.l00_kernel.clock import SystemClock
from drystone.l00_kernel.errors import PlatformError
from drystone.l00_kernel.home import Home
from drystone.l00_kernel.ports import NullLog
from drystone.l00_kernel.settings import Settings
from drystone.l10_engines.runtimes.errors import RuntimeMissing
from drystone.l90_assembly.own_services import platform_descriptors, recovery_order
from drystone.l90_assembly.runtimes import Trials
from drystone.l90_assembly.standalone import (
    assemble,
)


def test_the_platforms_own_descriptors_name_a_layer_each() -> None:
    descriptors = platform_descriptors()

    assert len({one.service for one in descriptors}) == len(descriptors)
    assert all(one.layer is not None for one in descriptors)


def test_the_deployer_is_recovered_after_the_proxy_it_steers() -> None:
    height = {
        name: n for n, wave in enumerate(recovery_order(platform_descriptors())) for name in wave
    }

    assert set(height) == {one.service for one in platform_descriptors()}
    assert height["proxy"] < height["deployer"]


def test_homes_are_told_apart_by_their_labels(tmp_path: Path) -> None:
    labels = {Home(tmp_path / name).label for name in ("a", "b")}

    assert len(labels) == 2
    assert Home(tmp_path / "a/../a").label in labels


async def test_plain_processes_work_everywhere() -> None:
    works, chosen = await Trials().chosen("processes")

    assert chosen == "processes"
    assert "processes" in works


async def test_the_strongest_runtime_that_works_is_chosen() -> None:
    works, chosen = await Trials().chosen("auto")

    assert chosen == ("bubblewrap" if "bubblewrap" in works else "processes")


async def test_a_runtime_that_does_not_work_is_not_silently_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(RuntimeMissing, match="the settings ask for bubblewrap"):
        await Trials().chosen("bubblewrap")
    assert (await Trials().chosen("auto"))[1] == "processes"


async def test_a_key_that_cannot_be_read_is_told_before_anything_starts(tmp_path: Path) -> None:
    home = Home.create(tmp_path / "h")
    key = tmp_path / "key"
    key.write_text("k")
    environ = {
        "DRYSTONE_OBJECTS_ENDPOINT": "http://127.0.0.1:9",
        "DRYSTONE_OBJECTS_ACCESS_KEY_FILE": str(key),
        "DRYSTONE_OBJECTS_SECRET_KEY_FILE": str(tmp_path / "missing"),
        "DRYSTONE_RUNTIME": "processes",
    }

    with pytest.raises(PlatformError, match=r"missing.*(cannot be read|No such file|not exist)"):
        await assemble(
            home,
            Settings.load(home, environ),
            trials=Trials(),
            clock=SystemClock(),
            log=NullLog(),
            environ={},
            on_stopped=lambda: None,
        )
