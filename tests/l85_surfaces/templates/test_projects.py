"""Projects from templates: what is made, what is refused, and how updates come in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drystone.l25_deployer.descriptor import read
from drystone.l85_surfaces.templates import project
from drystone.l85_surfaces.templates.errors import (
    AnswerRefused,
    FolderTaken,
    FolderUnusable,
    MergeOpen,
    NameRefused,
    NotFromTemplate,
    TemplateMistaken,
    TemplateNotFound,
)
from drystone.l85_surfaces.templates.template import Template, kinds, template

KINDS = {one.kind: one for one in kinds()}
MANIFEST = "version: {}\ntitle: A test\nquestions:\n  owner: {{ask: Who?, default: us}}\n"


def a_template(folder: Path, version: int = 1, **files: str) -> Template:
    folder.mkdir(exist_ok=True)
    for path in folder.rglob("*"):
        path.unlink()
    (folder / "template.yaml").write_text(MANIFEST.format(version))
    for name, text in files.items():
        (folder / name).write_text(text)
    return template(str(folder))


def texts(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file() and ".drystone" not in path.parts
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_template_gives_a_service_that_has_no_mistakes(kind: str, tmp_path: Path) -> None:
    files = project.make(KINDS[kind], "orders", tmp_path / "orders", {})

    found = texts(tmp_path / "orders")
    assert sorted(found) == files
    assert read(found["service.yaml"]).report() == ""
    assert {"README.md", ".gitignore", ".github/workflows/deploy.yml"} <= found.keys()
    assert any(name.startswith("tests/") for name in files)
    assert [name for name, text in found.items() if "@@" in text] == []
    assert "orders" in found["README.md"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_answers_that_are_taken_still_give_a_valid_descriptor(
    kind: str, tmp_path: Path
) -> None:
    odd = "it's: {a} #b, [c] & d - %e !f *g | h?".replace("&", "and")
    project.make(KINDS[kind], "a" * 40, tmp_path / "x", {"owner": odd, "description": odd})

    reading = read((tmp_path / "x" / "service.yaml").read_bytes())
    assert reading.descriptor is not None
    assert (reading.descriptor.owner.team, reading.descriptor.description) == (odd, odd)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../x", "a/b", "/etc", "A", "1a", "a_b", "a b", "a\n", "a\0", "-a", "a-", "a" * 41],
)
def test_a_name_that_no_service_can_have_is_refused_and_nothing_written(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(NameRefused, match="a-z"):
        project.make(KINDS["python"], name, tmp_path / "x", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ['"', "\\", "a\nb", "\x1b[31m", "`id`", "<b>", "@@name@@", "$x"])
def test_an_answer_that_files_would_obey_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(AnswerRefused, match="one line"):
        project.make(KINDS["python"], "orders", tmp_path / "x", {"owner": text})
    assert list(tmp_path.iterdir()) == []


def test_an_answer_to_no_question_is_refused_with_the_right_word(tmp_path: Path) -> None:
    with pytest.raises(AnswerRefused, match="did you mean 'owner'"):
        project.make(KINDS["python"], "orders", tmp_path / "x", {"ownr": "us"})


def test_a_folder_that_is_not_empty_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(FolderTaken, match="not empty"):
        project.make(KINDS["static"], "orders", tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_empty_folder_is_filled_and_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    before = (tmp_path / "here").stat().st_ino
    project.make(KINDS["static"], "orders", tmp_path / "here", {})
    assert (tmp_path / "here").stat().st_ino == before
    assert (tmp_path / "here" / "service.yaml").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_link_and_a_missing_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(FolderTaken):
        project.make(KINDS["static"], "orders", tmp_path / "link", {})
    with pytest.raises(FolderUnusable, match="no folder"):
        project.make(KINDS["static"], "orders", tmp_path / "none" / "x", {})
    assert list((tmp_path / "there").iterdir()) == []


@pytest.mark.parametrize("kind", ["pyhton", "../python", "..", "python/", "/etc"])
def test_a_template_that_is_not_there_is_said(kind: str) -> None:
    with pytest.raises(TemplateNotFound):
        template(kind)


def test_a_template_with_a_link_in_it_gives_away_nothing(tmp_path: Path) -> None:
    one = a_template(tmp_path / "t", a="x")
    (tmp_path / "t" / "b").symlink_to("/etc/passwd")
    with pytest.raises(TemplateMistaken, match="is a link"):
        project.make(one, "orders", tmp_path / "x", {})


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("version: 1\n", "title"),
        ("version: x\ntitle: a\n", "int"),
        ("version: 1\ntitle: a\nvresion: 2\n", "vresion"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "unknown field"),
        ("version: 1\nversion: 2\ntitle: a\n", "mistakes"),
    ],
)
def test_a_manifest_with_mistakes_says_which(manifest: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(manifest)
    with pytest.raises(TemplateMistaken, match=says):
        template(f"{tmp_path}/")


def test_an_update_brings_what_is_new_and_keeps_what_was_changed(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    old = a_template(tmp_path / "t", same="1\n2\n3\n4\n5\n", drops="x\n", kept="x\n", gone="x\n")
    project.make(old, "orders", folder, {"owner": "me"})
    (folder / "same").write_text("1\n2\n3\n4\nmine\n")
    (folder / "kept").write_text("mine\n")
    (folder / "gone").unlink()
    new = a_template(tmp_path / "t", 2, same="new\n2\n3\n4\n5\n", gone="y\n", added="@@owner@@\n")

    trial = project.update(new, folder, is_trial=True)
    assert (folder / "drops").is_file()
    done = project.update(new, folder)

    assert trial == done
    assert {one.path: one.what for one in done.changes} == {
        "same": "merged",
        "drops": "removed",
        "kept": "kept",
        "gone": "kept",
        "added": "added",
    }
    assert texts(folder) == {"same": "new\n2\n3\n4\nmine\n", "kept": "mine\n", "added": "me\n"}
    assert project.update(new, folder).changes == ()


def test_what_both_changed_is_marked_and_has_to_be_decided_before_the_next_update(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "p"
    project.make(a_template(tmp_path / "t", file="a\n"), "orders", folder, {})
    (folder / "file").write_text("mine\n")
    done = project.update(a_template(tmp_path / "t", 2, file="theirs\n"), folder)

    assert [(one.path, one.what, one.conflicts) for one in done.changes] == [
        ("file", "conflict", 1)
    ]
    assert (folder / "file").read_text() == (
        "<<<<<<< yours\nmine\n=======\ntheirs\n>>>>>>> template, version 2\n"
    )
    later = a_template(tmp_path / "t", 3, file="theirs\nmore\n")
    with pytest.raises(MergeOpen, match="file still has marks"):
        project.update(later, folder)
    (folder / "file").write_text("mine and theirs\n")
    assert project.update(later, folder).changes[0].what == "conflict"


def test_an_update_that_was_cut_off_is_done_by_the_next_one(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    project.make(a_template(tmp_path / "t", a="1\n", b="1\n"), "orders", folder, {})
    new = a_template(tmp_path / "t", 2, a="2\n", b="2\n")
    (folder / "a").write_text("2\n")  # as far as it came; the record still tells of version 1

    assert [one.path for one in project.update(new, folder).changes] == ["b"]
    assert texts(folder) == {"a": "2\n", "b": "2\n"}


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "a/../../out", "a//b", "."])
def test_a_record_that_was_tampered_with_leads_nowhere_else(path: str, tmp_path: Path) -> None:
    folder = tmp_path / "p"
    one = a_template(tmp_path / "t", a="1\n")
    project.make(one, "orders", folder, {})
    record = folder / project.RECORD
    record.write_text(record.read_text().replace('"a": "1', f'"{path}": "1'))
    with pytest.raises(FolderUnusable, match="no path in the project"):
        project.update(a_template(tmp_path / "t", 2, a="2\n"), folder)


def test_an_update_never_writes_through_a_link(tmp_path: Path) -> None:
    folder, outside = tmp_path / "p", tmp_path / "outside"
    project.make(a_template(tmp_path / "t", a="1\n"), "orders", folder, {})
    outside.write_text("1\n")
    (folder / "a").unlink()
    (folder / "a").symlink_to(outside)
    with pytest.raises(FolderUnusable, match="is a link"):
        project.update(a_template(tmp_path / "t", 2, a="2\n"), folder)
    assert outside.read_text() == "1\n"


def test_what_no_template_made_cannot_be_updated(tmp_path: Path) -> None:
    with pytest.raises(NotFromTemplate):
        project.update(KINDS["python"], tmp_path)
    (tmp_path / ".drystone").mkdir()
    (tmp_path / project.RECORD).write_text("{")
    with pytest.raises(NotFromTemplate, match="cannot be read"):
        project.update(KINDS["python"], tmp_path)


def test_programs_stay_programs(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    project.make(a_template(tmp_path / "t", run="1\n"), "orders", folder, {})
    (folder / "run").chmod(0o755)
    project.update(a_template(tmp_path / "t", 2, run="2\n"), folder)
    assert os.access(folder / "run", os.X_OK)
