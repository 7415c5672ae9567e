from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l85_surfaces.cli.configuration import with_setting, write_settings
from drystone.l85_surfaces.cli.errors import Misuse

KEYS = st.sampled_from(["port", "runtime", "port_of_call", "default_environment"])
TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x1FFFF, exclude_categories=["C"]))
SCALARS = st.one_of(st.integers(-(2**31), 2**31), st.booleans(), TEXTS)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """TOML as people write it: comments, blank lines, top-level keys, tables."""
    lines = []
    for key, value in draw(st.dictionaries(KEYS, SCALARS)).items():
        lines += draw(st.sampled_from([[], [""], ["# port = 1"]]))
        lines.append(
            f"{key}{draw(st.sampled_from(['=', ' = ', '   =']))}{json.dumps(value, ensure_ascii=False)}"
        )
    for table in draw(st.lists(st.sampled_from(["postgres", "objects"]), unique=True)):
        lines += ["", f"[{table}]", *(["port = 5432"] if draw(st.booleans()) else [])]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n"]))


@given(documents(), st.sampled_from(["port", "runtime"]), st.one_of(st.integers(1, 65535), TEXTS))
def test_only_the_one_key_changes(text: str, key: str, value: str | int) -> None:
    changed = with_setting(text, key, value)

    assert tomllib.loads(changed) == {**tomllib.loads(text), key: value}
    assert with_setting(changed, key, value) == changed
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert [line for line in changed.splitlines() if line.startswith("#")] == comments


@pytest.mark.parametrize(
    "text", ['"port" = 1\n', 'note = """\nport = 1\n"""\n', "port = [\n1]\n", "="]
)
def test_what_takes_more_than_a_line_is_left_to_the_owner(text: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(text)

    with pytest.raises(Misuse, match="write `port = …` there yourself"):
        write_settings(file, {"port": 8500})

    assert file.read_text() == text


def test_nothing_to_set_makes_no_file(tmp_path: Path) -> None:
    write_settings(tmp_path / "settings.toml", {})

    assert list(tmp_path.iterdir()) == []
