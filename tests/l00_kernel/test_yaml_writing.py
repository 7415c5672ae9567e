from __future__ import annotations

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from drystone.l00_kernel.yaml_text.writing import write_text

WORDS = ["", " ", "no", "Off", "~", "0x1f", "1e3", "2026-01-31", "a: b", "a #b", "- a", "--x", "*a"]


@given(st.text() | st.sampled_from(WORDS))
@example("\x85\u2028\ufeff")
@example("\ud7ff\U0010ffff")
def test_a_text_is_read_as_itself_alone_and_inside_of_others(text: str) -> None:
    written = write_text(text)
    assert yaml.safe_load(written) == text
    assert yaml.safe_load(f"{{a: [{written}, {written}]}}") == {"a": [text, text]}
    assert "\n" not in written
