from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.choice import Runtimes
from drystone.l10_engines.runtimes.errors import RuntimeMissing, SpecInvalid
from drystone.l10_engines.runtimes.podman import Podman
from drystone.l10_engines.runtimes.port import InstanceSpec, Limits


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runtimes:
    """A machine without bubblewrap and podman."""
    monkeypatch.setenv("PATH", str(tmp_path))
    runtimes = Runtimes()
    monkeypatch.undo()
    return runtimes


@pytest.fixture
def short_path() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="drystone-choice-"))
    yield path
    shutil.rmtree(path)


async def test_a_command_runs_in_a_sandbox_where_there_is_one() -> None:
    chosen = await Runtimes().choose("auto", for_image=False)
    works = await Bubblewrap().available() is None
    assert chosen.name == ("bubblewrap" if works else "processes")


async def test_a_command_runs_as_a_process_where_there_is_no_sandbox(bare: Runtimes) -> None:
    assert (await bare.choose("auto", for_image=False)).name == "processes"
    assert (await bare.choose("processes", for_image=False)).name == "processes"


async def test_what_was_asked_for_is_never_replaced_by_less(bare: Runtimes) -> None:
    with pytest.raises(RuntimeMissing, match="apt install bubblewrap"):
        await bare.choose("bubblewrap", for_image=False)
    for setting in ("auto", "podman"):
        with pytest.raises(RuntimeMissing, match="apt install podman"):
            await bare.choose(setting, for_image=True)


@pytest.mark.parametrize(
    ("setting", "for_image", "message"),
    [
        ("docker", True, "auto, processes, bubblewrap, podman"),
        ("processes", True, "needs podman"),
        ("podman", False, "name one"),
    ],
)
async def test_a_setting_that_can_never_work_is_refused(
    setting: str, for_image: bool, message: str
) -> None:
    with pytest.raises(SpecInvalid, match=message):
        await Runtimes().choose(setting, for_image=for_image)


async def test_an_image_runs_in_podman() -> None:
    if (reason := await Podman().available()) is not None:
        pytest.skip(reason)
    assert (await Runtimes().choose("auto", for_image=True)).name == "podman"


async def test_a_machine_without_podman_has_no_strays_in_it(bare: Runtimes) -> None:
    assert await bare.strays("some-home", frozenset()) == []


async def test_the_report_says_what_is_missing(bare: Runtimes) -> None:
    reports = {report.name: report for report in await bare.report()}
    assert reports["processes"].reason is None
    assert "apt install" in (reports["bubblewrap"].reason or "")
    assert reports["podman"].isolation.files


async def test_instances_and_strays_are_found_whatever_runtime_they_are_in(
    short_path: Path,
) -> None:
    runtimes = Runtimes()
    for runtime in runtimes.all[:2]:
        if await runtime.available() is not None:
            continue
        spec = InstanceSpec(
            id=runtime.name,
            command=("sleep", "60"),
            environment={},
            state=short_path / runtime.name,
            limits=Limits(memory=2**26, cpu=1.0),
            home_label=short_path.name,
        )
        instance = await runtime.start(spec)
        found = await runtimes.find(spec.state)
        assert found is not None
        assert found.pid == instance.pid
        strays = await runtimes.strays(short_path.name, frozenset())
        assert [(owner.name, stray.id) for owner, stray in strays] == [(runtime.name, runtime.name)]
        assert await runtimes.strays(short_path.name, frozenset({runtime.name})) == []
        await found.stop(grace=timedelta(0))
    assert await runtimes.find(short_path / "nothing") is None
