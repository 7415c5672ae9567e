"""Commands by which services begin, come from elsewhere and leave, as programs and people see them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from l85_surfaces.cli.conftest import Drystone

COMPOSE = "services:\n  web: {image: shop:1, networks: [a]}\n  api: {image: api:1}\n"


def test_templates_are_listed_for_people_and_machines(drystone: Drystone) -> None:
    assert "python  A web service in Python" in drystone("new", "--list").out
    told = {one["template"]: one for one in json.loads(drystone("new", "--list", "--json").out)}
    assert told["worker"]["questions"].keys() == {"owner", "description"}


def test_a_project_is_made_told_and_updated(drystone: Drystone, tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    made = drystone("new", "static", "desk", str(folder), "-a", "owner=us", "--json")
    assert json.loads(made.out)["folder"] == str(folder)
    assert (made.code, (folder / "service.yaml").read_text().count('owner: "us"')) == (0, 1)

    found = drystone("template", "update", str(folder), "--json")
    assert (found.code, json.loads(found.out)["changes"]) == (0, [])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["new", "python"], 2, "name the new service"),
        (["new", "pyton", "x"], 1, "did you mean 'python'"),
        (["new", "python", "../x"], 1, "no name of a service"),
        (["new", "python", "x", "-a", "owner"], 2, "QUESTION=TEXT"),
        (["new", "python", "x", "-a", "owner=a", "-a", "owner=b"], 2, "given twice"),
        (["template", "update", "."], 1, "only what 'drystone new' made"),
        (["import", "none.yaml", "--format", "compose"], 1, "cannot be read"),
        (["import", "none.yaml", "--format", "helm"], 2, "--format cannot be 'helm'"),
        (["export", "./none.yaml", "--to", "compose"], 1, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str],
    code: int,
    says: str,
    *,
    drystone: Drystone,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = drystone(*words)
    assert (said.code, says in said.err) == (code, True), said.err
    assert list(tmp_path.iterdir()) == []


def test_descriptors_are_written_once_or_not_at_all(drystone: Drystone, tmp_path: Path) -> None:
    source = tmp_path / "compose.yaml"
    source.write_text(COMPOSE)
    (tmp_path / "api.service.yaml").write_text("mine")

    refused = drystone("import", str(source), "-f", "compose", "-o", str(tmp_path))
    assert (refused.code, "nothing was written" in refused.err) == (1, True)
    assert not (tmp_path / "web.service.yaml").exists()
    assert (tmp_path / "api.service.yaml").read_text() == "mine"

    done = drystone("import", str(source), "-f", "compose", "-o", str(tmp_path / "new"), "--json")
    told = json.loads(done.out)
    assert [Path(one).name for one in told["written"]] == ["web.service.yaml", "api.service.yaml"]
    assert any(
        one["path"] == "services.web.networks" and one["line"] == 2 for one in told["remarks"]
    )
    checked = drystone("validate", *told["written"])
    assert checked.code == 0, checked.out


def test_a_link_out_of_the_folder_is_not_followed(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret.env").write_text("SECRET_WORD=hunter2\nOTHER=hunter3\n")
    (tmp_path / "inside" / "a.env").symlink_to(tmp_path / "secret.env")
    source = tmp_path / "inside" / "compose.yaml"
    source.write_text("services: {a: {image: a, env_file: a.env}}\n")

    said = drystone("import", str(source), "-f", "compose")
    assert said.code == 0
    assert "hunter" not in said.out + said.err
    assert "outside of the folder" in said.err


def test_what_is_exported_is_told_for_machines(drystone: Drystone, descriptor: Path) -> None:
    told = json.loads(drystone("export", str(descriptor), "--to", "kubernetes", "--json").out)
    assert set(told["files"]) == {"orders.yaml", "orders.Dockerfile"}
    assert told["remarks"]


def test_mistakes_of_a_descriptor_are_shown_before_it_leaves(
    drystone: Drystone, descriptor: Path
) -> None:
    descriptor.write_text(descriptor.read_text().replace("health:", "healt:"))
    said = drystone("export", str(descriptor), "--to", "compose")
    assert (said.code, said.out) == (1, "")
    assert "did you mean 'health'?" in said.err
