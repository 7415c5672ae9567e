from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from drystone.l10_engines.runtimes import proc_table
from drystone.l10_engines.runtimes.bubblewrap import Bubblewrap
from drystone.l10_engines.runtimes.errors import SpecInvalid
from drystone.l10_engines.runtimes.interpreters import needed_paths
from drystone.l10_engines.runtimes.port import Instance, Mount
from drystone.testing.conformance.runtime_bench import Workbench
from drystone.testing.conformance.runtimes import Bench, RuntimeConformance

VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "PWD", "DRYSTONE_INSTANCE", "DRYSTONE_HOME_LABEL", "DRYSTONE_RUNTIME"}
)


def guard_and_monitor_of(instance: Instance) -> list[int]:
    monitor = int((instance.state / "pid").read_text())
    watching = proc_table.row(monitor)
    assert watching is not None
    return [watching.session, monitor]


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
class TestBubblewrap(RuntimeConformance):
    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(
            factory=Bubblewrap,
            python=sys.executable,
            watchers=guard_and_monitor_of,
            own_variables=VARIABLES,
        )

    async def test_the_command_is_the_second_process_of_its_own_space(
        self, work: Workbench
    ) -> None:
        instance = await work.start(work.program("import os; print(os.getpid())"))
        await instance.wait()
        assert instance.log.read_text() == "2\n"

    async def test_a_mount_may_appear_at_another_path(self, work: Workbench) -> None:
        (work.root / "data").mkdir()
        (work.root / "data" / "file").write_text("content")
        mounts = (Mount(work.root / "data", "/srv/data", read_only=True),)
        spec = work.program("print(open('/srv/data/file').read())", mounts=mounts)
        instance = await work.start(spec)
        await instance.wait()
        assert instance.log.read_text() == "content\n"

    async def test_a_folder_that_holds_the_platforms_files_is_not_shown(
        self, work: Workbench
    ) -> None:
        with pytest.raises(SpecInvalid, match="platform's own files"):
            await work.runtime.start(work.spec("true", directory=work.root))


def test_a_virtual_environment_needs_itself_and_the_python_it_was_made_from() -> None:
    needed = needed_paths(Path(sys.executable))
    assert Path(sys.base_prefix) in needed or Path(sys.base_prefix).is_relative_to("/usr")
    assert Path(sys.prefix) in needed


def test_a_script_needs_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text(f"#!{sys.executable}\n")
    assert needed_paths(script)[:2] == [script, Path(sys.prefix)]


def test_a_tool_alone_opens_no_folder(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    shutil.copy("/bin/true", tool)
    assert needed_paths(tool) == [tool]


def test_a_program_of_the_system_needs_nothing_more() -> None:
    assert needed_paths(Path("/usr/bin/env")) == []
