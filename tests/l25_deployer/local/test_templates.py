from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drystone.l25_deployer.local.templates import ValueUnknown, fill, fill_command
from drystone.l25_deployer.stacks.model import Reference

SPACES = st.sampled_from(["resources", "dependencies", "secrets", "sidecars", "config"])
REFERENCES = st.builds(Reference, SPACES, st.text(max_size=8), st.text(max_size=8))
VALUES = st.text(max_size=20)


@given(st.lists(st.text(max_size=8) | st.tuples(REFERENCES, VALUES)))
def test_a_template_is_its_parts_joined_with_values_in_place(
    parts: list[str | tuple[Reference, str]],
) -> None:
    values: dict[tuple[str, str, str], str] = {}
    for part in parts:
        if not isinstance(part, str):
            reference, value = part
            values.setdefault((reference.space, reference.name, reference.key), value)
    template = tuple(part if isinstance(part, str) else part[0] for part in parts)

    filled = fill(template, values)

    assert filled == "".join(
        p if isinstance(p, str) else values[p.space, p.name, p.key] for p in template
    )


@given(VALUES)
def test_a_value_is_never_read_as_a_template_again(value: str) -> None:
    hostile = "${port} " + value + " ${resources.db.url}"

    assert fill((Reference("build"),), {("build", "", ""): hostile}) == hostile


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1))
def test_words_of_a_command_stay_words_whatever_their_values_hold(
    pairs: list[tuple[str, str]],
) -> None:
    values = {("config", "ns", str(n)): value for n, (_, value) in enumerate(pairs)}
    command = tuple((text, Reference("config", "ns", str(n))) for n, (text, _) in enumerate(pairs))

    assert fill_command(command, values) == tuple(text + value for text, value in pairs)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (Reference("secrets", "KEY"), r"\$\{secrets.KEY\} has no value; secrets are accepted"),
        (Reference("dependencies", "users", "url"), "deploy 'users' first"),
        (Reference("port"), r"\$\{port\} has no value; only a group that serves has a port"),
        (Reference("resources", "db", "url"), r"\$\{resources.db.url\} has no value; check"),
    ],
)
def test_a_reference_without_a_value_says_what_to_do(reference: Reference, said: str) -> None:
    known = {("resources", "other", "url"): "postgresql://u:hunter2@h/d"}

    with pytest.raises(ValueUnknown, match=said) as unknown:
        fill(("a", reference), known)

    assert "hunter2" not in str(unknown.value) + str(unknown.value.details)
