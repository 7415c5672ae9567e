"""Commands that need no platform."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from drystone.l85_surfaces.cli import entry
from drystone.l85_surfaces.cli.options import Shared, default_home
from l85_surfaces.cli.conftest import DESCRIPTOR, Drystone

MISTAKEN = DESCRIPTOR.replace("health:", "healt:")


def test_a_descriptor_without_mistakes_is_valid(drystone: Drystone, descriptor: Path) -> None:
    said = drystone("validate", str(descriptor))

    assert (said.code, said.out, said.err) == (0, "1 descriptor, no mistakes\n", "")


def test_a_mistake_is_shown_with_its_line_caret_and_help(
    drystone: Drystone, descriptor: Path
) -> None:
    descriptor.write_text(MISTAKEN)

    said = drystone("validate", str(descriptor))

    assert (said.code, said.err) == (1, "")
    assert said.out == (
        f"{descriptor}:7:1: unknown key 'healt'\n"
        "    7 | healt: /health\n"
        "      | ^^^^^\n"
        "      = help: did you mean 'health'?\n"
        "\n"
        "1 mistake\n"
    )


def test_all_files_are_read_before_the_verdict(
    drystone: Drystone, descriptor: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(MISTAKEN + "ownr: x\n")

    said = drystone("validate", str(other), str(descriptor))

    assert said.code == 1
    assert said.out.splitlines()[-1] == "2 mistakes in 1 of 2 descriptors"


def test_dependencies_among_files_are_shown_like_mistakes_and_may_refuse(
    drystone: Drystone, descriptor: Path, tmp_path: Path
) -> None:
    name = yaml.safe_load(DESCRIPTOR)["service"]
    other = tmp_path / "other.yaml"
    other.write_text(
        f"schema: 1\nservice: other\nowner: x\nlayer: 30\nprocess: {{command: [x]}}\ndependencies:\n  {name}: hard\n"
    )
    descriptor.write_text(f"{DESCRIPTOR}layer: 40\n")

    said = drystone("validate", str(descriptor), str(other))

    assert (said.code, said.err) == (1, "")
    assert said.out == (
        f"{other}:7:3: layer: dev/other (layer 30) needs dev/{name} on a higher layer (40);"
        " a hard dependency leads downwards\n"
        f"    7 |   {name}: hard\n"
        f"      |   {'^' * len(name)}\n"
        f"      = help: soften it, remove it, or move dev/{name} below layer 30\n"
        "\n"
        "2 descriptors, no mistakes; 1 would be refused\n"
    )
    (finding,) = json.loads(drystone("validate", str(descriptor), str(other), "--json").out)[
        "findings"
    ]
    assert (finding["rule"], finding["refuses"], finding["line"]) == ("layer", True, 7)

    descriptor.write_text(DESCRIPTOR.replace("tier: ", "tier: 4 # not "))
    copy = shutil.copy(other, other.with_name("copy.yaml"))
    said = drystone("validate", str(descriptor), str(other), str(copy))
    assert said.code == 0
    assert "copy.yaml describes 'other', as" in said.err
    assert said.out.startswith(f"{other}:7:3: worth knowing: tier: dev/other (tier 3) needs")
    assert said.out.endswith("3 descriptors, no mistakes; 1 worth knowing\n")


def test_mistakes_for_machines_are_one_document(drystone: Drystone, descriptor: Path) -> None:
    descriptor.write_text(MISTAKEN)

    said = drystone("validate", str(descriptor), "--json")

    (problem,) = json.loads(said.out)["problems"]
    assert said.code == 1
    assert (problem["file"], problem["line"], problem["column"]) == (str(descriptor), 7, 1)


def test_standard_input_is_read_for_a_dash(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(MISTAKEN.encode())))

    said = drystone("validate", "-")

    assert said.code == 1
    assert said.out.startswith("<stdin>:7:1: unknown key 'healt'\n")


@pytest.mark.parametrize("command", ["validate", "plan", "deploy"])
def test_a_file_that_cannot_be_read_is_named(
    drystone: Drystone, tmp_path: Path, command: str
) -> None:
    missing = drystone(command, str(tmp_path / "missing.yaml"))
    folder = drystone(command, str(tmp_path))

    assert (missing.code, folder.code) == (1, 1)
    assert "missing.yaml cannot be read: No such file" in missing.err
    assert (
        f"is a folder; give the descriptor in it, for example {tmp_path}/service.yaml" in folder.err
    )


@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_mistakes_are_shown_before_a_platform_is_asked(
    drystone: Drystone, descriptor: Path, command: str
) -> None:
    descriptor.write_text(MISTAKEN)

    said = drystone(command, str(descriptor))

    assert said.code == 1
    assert "has 1 mistake; nothing was changed" in said.err
    assert "= help: did you mean 'health'?" in said.err
    assert "no platform" not in said.err


def test_a_descriptor_that_is_no_text_is_a_mistake(drystone: Drystone, descriptor: Path) -> None:
    descriptor.write_bytes(b"\xff\xfe\x00")

    assert drystone("validate", str(descriptor)).code == 1


def test_the_schema_describes_a_valid_descriptor(drystone: Drystone) -> None:
    schema = json.loads(drystone("descriptor", "schema").out)

    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid(yaml.safe_load(DESCRIPTOR))
    assert not validator.is_valid(yaml.safe_load(MISTAKEN))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_knows_every_command(drystone: Drystone, shell: str) -> None:
    said = drystone("completion", shell)

    assert (said.code, said.err) == (0, "")
    assert all(word in said.out for word in ("rollback", "validate", "delete-data", "podman"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_what_is_typed(drystone: Drystone) -> None:
    script = drystone("completion", "bash").out
    ask = """
