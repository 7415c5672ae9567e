"""What a set-up installs: environments that versions of the code share, or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from drystone.l25_deployer.builds.artifacts import Artifacts
from drystone.l25_deployer.errors import BuildFailed
from l25_deployer.builds.running import run

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "greetings"
version = "1"
"""
BACKEND = """
import zipfile
from pathlib import Path

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = "greetings-1-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, name), "w") as wheel:
        wheel.writestr("greetings.py", Path("greetings.py").read_text())
        wheel.writestr("greetings-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: greetings\\nVersion: 1\\n")
        wheel.writestr("greetings-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: b\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("greetings-1.dist-info/RECORD", "")
    return name
"""
"""A package that builds itself, so that nothing has to be fetched (PEP 517, in-tree backends)."""

OWNER = ("dev", "shop")
INSTALL = ("uv", "pip", "install")


def package(place: Path, said: str) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "pyproject.toml").write_text(PYPROJECT)
    (place / "backend.py").write_text(BACKEND)
    (place / "greetings.py").write_text(f"SAID = {said!r}\n")


async def test_versions_of_the_code_share_an_environment_until_their_requirements_differ(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    package(tmp_path / "lib", "hello")
    (folder / "requirements.txt").write_text(f"{tmp_path}/lib\n")
    setup = (*INSTALL, "-r", "requirements.txt")

    first = await store.build(folder, OWNER, runtime="python", setup=setup)
    (folder / "app.py").write_text("print('changed')\n")
    second = await store.build(folder, OWNER, runtime="python", setup=setup)
    (folder / "requirements.txt").write_text(f"# again\n{tmp_path}/lib\n")
    third = await store.build(folder, OWNER, runtime="python", setup=setup)

    assert run(first) == "hello"
    assert first.runtime == second.runtime != third.runtime
    assert len({first.source, second.source, third.source}) == 3


@pytest.mark.parametrize("what", [".", ".[all]", "./"])
async def test_an_environment_that_holds_the_code_is_made_anew_with_it(
    store: Artifacts, folder: Path, what: str
) -> None:
    package(folder, "old")
    setup = (*INSTALL, what)
    first = await store.build(folder, OWNER, runtime="python", setup=setup)
    package(folder, "new")
    second = await store.build(folder, OWNER, runtime="python", setup=setup)

    assert (run(first), run(second)) == ("old", "new")


async def test_what_a_set_up_installs_into_the_folder_is_there(
    store: Artifacts, folder: Path
) -> None:
    package(folder, "vendored")

    built = await store.build(
        folder, OWNER, runtime="python", setup=(*INSTALL, "--target", "vendor", ".")
    )

    assert (built.source / "vendor/greetings.py").exists()


async def test_a_set_up_that_fails_after_it_wrote_into_the_folder_leaves_no_half_of_it(
    store: Artifacts, folder: Path, tmp_path: Path
) -> None:
    package(folder, "vendored")
    package(folder / "late", "late")
    (folder / "late/backend.py").write_text("raise SystemExit('not yet')")
    setup = (*INSTALL, "--target", "vendor", "./late")

    for _ in range(2):  # the second finds nothing of the first
        with pytest.raises(BuildFailed, match="not yet"):
            await store.build(folder, OWNER, runtime="python", setup=setup)
        assert not list((tmp_path / "artifacts").glob("*/complete"))


@pytest.mark.slow  # making an environment that has pip takes ten seconds on a busy machine
async def test_pip_installs_where_the_descriptor_asks_for_it(
    store: Artifacts, folder: Path
) -> None:
    package(folder, "by pip")
    setup = ("pip", "install", "--no-build-isolation", ".")

    built = await store.build(folder, OWNER, runtime="python", setup=setup)

    assert run(built) == "by pip"


async def test_an_environment_needs_no_set_up(store: Artifacts, folder: Path) -> None:
    first = await store.build(folder, OWNER, runtime="python", setup=())
    (folder / "pyproject.toml").write_text(PYPROJECT)
    second = await store.build(folder, OWNER, runtime="python", setup=())

    assert run(first, "import sys; print(sys.prefix)") == str(first.runtime)
    assert first.runtime == second.runtime
