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


class TestBubblewrap(RuntimeConformance):
    @pytest.fixture
    async def bench(self) -> Bench:
        if (reason := await Bubblewrap().available()) is not None:
            pytest.skip(reason)
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

    async def test_java_finds_what_debian_keeps_of_it_in_etc(self, work: Workbench) -> None:
        if shutil.which("java") is None:
            pytest.skip("java is not here")
        source = "import subprocess, sys; sys.exit(subprocess.run(['java', '-Xshare:auto', '-version']).returncode)"
        instance = await work.start(work.program(source))
        assert (await instance.wait()).is_success, instance.log.read_text()

    async def test_a_mount_may_appear_at_another_path(self, work: Workbench) -> None:
        (work.root / "data").mkdir()
        (work.root / "data" / "file").write_text("content")
        mounts = (Mount(work.root / "data", "/srv/data", read_only=True),)
        spec = work.program("print(open('/srv/data/file').read())", mounts=mounts)
        instance = await work.start(spec)
        await instance.wait()
        assert instance.log.read_text() == "content\n"

    async def test_shared_memory_and_a_private_tmp_are_there(self, work: Workbench) -> None:
        here = work.root / "visible"
        here.touch()
        source = "import multiprocessing, os; multiprocessing.Lock(); print(*os.listdir('/tmp'))"
        instance = await work.start(work.program(source, environment={"HOME": "/tmp"}))
        assert (await instance.wait()).is_success, instance.log.read_text()
        # Only the ways to the folder that is home otherwise and to the interpreter; nothing that lies beside them.
        ways = {Path(sys.prefix).parts[2]} if sys.prefix.startswith("/tmp/") else set()
        assert set(instance.log.read_text().split()) <= {work.root.name, *ways}

    async def test_a_folder_that_holds_the_platforms_files_is_not_shown(
        self, work: Workbench
    ) -> None:
        with pytest.raises(SpecInvalid, match="platform's own files"):
            await work.runtime.start(work.spec("true", directory=work.root))


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment whose Python is a link to an installation elsewhere."""
    installation, environment = tmp_path / "python", tmp_path / "venv"
    for folder in (installation / "lib" / "python3.11", installation / "bin", environment / "bin"):
        folder.mkdir(parents=True)
    (installation / "lib" / "python3.11" / "os.py").touch()
    shutil.copy("/bin/true", installation / "bin" / "python3.11")
    (installation / "bin" / "python3").symlink_to("python3.11")
    (environment / "pyvenv.cfg").touch()
    (environment / "bin" / "python").symlink_to(installation / "bin" / "python3")
    return environment


def test_a_virtual_environment_needs_itself_and_the_python_it_was_made_from(
    environment: Path,
) -> None:
    needed = needed_paths(environment / "bin" / "python")
    assert needed == [environment, environment.parent / "python"]


def test_a_script_needs_its_interpreter(environment: Path, tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text(f"#!{environment}/bin/python\n")
    assert needed_paths(script) == [script, environment, environment.parent / "python"]


def test_a_tool_alone_opens_no_folder(tmp_path: Path) -> None:
    tool = tmp_path / "bin" / "tool"
    tool.parent.mkdir()
    shutil.copy("/bin/true", tool)
    assert needed_paths(tool) == [tool]


def test_a_program_of_the_system_needs_nothing_more() -> None:
    assert needed_paths(Path("/usr/bin/env")) == []
