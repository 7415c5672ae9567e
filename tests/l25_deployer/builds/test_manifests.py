"""An environment is made anew exactly when what it is made from changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from drystone.l25_deployer.builds.folder import read_folder
from drystone.l25_deployer.builds.manifests import manifests

FILES = {
    "app.py": "",
    "pkg/__init__.py": "",
    "pkg/setup.py": "",
    "wheels/a-1.whl": "",
    "vendored-1.tar.gz": "",
    "requirements.txt": "requests==2.0  # the client\n",
    "deps/prod.txt": "-r base.txt\n",
    "deps/base.txt": "flask\n",
    "deps/limits.txt": "flask<4\n",
    "pyproject.toml": "",
    "notes.md": "",
}
TOP = {"requirements.txt", "pyproject.toml"}
PROD = {"deps/prod.txt", "deps/base.txt"}
ALL = set(FILES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def depends_on(folder: Path, setup: str) -> set[str]:
    words = tuple(setup.split())
    return {entry.path for entry in manifests(folder, read_folder(folder), words)}


@pytest.mark.parametrize(
    ("setup", "expected"),
    [
        ("pip install requests", TOP),
        ("pip install -r requirements.txt", TOP),
        ("pip install -r ./requirements.txt", TOP),
        ("pip install -r deps/prod.txt", TOP | PROD),
        ("pip install -rdeps/prod.txt", TOP | PROD),
        ("uv pip install --requirement=deps/prod.txt", TOP | PROD),
        ("pip install flask -c deps/limits.txt", TOP | {"deps/limits.txt"}),
        ("pip install wheels/a-1.whl", TOP | {"wheels/a-1.whl"}),
        ("pip install vendored-1.tar.gz[extra]", TOP | {"vendored-1.tar.gz"}),
        ("pip install --index-url https://example.org/simple/ flask", TOP),
        ("pip install pkg", TOP),
        ("pip install git+https://example.org/pkg", TOP),
        ("pip install .", ALL),
        ("pip install .[dev]", ALL),
        ("pip install ./pkg", ALL),
        ("pip install ./pkg[dev]", ALL),
        ("pip install pkg/", ALL),
        ("pip install -e pkg", ALL),
        ("pip install -e.", ALL),
        ("pip install --editable=pkg", ALL),
        ("pip install --find-links wheels a", ALL),
        ("pip install --find-links=wheels a", ALL),
        ("pip install file:pkg", ALL),
    ],
)
def test_a_set_up_depends_on_what_it_names(folder: Path, setup: str, expected: set[str]) -> None:
    assert depends_on(folder, setup) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flask>=3; python_version > '3.9'", TOP),
        ("# ./pkg is not installed", TOP),
        ("flask  # not ./pkg", TOP),
        ("-r deps/prod.txt", TOP | PROD),
        ("-c \\\n deps/limits.txt", TOP | {"deps/limits.txt"}),
        ("wheels/a-1.whl", TOP | {"wheels/a-1.whl"}),
        ("pkg @ https://example.org/pkg.zip", TOP),
        ("--extra-index-url https://example.org/simple/", TOP),
        ("-r requirements.txt", TOP),
        ("pkg", TOP),
        ("./pkg", ALL),
        ("pkg/", ALL),
        (".", ALL),
        ("-e .", ALL),
        ("-e ./pkg[dev]", ALL),
        ("--editable pkg", ALL),
        ("pkg @ file:///srv/pkg", ALL),
        ("--find-links wheels", ALL),
    ],
)
def test_a_requirements_file_is_followed(folder: Path, line: str, expected: set[str]) -> None:
    (folder / "requirements.txt").write_text(f"requests\n{line}\n")

    assert depends_on(folder, "pip install -r requirements.txt") == expected


def test_a_file_is_found_relative_to_the_one_that_names_it(folder: Path) -> None:
    (folder / "deps/prod.txt").write_text("-r ../requirements.txt\n../pkg\n")

    assert depends_on(folder, "pip install -r deps/prod.txt") == ALL
