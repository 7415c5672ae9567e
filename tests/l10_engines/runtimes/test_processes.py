from __future__ import annotations

import sys

import pytest

from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.runtimes.cgroups import Cgroups
from drystone.l10_engines.runtimes.errors import InstanceFailed, SpecInvalid
from drystone.l10_engines.runtimes.port import Instance, Mount
from drystone.l10_engines.runtimes.processes import Processes
from drystone.testing.conformance.runtime_bench import Workbench
from drystone.testing.conformance.runtimes import Bench, RuntimeConformance

VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "PWD", "DRYSTONE_INSTANCE", "DRYSTONE_HOME_LABEL", "DRYSTONE_RUNTIME"}
)


def guard_of(instance: Instance) -> list[int]:
    main = proc_table.row(instance.pid)
    assert main is not None
    return [main.session]


def processes_without_groups() -> Processes:
    """As in a container whose control groups are read-only."""
    return Processes(groups=Cgroups({}))


class TestProcesses(RuntimeConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(
            factory=Processes, python=sys.executable, watchers=guard_of, own_variables=VARIABLES
        )

    async def test_a_mount_at_another_path_is_refused(self, work: Workbench) -> None:
        mounts = (Mount(work.root, "/srv/data"),)
        with pytest.raises(SpecInvalid, match="use bubblewrap or podman"):
            await work.runtime.start(work.spec("true", mounts=mounts))

    async def test_an_image_is_refused(self, work: Workbench) -> None:
        with pytest.raises(SpecInvalid, match="use podman"):
            await work.runtime.start(work.spec("true", image="some:1"))

    async def test_more_than_the_kernel_takes_is_refused_and_leaves_no_group(
        self, work: Workbench
    ) -> None:
        spec = work.spec("true", environment={"LONG": "x" * 1_000_000})
        with pytest.raises(InstanceFailed, match="too long"):
            await work.runtime.start(spec)


class TestProcessesWithoutGroups(RuntimeConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(
            factory=processes_without_groups,
            python=sys.executable,
            watchers=guard_of,
            own_variables=VARIABLES,
        )

    def test_nothing_is_promised_that_is_not_held(self, work: Workbench) -> None:
        isolation = work.runtime.isolation()
        assert not any([isolation.memory, isolation.cpu, isolation.pids])
        assert "not enforced: files, processes" in isolation.sentence()
