"""Files are read whole: every mistake with its place, and nothing that must not be in a file is shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l50_orchestrator.configuration.api import File
from drystone.l50_orchestrator.configuration.errors import FilesRefused
from drystone.l50_orchestrator.configuration.folder import collect
from drystone.l50_orchestrator.configuration.reading import MOST_FILES, SUBJECT, Reading, read
from drystone.l50_orchestrator.configured import Configured
from drystone.testing.configured import GrantsInMemory, InMemory, TeamBlock, TeamsInMemory

KINDS: dict[str, Configured] = {}  # type: ignore[type-arg]
_PARTS: dict[str, InMemory] = {}  # type: ignore[type-arg]
for _kind in (TeamsInMemory(_PARTS), GrantsInMemory(_PARTS)):
    KINDS[_kind.kind] = _kind


def reading(*texts: str) -> Reading:
    return read([File(f"{n}.yaml", text) for n, text in enumerate(texts)], KINDS)


def test_kinds_names_and_items_are_read_from_all_files() -> None:
    found = reading(
        "teams:\n  commerce: [ada]\n  money: {members: [max]}\n",
        "x-note: hello\nteams:\n  search: {members: []}\ngrants: {}\n",
    )
    assert found.problems == ()
    assert sorted(found.wanted.items) == [
        ("teams", "commerce"),
        ("teams", "money"),
        ("teams", "search"),
    ]
    assert found.wanted.items["teams", "commerce"] == TeamBlock(members=("ada",))
    assert found.wanted.kinds == {"teams", "grants"}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "0.yaml:1:1", "is empty"),
        ("# nothing\n", "0.yaml:1:1", "is empty"),
        ("- a\n", "0.yaml:1:1", "is a list"),
        ("team:\n  a: [b]\n", "0.yaml:1:1", "did you mean 'teams'"),
        ("zebras: {}\n", "0.yaml:1:1", "known here: grants, teams"),
        ("teams:\n", "0.yaml:1:7", "expected a mapping"),
        ("teams:\n  Commerce: [ada]\n", "0.yaml:2:3", "did you mean 'commerce'"),
        ("teams:\n  commerce: [Ada]\n", "0.yaml:2:14", "did you mean 'ada'"),
        ("teams:\n  commerce: {member: [ada]}\n", "0.yaml:2:14", "did you mean 'members'"),
        ("teams:\n  commerce:\n", "0.yaml:2:3", "teams.commerce is empty"),
        ("teams:\n  a: [b]\n  a: [c]\n", "0.yaml:3:3", "stands twice"),
        ("grants:\n  all: {team: money}\n", "0.yaml:2:8", "needs a reason"),
        ("teams: {a: [b]", "0.yaml:1:15", "a '{' was not closed"),
        ("teams:\n  a: !!python/object:os.system [b]\n", "0.yaml:2:6", "tag"),
        ("teams: {a: [b]}\n---\nteams: {}\n", "0.yaml:2:1", "second document"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_do(text: str, place: str, words: str) -> None:
    report = reading(text).report()
    assert f"{place}: " in report
    assert words in report


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    found = reading("tems: {}\nteams: {A: [b]}\n", "grants: {x: {}}\n", "teams: {a: [b")
    assert [one.file for one in found.problems] == ["0.yaml", "0.yaml", "1.yaml", "2.yaml"]


def test_an_item_that_stands_in_two_files_is_told_with_both_places() -> None:
    found = reading("teams:\n  a: [b]\n", "x-a: 1\nteams: {a: [b]}\n")
    assert "1.yaml:2:9: teams.a stands twice: here and in 0.yaml:2:3" in found.report()


def test_items_that_need_each_other_are_told() -> None:
    found = reading(
        "teams: {t: []}\ngrants:\n  a: {team: t, reason: x, unless: b}\n  b: {team: t, reason: x, unless: a}\n"
    )
    assert "a circle: grants.a needs grants.b needs grants.a" in found.report() or (
        "a circle: grants.b needs grants.a needs grants.b" in found.report()
    )


@given(st.permutations(range(4)))
def test_the_order_of_the_files_does_not_matter(order: list[int]) -> None:
    texts = ["teams: {a: [b]}", "teams: {c: [], a: []}", "grants: {x: {team: a}}", "teams: {E: []}"]
    files = [File(f"{n}.yaml", text) for n, text in enumerate(texts)]
    there, here = read(files, KINDS), read([files[n] for n in order], KINDS)
    assert here.report() == there.report()
    assert here.wanted.items == there.wanted.items


@given(st.text(max_size=300) | st.text("teamsgrn:{}[]&*a \n-\"'", max_size=80))
def test_no_text_does_more_than_to_be_refused(text: str) -> None:
    found = reading(text)
    assert found.problems or found.wanted.kinds or "x-" in text
    assert "\x1b" not in found.report()


def test_a_small_file_that_unfolds_to_a_huge_one_is_refused() -> None:
    bomb = "x-0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    for n in range(1, 9):
        bomb += f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n"
    assert "unfolds to more than" in reading(bomb + "teams: {a: []}\n").report()


def test_ten_thousand_items_are_read() -> None:
    text = "teams:\n" + "".join(f"  team-{n}: [ada, max]\n" for n in range(10_000))
    assert len(reading(text).wanted.items) == 10_000


def test_thousands_of_mistakes_are_told_in_a_few_lines() -> None:
    found = reading(*["teams:\n" + "".join(f"  T{n}: 1\n" for n in range(3_000))] * 3)
    assert "more; correct these first" in found.report()
    assert len(found.report()) < 100_000


def test_too_many_files_or_bytes_are_refused() -> None:
    many = read([File(f"{n}.yaml", "teams: {}") for n in range(MOST_FILES + 1)], KINDS)
    assert "files of" in many.report()
    large = reading(*["#" * (2 * 1024 * 1024)] * 5)
    assert "files of" in large.report()
    assert "has 3,000,000 bytes" in reading("#" * 3_000_000).report()
    assert "given twice" in read([File("a", "teams: {}")] * 2, KINDS).report()
    assert "there is no file" in read([], KINDS).report()


SECRETS = [
    "teams:\n  a: {password: 'hunter2hunter2'}\n",
    "teams: {a: []}\n# token: hunter2hunter2\n",
    "x-a:\n  api_key: hunter2hunter2\n",
    "x-db: postgres://me:hunter2hunter2@db.example/x\n",
    "x-key: |\n  -----BEGIN RSA PRIVATE KEY-----\n  hunter2hunter2\n",
    f"x-a: [{'AKIA' + 'HUNTER2HUNTER2XX'}]\n",
    f"x-a: {'dry_' + 'hunter2hunter2hunter2'}\n",
    f"x-a: {'ghp_' + 'hunter2' * 6}\n",
    "x-private-key: hunter2hunter2\nteams: {A: [hunter2hunter2]}\n",
    "x-a: $2b$12$hunter2hunter2hunter2hunter2\n",
    "teams: {a: [\n  secret: hunter2hunter2\n",
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    for report in (reading(text).report(), _refused(tmp_path)):
        assert "looks like a secret" in report
        assert "give out a new one" in report
        assert "hunter2" not in report.lower()
    assert "hunter2" not in repr(File("a", text)).lower()


@pytest.mark.parametrize(
    "text",
    [
        "teams: {tokens: [ada], secrets: [], token: {members: [ada]}}\n",
        "teams:\n  password:\n    members: []\n",
        "grants: {a: {team: b, reason: it hands out tokens and secrets}}\n",
        "x-link: https://runbooks.example/token:reset/a@b\n",
    ],
)
def test_what_only_speaks_of_secrets_is_let_through(text: str) -> None:
    assert "secret;" not in reading(text).report()


def _refused(folder: Path) -> str:
    with pytest.raises(FilesRefused) as refusal:
        collect(folder)
    return refusal.value.message


def test_a_folder_is_collected_without_what_is_hidden_or_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    for name in ("a.yaml", "b/c.yml", ".git/x.yaml", ".hidden.yaml", "README.md"):
        (tmp_path / name).write_text(f"x-{name[0]}: ä\n")
    assert collect(tmp_path) == [File("a.yaml", "x-a: ä\n"), File("b/c.yml", "x-b: ä\n")]


def test_an_empty_folder_and_one_that_is_none_are_refused(tmp_path: Path) -> None:
    assert "no file that ends in .yaml or .yml" in _refused(tmp_path)
    assert "No such file" in _refused(tmp_path / "nowhere")


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret.yaml").write_text("hunter2\n")
    (folder / "file.yaml").symlink_to(outside / "secret.yaml")
    (folder / "deep").symlink_to(outside)
    (folder / "dots.yaml").symlink_to("../out/secret.yaml")
    (folder / "loop.yaml").symlink_to("loop.yaml")
    report = _refused(folder)
    for name in ("file.yaml", "deep", "dots.yaml"):
        assert f"{name}:1:1: a link leads out of the folder" in report
    assert "loop.yaml" in report
    assert "hunter2" not in report


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"x-a: \xe4\n")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (SUBJECT.most_bytes * 2))
    report = _refused(tmp_path)
    assert "pipe.yaml:1:1: this is no file" in report
    assert "latin.yaml:1:6: the file is not UTF-8 here" in report
    assert "huge.yaml:1:1: the file has " in report


def test_a_file_with_a_name_that_is_no_text_is_shown_safely(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b.yaml")).write_text("token: hunter2hunter2")
    report = _refused(tmp_path)
    assert "\x1b" not in report
    json.dumps(report).encode()
