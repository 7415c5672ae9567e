"""Each check of the random kills sees what it is for: something is put into a home by hand, or taken out of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from drystone.l00_kernel.atomic import PARTIAL
from drystone.l10_engines.loopback_ports import free_port
from drystone.l10_engines.processes import identity
from drystone.l10_engines.proxy.generation import LAST_GOOD
from drystone.l10_engines.runtimes import cgroups
from drystone.l10_engines.runtimes.cgroups import Cgroups
from drystone.l10_engines.runtimes.port import Limits
from drystone.l25_deployer.api import HistoryEvent
from drystone.testing.command_line import (
    processes_of,
)
from drystone.testing.faults import data, invariants, leftovers
from drystone.testing.faults.site import Site
from drystone.testing.faults.subjects import (
    ENVIRONMENT,
    Subject,
    bucket_subject,
)
from faults.disks import small_disk
from faults.hand_made_home import NOW, deployed, empty_home, instance, started

SLEEPER = ("sleep", "600")


@pytest.fixture
def home() -> Iterator[Path]:
    """A home in which nobody lives."""
    with empty_home() as home:
        yield home


@pytest.fixture
def blobs(tmp_path: Path) -> Subject:
    """A service with a bucket."""
    return bucket_subject(tmp_path)


@pytest.fixture
def site(home: Path, blobs: Subject) -> Site:
    """A home with the records of one service, and nothing that runs."""
    return deployed(home, blobs)


@contextmanager
def process(site: Site, *words: str) -> Iterator[int]:
    """Run something that carries the home's label."""
    env = {**os.environ, "DRYSTONE_HOME_LABEL": site.label}
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE) as running:
        try:
            yield running.pid
        finally:
            running.kill()


async def test_a_process_of_nobody_is_seen(site: Site, blobs: Subject) -> None:
    check = leftovers.NoStrayProcess()
    with process(site, *SLEEPER) as pid:
        (said,) = await check.violations(site)
        assert said.startswith(f"process {pid} ")
        started(site, instance(blobs, 7), pid)
        assert len(await check.violations(site)) == 1
        started(site, instance(blobs, 1), pid)
        assert await check.violations(site) == []


async def test_a_process_that_the_agent_started_and_forgot_is_seen(
    site: Site, blobs: Subject
) -> None:
    check = leftovers.NoStrayProcess()
    family = "sleep 600 & echo $!; wait"
    with process(site, "sh", "-c", f"({family}) & wait") as agent:
        (site.home.run / "agent.lock").write_text(str(agent))
        guard, main = await _family(site, agent)
        assert {int(text.split()[1]) for text in await check.violations(site)} == {guard, main}
        started(site, instance(blobs, 1), main)
        assert await check.violations(site) == []
        for pid in (guard, main):
            os.kill(pid, 9)


async def _family(site: Site, agent: int) -> tuple[int, int]:
    """Return the child and the grandchild of a process as soon as they are there."""
    async with asyncio.timeout(10):
        while True:
            mine = await asyncio.to_thread(processes_of, site.home.path)
            others = sorted(set(mine) - {agent})
            if len(others) == 2 and "sleep" in mine[others[1]]:
                return others[0], others[1]
            await asyncio.sleep(0.01)


async def test_a_group_of_nobody_is_seen(site: Site, blobs: Subject) -> None:
    check, places, limits = leftovers.NoStrayGroup(), Cgroups(), Limits(1 << 26, 1)
    if not places.enforced():
        pytest.skip("no group can be made here")
    made = places.create(site.label, instance(blobs, 1), limits)
    try:
        assert await check.violations(site) == []
        made += places.create(site.label, instance(blobs, 7), limits)
        found = await check.violations(site)
        assert found
        assert all(instance(blobs, 7) in text for text in found)
    finally:
        cgroups.remove(made)
        cgroups.remove({group.parent for group in made})


async def test_a_rule_that_names_the_home_is_seen(site: Site, blobs: Subject) -> None:
    check, table = leftovers.NoStrayRule(), f"chk_{site.label}"
    if shutil.which("nft") is None or _nft(f"add table inet {table}"):
        pytest.skip("no rule can be made here")
    try:
        assert _nft(f"add chain inet {table} c") == 0
        for release in (1, 7):
            words = f'comment "{site.label} {instance(blobs, release)}"'
            assert _nft(f"add rule inet {table} c accept {words}") == 0
        found = await check.violations(site)
        assert [instance(blobs, 7) in text for text in found].count(True) == 1
        assert not any(instance(blobs, 1) in text for text in found)
    finally:
        assert _nft(f"delete table inet {table}") == 0
    assert await check.violations(site) == []


def _nft(words: str) -> int:
    return subprocess.run(["nft", *words.split(" ")], capture_output=True, check=False).returncode


async def test_a_mount_in_the_home_is_seen(site: Site) -> None:
    check = leftovers.NoStrayMount()
    assert await check.violations(site) == []
    with small_disk(site.home.run):
        assert str(site.home.run) in (await check.violations(site))[0]


async def test_a_port_of_nobody_is_seen(site: Site) -> None:
    check = leftovers.NoStrayPort()
    listen = "import socket, time; s = socket.create_server(('127.0.0.1', {})); time.sleep(600)"
    free = free_port()
    with process(site, sys.executable, "-S", "-c", listen.format(free)) as pid:
        async with asyncio.timeout(10):
            while not (found := await check.violations(site)):  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.05)
        assert found[0].startswith(f"port {free} ")
        site.port = free
        assert await check.violations(site) == []
        assert identity.identify(pid) is not None


@pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed")
async def test_a_container_of_nobody_is_seen(site: Site, blobs: Subject, tmp_path: Path) -> None:
    check = leftovers.NoStrayContainer()
    (tmp_path / "root").mkdir()
    names = [f"drystone-{site.label}.{instance(blobs, release)}" for release in (1, 7)]
    try:
        for name in names:
            _podman("create", f"--label=drystone.home={site.label}", f"--name={name}", "--network=host", "--rootfs", str(tmp_path / "root"), "/none")  # fmt: skip
        (said,) = await check.violations(site)
        assert said.startswith(f"container {names[1]} ")
    finally:
        _podman("rm", "--force", *names)


def _podman(*words: str) -> None:
    subprocess.run(["podman", *words], check=True, capture_output=True)


async def test_files_of_nobody_are_seen(site: Site, blobs: Subject) -> None:
    folder, partial = leftovers.NoStrayFolder(), leftovers.NoPartialFile()
    for release in (1, 7):
        (site.home.instances / instance(blobs, release)).mkdir(parents=True)
    (said,) = await folder.violations(site)
    assert said.endswith(instance(blobs, 7))
    assert await partial.violations(site) == []
    for place in (site.home.path, site.home.run, site.home.services / "dev", site.home.instances):
        (place / f"{PARTIAL}1-x").touch()
    assert len(await partial.violations(site)) == 4


async def test_a_volume_and_a_credential_of_nobody_are_seen_and_a_missing_one(site: Site) -> None:
    volumes, secrets = data.NoStrayVolume(), data.NoStraySecret()
    assert await volumes.violations(site) == []
    assert await secrets.violations(site) == ["dev/blobs/files is missing"]
    (site.home.secrets / "dev/blobs/files").mkdir(parents=True)
    assert await secrets.violations(site) == []
    for root in (site.home.path / "volumes", site.home.secrets):
        (root / "dev/blobs/extra").mkdir(parents=True)
    assert await volumes.violations(site) == ["dev/blobs/extra is too many"]
    assert await secrets.violations(site) == ["dev/blobs/extra is too many"]


async def test_resources_that_the_release_does_not_name_are_seen(
    site: Site, blobs: Subject
) -> None:
    check, record = data.ResourcesAreTheReleases(), site.record("blobs")
    tell(site, "deploy began", "deploy done")
    assert await check.violations(site) == []
    for eternal in ({}, {**record.eternal, "extra": record.eternal["files"]}):
        site.documents.save_service(msgspec.structs.replace(record, eternal=eternal))
        assert len(await check.violations(site)) == 1
    tell(site, "rollback began", "rollback done")
    assert await check.violations(site) == []  # going back deletes no data


def tell(site: Site, *events: str, release: int = 1) -> None:
    """Add to the history of the service."""
    for event in events:
        line = HistoryEvent(NOW, "tests", event, "", release, f"v{release}")
        site.documents.append_history(ENVIRONMENT, "blobs", line)


async def test_what_the_history_does_not_tell_is_seen(site: Site, blobs: Subject) -> None:
    check = invariants.HistoryIsComplete()
    tell(site, "deploy began", "deploy done")
    assert await check.violations(site) == []
    blobs.done.add("v2")
    assert await check.violations(site) == ["blobs: that version v2 was done is not told"]
    blobs.done.clear()
    record, release = site.record("blobs"), site.documents.release(ENVIRONMENT, "blobs", 1)
    failed = msgspec.structs.replace(release, number=2, version="v2", state="failed")
    site.documents.save_release(record, failed)
    (said,) = await check.violations(site)
    assert "release 2 ended is not told" in said
    tell(site, "deploy began", "deploy done", release=2)
    found = await check.violations(site)
    assert any("release 2 is failed; told is deploy done" in text for text in found)
    assert any("1 serves" in text for text in found)


async def test_a_torn_line_of_the_history_is_seen(site: Site) -> None:
    tell(site, "deploy began", "deploy done")
    path = site.home.services / ENVIRONMENT / "blobs" / "history.jsonl"
    with path.open("ab") as file:
        file.write(b'{"at":"2026-')
    (said,) = await invariants.HistoryIsComplete().violations(site)
    assert "torn" in said


async def test_an_envoy_that_would_begin_with_another_release_is_seen(site: Site) -> None:
    check = invariants.RestartedEnvoyServesTheSame()
    place = site.home.engines / "proxy" / LAST_GOOD
    place.parent.mkdir()
    for pools, is_right in (
        (((20007, 100),), True),
        (((20007, 100), (20008, 0)), True),
        (((20008, 100), (20007, 0)), False),
        ((), False),
    ):
        place.write_bytes(msgspec.json.encode(bootstrap(*pools)))
        assert (await check.violations(site) == []) == is_right


def bootstrap(*pools: tuple[int, int]) -> dict[str, object]:
    """Return the clusters of an Envoy, with a port and a weight for each pool."""
    endpoints = [
        {
            "load_balancing_weight": weight,
            "lb_endpoints": [{"endpoint": {"address": {"socket_address": {"port_value": port}}}}],
        }
        for port, weight in pools
    ]
    cluster = {"name": f"blobs.{ENVIRONMENT}", "load_assignment": {"endpoints": endpoints}}
    return {"static_resources": {"clusters": [cluster]}}