COMP_WORDS=(drystone roll); COMP_CWORD=1; COMP_LINE="drystone roll"; COMP_POINT=${#COMP_LINE}
"$(complete -p drystone | sed 's/.*-F \\([^ ]*\\).*/\\1/')" drystone roll drystone
echo "${COMPREPLY[@]}"
"""
    answer = subprocess.run(
        ["bash", "-c", script + ask], capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == ["rollback"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_completes_the_commands_of_a_group(drystone: Drystone) -> None:
    script = drystone("completion", "bash").out
    ask = """
COMP_WORDS=(drystone deps lay); COMP_CWORD=2; COMP_LINE="drystone deps lay"; COMP_POINT=${#COMP_LINE}
"$(complete -p drystone | sed 's/.*-F \\([^ ]*\\).*/\\1/')" drystone lay deps
echo "${COMPREPLY[@]}"
"""
    answer = subprocess.run(
        ["bash", "-c", script + ask], capture_output=True, text=True, check=True
    )

    assert answer.stdout.split() == ["layers"]


def test_the_version_has_two_ways(drystone: Drystone, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["--version"]) == 0
    short = capsys.readouterr().out.strip()

    assert drystone("version").out.startswith(f"{short} (Python 3.")
    assert json.loads(drystone("version", "--json").out)["drystone"] == short.split()[1]


def test_the_home_comes_from_the_option_then_the_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRYSTONE_HOME", "/nonexistent/variable")

    entry.main(["services"])
    assert "/nonexistent/variable" in capsys.readouterr().err
    entry.main(["services", "--home", "/nonexistent/option"])
    assert "/nonexistent/option" in capsys.readouterr().err


def test_an_empty_variable_is_no_home_and_an_empty_option_is_misuse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DRYSTONE_HOME", "")

    assert Shared().folder in {Path("/var/lib/drystone"), Path("~/.drystone").expanduser()}
    assert entry.main(["services", "--home", ""]) == 2
    assert "--home is empty" in capsys.readouterr().err


def test_a_locale_without_our_signs_is_no_reason_to_fail(tmp_path: Path) -> None:
    program = "import sys; from drystone.l85_surfaces.cli.entry import main; sys.exit(main())"
    (tmp_path / "späti.yaml").write_text("späti: ☕\n")

    words = ["validate", "späti.yaml"]
    text, machine = (
        subprocess.run(
            [sys.executable, "-c", program, *words, *json_option],
            cwd=tmp_path,
            env={**os.environ, "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            check=False,
        )
        for json_option in ([], ["--json"])
    )

    assert (text.returncode, machine.returncode) == (1, 1)
    assert text.stdout.decode("ascii").startswith("sp?ti.yaml:1:1: ")
    assert json.loads(machine.stdout)["problems"][0]["file"] == "späti.yaml"


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert Shared(home="platform").folder == tmp_path / "platform"
    assert Shared().folder == default_home()


def test_a_foreign_folder_does_not_become_a_home(drystone: Drystone, folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis.txt").write_text("do not touch")

    said = drystone("up", "--detach")

    assert said.code == 1
    assert "is not a platform's home: it holds thesis.txt" in said.err


def test_mistakes_in_settings_are_told_before_anything_starts(
    drystone: Drystone, folder: Path
) -> None:
    folder.mkdir()
    (folder / "settings.toml").write_text("prot = 8500\n")

    said = drystone("up", "--detach")

    assert said.code == 1
    assert "there is no setting prot; did you mean port?" in said.err
    assert not (folder / "run/keeper.log").exists()
