"""Where the model of a command comes from, and what is said when it cannot be read."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from drystone.l85_surfaces.cli import entry
from l85_surfaces.cli.conftest import Drystone
from l85_surfaces.cli.deps.surveys import SHOP, SOUND
from l85_surfaces.cli.small_platform import SmallPlatform


def stand_in(monkeypatch: pytest.MonkeyPatch, written: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(written)))


@pytest.mark.parametrize("words", [["-"], ["--model", "-"], ["-m", "-"]])
def test_a_survey_comes_from_standard_input(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    stand_in(monkeypatch, SOUND.encode())

    assert drystone("deps", "lint", *words).out == (
        "In order: 2 components, 1 dependency; nothing is wrong\n"
    )


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_what_is_exported_is_read_back_as_the_same(
    drystone: Drystone, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    written = drystone("deps", "export", "shop.yaml", "--format", form).out
    stand_in(monkeypatch, written.encode())

    told = json.loads(drystone("deps", "lint", "-", "--json").out)
    direct = json.loads(drystone("deps", "lint", "shop.yaml", "--json").out)

    assert told["model"] == direct["model"]


def test_a_folder_of_surveys_is_one_model(drystone: Drystone, tmp_path: Path) -> None:
    folder = tmp_path / "surveys"
    folder.mkdir()
    (folder / "shop.yaml").write_text("components: {shop: {needs: {users: hard, db: hard}}, db: }")
    (folder / "users.csv").write_text("source,target,strength\nusers,db,hard\n")
    (folder / ".hidden.yaml").write_text("no survey")
    (folder / "README.md").write_text("no survey")

    said = drystone("deps", "tree", "shop", "--model", "surveys")

    assert said.out == "shop needs 2 components\nshop\n├─ users\n└─ db\n"


def test_the_live_platform_is_asked_when_nothing_is_named(
    drystone: Drystone, small: SmallPlatform
) -> None:
    said = drystone("deps", "check")

    assert said.code == 0
    assert said.out.startswith("the live platform: ")


def test_without_a_platform_it_says_how_to_start_one(drystone: Drystone) -> None:
    said = drystone("deps", "tangles")

    assert said.code == 1
    assert "no platform runs in" in said.err


def test_the_platforms_own_services_need_no_platform(drystone: Drystone) -> None:
    said = drystone("deps", "lint", "--platform")

    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("the platform's own services: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["shop.yaml", "--model", "shop.yaml"], "the model is given twice"),
        (["shop.yaml", "--platform"], "name one of a survey, --platform and --edges"),
        (["--edges", "e.txt", "--model", "shop.yaml"], "name one of a survey"),
        (["shop.yaml", "--levle", "error"], "unknown option: --levle; did you mean --level?"),
        (["shop.yaml", "--level", "errror"], "did you mean 'error'?"),
    ],
)
def test_misuse_exits_with_2(drystone: Drystone, words: list[str], says: str) -> None:
    said = drystone("deps", "lint", *words)

    assert (said.code, said.out) == (2, "")
    assert says in said.err


@pytest.mark.parametrize("command", ["impact", "tree", "availability"])
def test_a_survey_where_a_component_is_expected_is_misuse(drystone: Drystone, command: str) -> None:
    said = drystone("deps", command, "shop.yaml")

    assert (said.code, said.out) == (2, "")
    assert "shop.yaml is a file, not a component; read it with --model shop.yaml" in said.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["deps", "lnt"], "there is no command 'deps lnt'; did you mean 'lint'?"),
        (["deps", "--json"], "--json comes after the command; see drystone deps --help"),
        (["deps", "xyzzy"], "there is no command 'deps xyzzy'; see drystone deps --help"),
    ],
)
def test_a_word_that_is_no_command_of_a_group_is_misuse(
    capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert entry.main(words) == 2
    assert says in capsys.readouterr().err


def test_a_group_alone_and_its_help_are_the_same_page(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pages = []
    for words in (["deps"], ["deps", "--help"], ["help", "deps"]):
        assert entry.main(words) == 0
        pages.append(capsys.readouterr().out)
    assert pages[0].startswith("Usage: drystone deps COMMAND\n")
    assert pages == pages[:1] * 3


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (b"", "shop.yaml:1:1: the survey is empty"),
        (b"\xff\xfe\x00c\x00o", "shop.yaml:1:1: the file is UTF-16; save it as UTF-8"),
        (b"\x7fELF\x02\x01\x01\x00\x00", "shop.yaml:1:8: a NUL byte stands here"),
        (b"components: {a: {needs: {b: hard}}}", "there is no component 'b'"),
        (b"components: {shop: {needs: {user: hard}}, users: }", "did you mean 'users'?"),
        (b"components: {a: {needs: {a: hard}}}", "a depends on itself"),
        (b"components: {a: {needs: {b: {cost_remove: -1}}}, b: }", "a cost is a number"),
        (b"components: {a: {needs: {b: [hard, soft]}}, b: }", "with other attributes"),
        (b"components: {a: {layer: 1, layer: 2}}", "shop.yaml:1:28: "),
        (b"a: " + b"[" * 100_000, "shop.yaml:1:"),
    ],
)
def test_a_survey_that_cannot_be_read_is_refused_with_its_place(
    drystone: Drystone, shop: Path, written: bytes, says: str
) -> None:
    shop.write_bytes(written)

    said = drystone("deps", "lint", "shop.yaml")

    assert (said.code, said.out) == (1, "")
    assert says in said.err
    assert "Traceback" not in said.err


def test_files_that_cannot_be_read_are_named(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "loop").symlink_to("loop")

    for words, says in (
        (["missing.yaml"], "missing.yaml cannot be read: No such file or directory"),
        (["empty"], "the folder empty holds no survey"),
        (["loop"], "loop cannot be read: "),
        (["--edges", "missing.txt"], "missing.txt cannot be read: No such file or directory"),
        (["--edges", "empty"], "empty cannot be read: Is a directory"),
        (["shop.yaml", "--rules", "missing.yaml"], "missing.yaml cannot be read"),
        (["shop.yaml", "--evidence", "missing.jsonl"], "missing.jsonl cannot be read"),
    ):
        said = drystone("deps", "lint", *words)
        assert (said.code, said.out) == (1, "")
        assert says in said.err


def test_an_edge_list_is_a_model_too(drystone: Drystone, tmp_path: Path) -> None:
    (tmp_path / "edges.txt").write_text("# who needs whom\na b 3\nb a 2\nb b\na b 1\n")

    said = drystone("deps", "tangles", "--edges", "edges.txt")

    assert said.code == 0
    assert said.out == (
        "edges.txt: 2 components, 2 dependencies; 1 co-start tangle\n"
        "1 lines name an edge again; their costs were added up\n"
        "1 edges from a name to itself were skipped: line 4\n"
        "\n"
        "co-start of 2 components, 2 dependencies\n"
        "  what   they work only together: all must be in place before one serves\n"
        "  who    a, b\n"
        "  why    a → b → a\n"
    )


@pytest.mark.parametrize(
    ("written", "says"),
    [
        (b"a b\nc\n", "edges.txt:2: one word, 'c'"),
        (b"a b -1\n", "edges.txt:1: the cost is '-1'"),
        (b"a b \xff\n", "edges.txt:1: the line is not UTF-8; save the file as UTF-8"),
        (b"a b\n" + b"x" * 100_000 + b"\nc d\n", "edges.txt:2: the line has 100000 characters"),
    ],
)
def test_a_line_that_is_no_edge_is_refused_with_its_number(
    drystone: Drystone, tmp_path: Path, written: bytes, says: str
) -> None:
    (tmp_path / "edges.txt").write_bytes(written)

    said = drystone("deps", "tangles", "--edges", "edges.txt")

    assert (said.code, said.out) == (1, "")
    assert says in said.err


def test_a_reader_who_goes_away_is_no_failure(shop: Path) -> None:
    needs = "".join(f"  n{number}: {{needs: {{n0: }}}}\n" for number in range(1, 3000))
    shop.write_text(f"components:\n  n0:\n{needs}")
    program = "import sys; from drystone.l85_surfaces.cli.entry import main; sys.exit(main())"
    words = ["deps", "lint", "shop.yaml", "--all"]

    with subprocess.Popen(
        [sys.executable, "-c", program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(60) == 141

    assert said == b""


def test_commands_that_need_no_numbers_load_no_numpy(shop: Path) -> None:
    shop.write_text(SHOP)
    program = (
        "import sys; from drystone.l85_surfaces.cli.entry import main; "
        "main(['deps']); main(['deps', 'lint', 'shop.yaml']); main(['deps', 'ingest', '--help']); "
        "main(['deps', 'may-add', 'shop', 'flags', '-m', 'shop.yaml']); "
        "main(['deps', 'order', '--platform']); "
        "heavy = {'numpy', 'scipy', 'rich', 'uvicorn', 'starlette'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
