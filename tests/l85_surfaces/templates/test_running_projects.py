"""The tests that a new project has pass as they are. Each runs the project's own program."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from drystone.l10_engines.postgres.server import Postgres
from drystone.l85_surfaces.templates import project
from drystone.l85_surfaces.templates.template import template
from drystone.testing.conformance.engines import short_home


def run(folder: Path, *command: str, **more: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here")
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    project.make(template(request.param), "orders", tmp_path / "orders", {})
    return tmp_path / "orders"


@pytest.mark.parametrize("made", ["python"], indirect=True)
def test_python(made: Path) -> None:
    run(made, sys.executable, "-m", "unittest", "discover", "-s", "tests", "-t", ".")


@pytest.mark.parametrize("made", ["node"], indirect=True)
def test_node(made: Path) -> None:
    run(made, "node", "--test", "tests/")


@pytest.mark.parametrize("made", ["java"], indirect=True)
def test_java(made: Path) -> None:
    run(made, "javac", "--release", "17", "-d", "classes", "@sources.txt")
    assert "all is well" in run(made, "java", "tests/ServiceTest.java")


@pytest.mark.slow
@pytest.mark.parametrize("made", ["kotlin"], indirect=True)
def test_kotlin(made: Path) -> None:
    run(made, "kotlinc", "src", "-include-runtime", "-jvm-target", "17", "-d", "app.jar")
    run(made, "kotlinc", "tests", "-include-runtime", "-d", "test.jar")
    assert "all is well" in run(made, "java", "-jar", "test.jar")


@pytest.mark.parametrize("made", ["static", "spa"], indirect=True)
def test_pages(made: Path) -> None:
    run(made, sys.executable, "-m", "unittest", "discover", "-s", "tests")
    if list(made.glob("tests/*.mjs")):
        run(made, "node", "--test", "tests/")


@pytest.mark.parametrize("made", ["worker"], indirect=True)
async def test_a_worker_on_a_real_database(made: Path) -> None:
    with short_home() as home:
        engine = Postgres("postgres", home / "postgres")
        try:
            await engine.start()
            said = await asyncio.to_thread(
                run,
                made,
                *(sys.executable, "-m", "unittest", "discover", "-s", "tests", "-t", "."),
                DB_URL=engine.admin().url(),
            )
        finally:
            await engine.stop()
    assert "skipped" not in said
